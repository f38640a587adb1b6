"""STL-10."""

from typing import Final

from qpsearch.registry.datasets.base import DatasetFacts, with_splits

MEMBERS: Final = (
    DatasetFacts(
        name="stl10",
        order=90,
        channels=3,
        size=96,
        classes=10,
        train_images=5000,
        test_images=8000,
        peak=255,
        mean=(0.4467, 0.4398, 0.4066),
        std=(0.2603, 0.2566, 0.2713),
        names=("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"),
        read=lambda folder, facts: with_splits("STL10", folder),
    ),
)
