"""What processes have and inherit: cores; but not the URL of the study database, which may hold a password."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from qpsearch.vocabulary import Variable


@contextmanager
def without_storage() -> Iterator[None]:
    """Start processes that do not inherit the variable which names the database."""
    given = os.environ.pop(Variable.STORAGE, None)
    try:
        yield
    finally:
        if given is not None:
            os.environ[Variable.STORAGE] = given


def own_cores() -> int:
    """Return the cores that this process may use: a batch system may give a job only a part of a machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
