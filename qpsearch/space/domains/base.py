"""What all domains share: priors, the ends of a range, and how a value is spelled."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol, Self

from qpsearch.space.schema.value_types import NONE, text_in_file
from qpsearch.vocabulary import Confidence, Scalar, WithWords

PRIOR_SPREAD: Final = 0.1  # sd of a draw near a prior, as a share of its range


class Suggests(Protocol):
    """The part of an Optuna trial that domains use."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return one of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number."""


@dataclass(frozen=True, slots=True)
class Prior(WithWords):
    """The expert's best guess of a parameter, and how sure the expert is; ``study.search.priors`` uses it."""

    value: Scalar
    confidence: Confidence = Confidence.MEDIUM

    def __str__(self) -> str:
        return f", prior: {text_of(self.value)}, confidence: {self.confidence}"


class BaseDomain:
    """The base of all domains."""

    __slots__ = ()

    @property
    def domain(self) -> Self:
        """What is drawn; every kind of leaf has this property."""
        return self


class BaseRange(BaseDomain):
    """The base of all ranges; subclasses declare the ends."""

    __slots__ = ()

    @property
    def options(self) -> None:
        """None: a range has too many values to list them for a user."""
        return None

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.low, self.high  # type: ignore[attr-defined]  # fields of each range

    @property
    def upper(self) -> float:
        """The largest value."""
        return float(self.bounds[1])

    def member(self, value: Scalar) -> Scalar:
        """Return a value as it is."""
        return value


def stored(value: Scalar) -> Scalar:
    """Return a value as the study database stores it: a word without its enum."""
    return value.value if isinstance(value, StrEnum) else value


def check_prior(domain: Any) -> None:
    """Check the prior of a domain of any kind.

    Raises:
        ValueError: It is not a ``Prior``, or its value is not in the domain.
    """
    if domain.prior is None:
        return
    if not isinstance(domain.prior, Prior):
        raise ValueError(f"prior must be Prior(value), got {domain.prior!r}")
    if domain.prior.value not in domain:
        raise ValueError(f"the prior {text_of(domain.prior.value)} is not in {replace(domain, prior=None)}")


def number_of(value: Scalar) -> float:
    """Return a value of a range of numbers."""
    assert isinstance(value, int | float)
    return value


def prior_number(prior: Prior | None) -> float:
    """Return the value of a range's prior."""
    assert prior is not None
    return number_of(prior.value)


def prior_document(prior: Prior | None) -> dict[str, Any]:
    """Return the keys that a prior has in a space file."""
    return {} if prior is None else {"prior": in_file(prior.value), "confidence": prior.confidence.value}


def in_file(value: Scalar) -> Scalar:
    """Return a value as a space file spells it."""
    return NONE if value is None else stored(value)


def text_of(value: object) -> str:
    """Return a value as a space file spells it; of a float all digits."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(text_of, value))}]"
    if value is None:
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def as_written(value: Any) -> str:
    """Return a value for a reader, as a space file spells it; of a float six digits."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(as_written, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else text_in_file(value)
