"""How the arms of a comparison came about."""

from enum import StrEnum


class Basis(StrEnum):
    """How the arms of a comparison came about, which decides what can be said about them."""

    CONFIGURATIONS = "configurations"  # trained as they were named: seeds are all that differs by chance
    TUNED = "tuned"  # each the best configurations of searches of its own
    SEARCHED = "searched"  # parts of one search, whose trials differ in other settings too
