"""Handwritten digits of scikit-learn, which come with it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from qpsearch.registry.datasets.base import NUMERALS, Arrays, DatasetFacts
from qpsearch.registry.splits import SPLIT_SEED, stratified


def _digits(folder: Path, facts: DatasetFacts) -> Arrays:
    """1,797 handwritten digits, 8x8, 17 grey levels; 300 of them, stratified, are the test split."""
    import numpy as np

    rows = np.loadtxt(_file_of_digits(), np.uint8, delimiter=",")  # 64 grey levels and the label
    images, labels = rows[:, :-1].reshape(-1, 8, 8, 1), rows[:, -1]
    train, test = stratified(labels, facts.test_images, SPLIT_SEED)
    return Arrays(images[train], labels[train], images[test], labels[test])


def _file_of_digits() -> Path:
    """Return scikit-learn's file of digits, without importing scikit-learn: a worker would wait for a second or two."""
    found = find_spec("sklearn")
    assert found is not None  # it is installed with us
    assert found.origin is not None
    return Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"


MEMBERS: Final = (
    DatasetFacts(
        name="digits",
        order=10,
        channels=1,
        size=8,
        classes=10,
        train_images=1497,
        test_images=300,
        peak=16,
        mean=(0.3053,),
        std=(0.3760,),
        names=NUMERALS,
        read=_digits,
        bundled=True,  # scikit-learn's
    ),
)
