"""Stratified splits of labelled images, without scikit-learn, whose import takes a worker as long as torch's.

The draws are those of scikit-learn's ``train_test_split`` with ``stratify`` and ``random_state``: a study goes on with
the split that it began with, and anybody can make the same split elsewhere.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Index = npt.NDArray[np.int64]


SPLIT_SEED: Final = 620  # the quotient authors' seed; their split itself depended on a file system's order


def stratified(labels: "npt.NDArray[Any]", held: int, seed: int) -> "tuple[Index, Index]":
    """Hold out ``held`` rows, of each label its share; return the rows that are kept and those held out, shuffled.

    Raises:
        ValueError: One of the two parts would have fewer rows than there are labels, or a label has one row alone.
    """
    import numpy as np

    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    kept = len(labels) - held
    if min(kept, held) < len(counts) or counts.min() < 2:
        raise ValueError(f"{held} of {len(labels)} images cannot be held out by label: there are {len(counts)} labels")
    rng = np.random.RandomState(seed)  # whose draws are scikit-learn's
    of_kept = _shares(counts, kept, rng)
    of_held = _shares(counts - of_kept, held, rng)
    by_label = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    orders = [rows[rng.permutation(len(rows))] for rows in by_label]
    first = [order[:count] for order, count in zip(orders, of_kept, strict=True)]
    second = [order[a : a + b] for order, a, b in zip(orders, of_kept, of_held, strict=True)]
    return rng.permutation(np.concatenate(first)), rng.permutation(np.concatenate(second))


def nested(labels: "npt.NDArray[Any]", count: int, seed: int) -> "Index":
    """Return ``count`` rows, in ascending order, of each label its share; fewer rows are a part of more.

    All rows are in one order, of which the first are taken: those of each label are shuffled and spread evenly over it.
    """
    import numpy as np

    rng = np.random.RandomState(seed)
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    place = np.empty(len(labels))
    for code, own in enumerate(counts):
        place[codes == code] = (rng.permutation(own) + 0.5) / own
    return np.sort(np.lexsort((codes, place))[:count])


def _shares(counts: "Index", drawn: int, rng: "np.random.RandomState") -> "Index":
    """Return how many of each label are drawn: its share rounded down, and one more where most is left over."""
    import numpy as np

    exact = counts / counts.sum() * drawn
    shares = np.floor(exact)
    remainders, missing = exact - shares, int(drawn - shares.sum())
    for remainder in np.unique(remainders)[::-1]:
        if missing == 0:
            break
        (equal,) = np.where(remainders == remainder)
        added = rng.choice(equal, size=min(len(equal), missing), replace=False)
        shares[added] += 1
        missing -= len(added)
    whole: Index = shares.astype(np.int64)
    return whole
