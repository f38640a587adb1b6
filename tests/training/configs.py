"""Configurations that train in a second."""

from qpsearch.architecture.config import Network, Recipe, TrialConfig
from qpsearch.registry.datasets import Data
from qpsearch.registry.optimisers import OPTIMISERS, AnyOptimiser
from qpsearch.registry.optimisers.adam import AdamW
from qpsearch.registry.optimisers.sgd import Sgd
from qpsearch.registry.options import settings_of
from qpsearch.vocabulary import BlockKind, NormPlacement
from tests.models.settings import stage


def digits(
    *blocks: BlockKind,
    epochs: int = 3,
    lr: float = 0.05,
    adamw: bool = False,
    schedule: str = "cosine",
    placement: NormPlacement = NormPlacement.POST,
    width: int = 8,
    held: int = 300,
) -> TrialConfig:
    stages = tuple(
        stage(block, placement=placement, width=width * 2**index, stride=1 + (index > 0))
        for index, block in enumerate(blocks)
    )
    return TrialConfig(
        data=Data(dataset="digits", validation=held, augment=("flip", "crop")),
        network=Network(channels=1, size=8, classes=10, stem_width=width, stages=stages),
        recipe=Recipe(
            epochs=epochs,
            batch_size=64,
            optimizer=AdamW(lr=lr / 10, weight_decay=0.01) if adamw else Sgd(lr=lr, momentum=0.9, weight_decay=1e-4),
            schedule=schedule,
        ),
    )


def by_default(kind: str, **settings: object) -> AnyOptimiser:
    """Return an optimiser with the settings that a space file gives it."""
    record = OPTIMISERS[kind]
    return record(**({name: option.default for name, option in settings_of(record).items()} | settings))
