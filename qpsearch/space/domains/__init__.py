"""What a sampler draws a leaf from: a choice, or a range.

Each kind of domain implements how it is drawn, listed, counted, suggested by Optuna and written into a file. Code that
works with domains need not know their kinds.
"""

from qpsearch.space.domains.base import Prior, as_written, stored, text_of
from qpsearch.space.domains.choice import Choice
from qpsearch.space.domains.real import FloatRange, LogRange
from qpsearch.space.domains.whole import IntRange, LogIntRange

Domain = Choice | IntRange | LogIntRange | FloatRange | LogRange

__all__ = [
    "Choice",
    "Domain",
    "FloatRange",
    "IntRange",
    "LogIntRange",
    "LogRange",
    "Prior",
    "as_written",
    "stored",
    "text_of",
]
