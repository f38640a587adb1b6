"""The learning-rate schedules that a space file may name: pure functions of progress.

A continued run does not need a schedule's state. A new schedule is a module here, with its ``MEMBERS``.
"""

from typing import Final

from qpsearch.registry.members import members
from qpsearch.registry.schedules.base import Schedule

SCHEDULES: Final = members(__name__, Schedule)
