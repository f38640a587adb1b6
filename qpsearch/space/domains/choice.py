"""One of a list of values, which need not be numbers."""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qpsearch.space.domains.base import (
    BaseDomain,
    Prior,
    Suggests,
    check_prior,
    in_file,
    prior_document,
    stored,
    text_of,
)
from qpsearch.vocabulary import Scalar

if TYPE_CHECKING:  # distributions are made only after Optuna is loaded
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(BaseDomain):
    """One of a list, unordered: ``{choice: [a, b]}``."""

    options: tuple[Scalar, ...]
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("a choice needs at least one option")
        if len(set(map(text_of, self.options))) != len(self.options):
            raise ValueError(f"a choice lists each option only once, got {self}")
        check_prior(self)

    @property
    def values(self) -> tuple[Scalar, ...]:
        """All values, in their order."""
        return self.options

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.options)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest value where all are numbers, else None."""
        numbers = [value for value in self.options if isinstance(value, int | float)]
        return (min(numbers), max(numbers)) if len(numbers) == len(self.options) else None

    @property
    def upper(self) -> float:
        """The largest number among the options."""
        return max(float(option) for option in self.options if option is not None)

    def at(self, share: float) -> Scalar:
        """Return the option at a share from 0 to 1 of the list; each option has an equal share."""
        return self.options[min(int(share * len(self.options)), len(self.options) - 1)]

    def share_of(self, value: Scalar) -> float:
        """Return the middle of an option's share of the list."""
        chosen = self.member(value)
        index = next(index for index, option in enumerate(self.options) if option is chosen)
        return (index + 0.5) / len(self.options)

    def draw(self, generator: random.Random) -> Scalar:
        """Return an option, each as likely as the others."""
        return generator.choice(self.options)

    def near_prior(self, generator: random.Random) -> Scalar:
        """Return the prior: options have no neighbours."""
        assert self.prior is not None
        return self.prior.value

    def member(self, value: Scalar) -> Scalar:
        """Return the option that equals a value: a member of an enum for its word."""
        equal = [option for option in self.options if option == value]
        return next((option for option in equal if type(stored(option)) is type(stored(value))), equal[0])

    def suggest(self, name: str, trial: Suggests) -> Scalar:
        """Let an Optuna trial choose a value."""
        return self.member(trial.suggest_categorical(name, self._stored()))

    def distribution(self) -> "BaseDistribution":
        """Return the domain as Optuna stores it."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self._stored())

    def document(self) -> dict[str, Any]:
        """Return the domain as a space file spells it."""
        return {"choice": [in_file(option) for option in self.options]} | prior_document(self.prior)

    def __contains__(self, value: object) -> bool:
        return value in self.options

    def __str__(self) -> str:
        return f"{{choice: [{', '.join(map(text_of, self.options))}]{self.prior or ''}}}"

    def _stored(self) -> tuple[Scalar, ...]:
        return tuple(map(stored, self.options))
