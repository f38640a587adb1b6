"""Which trials of a study are audited: they run on whatever their rungs say."""

import random

from qpsearch.seeds import derive_seed


def is_audited(seed: int, number: int, share: float) -> bool:
    """Whether a trial is audited: a function of the search's seed and the trial's number."""
    return share > 0 and random.Random(derive_seed(seed, "audit", number)).random() < share
