"""Values of a command, or of a file of the same study, in place of a study's own budget and resources."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

from qpsearch.errors import UserError
from qpsearch.registry.datasets import Data
from qpsearch.space import Space
from qpsearch.space.schema.numbers import checked
from qpsearch.space.schema.value_types import Duration, Integer, Number
from qpsearch.space.search import Budget
from qpsearch.space.space import Resources

BOUNDS: Final[dict[str, Integer | Number]] = {
    "trials": Integer(1, 10_000_000),
    "epochs": Integer(1, 2**53),
    "concurrent": Integer(1, 100_000),
    "gpus": Number(0.0, 1024.0),
    "cpus": Integer(1, 1024),
}
HOURS: Final = Number(0.0, 1e9, above=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Values that replace a study's own budget and resources; None keeps the study's own value.

    Attributes:
        trials: Budget in trials, over all restarts and drivers.
        epochs: Budget in epochs of all trials together.
        seconds: Budget in wall time.
        gpu_seconds: Budget in seconds of one GPU.
        concurrent: Trials at once.
        gpus: GPUs per trial, or the share of one.
        cpus: Cores per trial.
        given: A file of the same study, as a space, whose ``resources`` and ``data.stream`` hold in place of its own.
    """

    trials: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    gpu_seconds: float | None = None
    concurrent: int | None = None
    gpus: float | None = None
    cpus: int | None = None
    given: Space | None = None

    def __post_init__(self) -> None:
        """Refuse a number that cannot be meant; raises UserError."""
        for name, domain in BOUNDS.items():
            checked(domain, getattr(self, name), name)

    @classmethod
    def of(cls, *, time: str | None, gpu_hours: float | None, is_command: bool = False, **others: Any) -> Self:
        """Return overrides whose time is spelled as in a space file, such as ``12h``, and whose GPU time is in hours.

        Args:
            time: Budget in wall time.
            gpu_hours: Budget in hours of one GPU.
            is_command: Whether messages name options of a command rather than arguments.
            **others: Fields.

        Raises:
            UserError: ``time`` is not a duration, or ``gpu_hours`` is not above 0.
        """
        first, second = ("--time", "--gpu-hours") if is_command else ("time", "gpu_hours")
        try:
            seconds = None if time is None else float(str(Duration().parse(time, "time")))
        except ValueError as error:
            raise UserError(f"{first}: {error}") from None
        checked(HOURS, gpu_hours, second)
        return cls(seconds=seconds, gpu_seconds=None if gpu_hours is None else 3600 * gpu_hours, **others)

    @property
    def has_budget(self) -> bool:
        """Whether a bound of the budget is replaced."""
        return (self.trials, self.epochs, self.seconds, self.gpu_seconds) != (None, None, None, None)

    def without_budget(self) -> "Overrides":
        """Return the overrides of the resources alone, and of how images are kept."""
        return replace(self, trials=None, epochs=None, seconds=None, gpu_seconds=None)

    def budget(self, own: Budget) -> Budget:
        """Return a budget with its bounds replaced by these."""
        return own.updated(trials=self.trials, epochs=self.epochs, seconds=self.seconds, gpu_seconds=self.gpu_seconds)

    def data(self, own: Data) -> Data:
        """Return a study's data, with the ``data.stream`` of the given file."""
        return own if self.given is None else replace(own, stream=self.given.data.stream)

    def resources(self, own: Resources) -> Resources:
        """Return the resources of the given file, or else a study's own, with their fields replaced by these."""
        own = own if self.given is None else self.given.resources
        fields = {"concurrent": self.concurrent, "gpus": self.gpus, "cpus": self.cpus}
        return replace(own, **{name: value for name, value in fields.items() if value is not None})  # type: ignore[arg-type]  # each of its field's type


UNCHANGED: Final = Overrides()


def other_resources(stored: Resources, given: Resources) -> Iterator[str]:
    """Say which resources a file has that differ from those that a study was made with, flags included."""
    for field in fields(stored):
        own, new = (_word(getattr(each, field.name)) for each in (stored, given))
        if own != new:
            yield f"resources.{field.name.removesuffix('_s')} is {new}, as the file says; the study was made with {own}"


def _word(value: object) -> str:
    return "auto" if value is None else str(value)
