"""What workers train in the benchmarks: nothing. Importable in worker processes, and cheap to import there."""

from collections.abc import Iterator
from typing import Any, Final

from ray import tune

from qpsearch.architecture.config import TrialConfig
from qpsearch.protocol import EpochReport, RunSettings

METRIC: Final = "val_accuracy"
LR: Final = "training.optimizer.sgd.lr"


def train(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    """Report every epoch at once."""
    epochs = config.recipe.epochs
    for epoch in range(1, epochs + 1):
        value = _value(config.recipe.optimizer.lr, epoch, epochs)
        yield EpochReport(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=value)


class Stock(tune.Trainable):
    """The same for stock Tune, in the form that its workers are reused in."""

    def setup(self, config: dict[str, Any], epochs: int) -> None:
        self._lr, self._epochs, self._epoch = config[LR], epochs, 0

    def step(self) -> dict[str, float]:
        self._epoch += 1
        return {METRIC: _value(self._lr, self._epoch, self._epochs)}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._lr, self._epoch = new_config[LR], 0
        return True


def _value(lr: float, epoch: int, epochs: int) -> float:
    return (0.3 + lr) * epoch / epochs
