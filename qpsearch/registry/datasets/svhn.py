"""Street View House Numbers: the train split alone, as the quotient authors use it."""

from typing import Final

from qpsearch.registry.datasets.base import NUMERALS, DatasetFacts, with_splits

MEMBERS: Final = (
    DatasetFacts(
        name="svhn",
        order=40,
        channels=3,
        size=32,
        classes=10,
        train_images=73_257,
        test_images=26_032,
        peak=255,
        mean=(0.4377, 0.4438, 0.4728),
        std=(0.1980, 0.2010, 0.1970),
        names=NUMERALS,
        read=lambda folder, facts: with_splits("SVHN", folder),
    ),
)
