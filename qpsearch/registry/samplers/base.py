"""What a sampler is: its word and options, what it makes of results, and how it is made for a draw.

This room knows neither spaces nor studies. What a sampler needs of them it is given: a ``DrawRequest``, and for points
that are set in advance a ``SearchedSpace``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from qpsearch.registry.members import LAST
from qpsearch.registry.options import Option, Options
from qpsearch.vocabulary import Scalar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from optuna.samplers import BaseSampler

STARTUP: Final = 10  # draws at random before results are used

Matrix: TypeAlias = "NDArray[np.float64]"
Mask: TypeAlias = "NDArray[np.bool_]"


class Columns(Protocol):
    """The parameters of a space as columns, for samplers that work on all points at once.

    A point is a row with a share for each parameter, from 0 to 1, and NaN for one that it does not have. Even shares
    are even draws of the space.
    """

    size: int
    """How many columns there are."""
    always: frozenset[str]
    """The parameters that every point has."""
    widths: tuple[int, ...]
    """How many features each column has."""
    is_word: Mask
    """Which columns hold words, which have no neighbours."""

    def row(self, params: Mapping[str, Scalar]) -> Matrix:
        """Return a point's row, which must not be changed."""

    def params(self, row: Matrix) -> dict[str, Scalar]:
        """Return the point of a row."""

    def points(self, shares: Matrix) -> Matrix:
        """Return rows of points for any shares, (rows, columns): values are rounded to those of the space."""

    def features(self, rows: Matrix) -> Matrix:
        """Return what a kernel compares, (rows, features): a number as its share, a word as one feature an option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRequest:
    """What a sampler is made from.

    Attributes:
        seed: A function of the search's seed, the trial's number and the draw alone, so that a restarted study asks
            the same. A sampler takes all chance from it.
        options: What the space file says, by option.
        columns: The parameters of the space.
    """

    seed: int
    options: Options
    columns: Columns


class PointList(Protocol):
    """Points that are set in advance."""

    def point(self, number: int, draw: int) -> Mapping[str, Scalar]:
        """Return the values of a trial; what it leaves out is drawn.

        Args:
            number: How many trials the study drew before; those of given points do not count.
            draw: How many draws of this trial could not be trained.
        """


class SearchedSpace(Protocol):
    """The space of a study, from which points are set in advance."""

    @property
    def columns(self) -> Columns:
        """The parameters."""

    @property
    def given(self) -> Sequence[Mapping[str, Scalar]]:
        """Points of trials that the study did not draw, such as imported ones: what a design need not try again."""

    def seed(self, purpose: str) -> int:
        """Return a seed that follows from the search's and a word, the sampler's own."""

    def every_point(self) -> list[dict[str, Scalar]]:
        """Return all points that can be trained, in the order of the space; only for finite spaces."""

    def balanced_points(self) -> PointList:
        """Return an endless list of points that takes values, and pairs of values, about equally often."""


def even(draw: DrawRequest) -> "BaseSampler":
    """Return the sampler of an even draw."""
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=draw.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """A sampler that space files can name.

    Attributes:
        name: The word in space files and in the database.
        order: Its place in lists.
        doc: What it does, to complete a list for users.
        options: The numbers that a space file may set.
        make: Returns Optuna's sampler for a draw. It is made anew for each: what it must remember it keeps in
            attributes of trials, as Optuna's own do.
        points: Returns the points that it sets in advance; None where it draws everything.
        called: What it is called in sentences; its name where left out.
        is_blind: Whether results do not change what it proposes.
        is_designed: Whether all its points are known before the first trial, so that nothing may come between them.
        is_exhaustive: Whether its points are all points of a finite space.
        has_one_objective: Whether it cannot be used with several objectives.
        learns_numbers: Whether it learns about nothing but numbers that every configuration has, of which it needs two.
        compares_rungs: Whether it compares unfinished trials in several objectives; others see complete ones alone.
        learns_complete: Whether it learns from nothing but complete trials, a ``population`` of them at a time.
    """

    name: str
    order: int = LAST
    doc: str
    options: Mapping[str, Option] = field(default_factory=dict)
    make: Callable[..., "BaseSampler"] = even
    points: Callable[[SearchedSpace], PointList] | None = None
    called: str = ""
    is_blind: bool = False
    is_designed: bool = False
    is_exhaustive: bool = False
    has_one_objective: bool = False
    learns_numbers: bool = False
    compares_rungs: bool = False
    learns_complete: bool = False

    def __post_init__(self) -> None:
        if not self.called:
            object.__setattr__(self, "called", self.name)

    @property
    def startup(self) -> float:
        """Number of the first trial that is proposed from results; earlier ones lie near the expert's priors."""
        if self.is_designed:
            return 0
        return math.inf if self.is_blind else STARTUP

    @property
    def design(self) -> str:
        """What a study of the sampler has, in words."""
        if self.is_designed:
            return f"designed trials ({self})"
        return f"{self.called} trials" if self.is_blind else f"trials of an adaptive sampler ({self})"

    def __str__(self) -> str:
        return self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def sampler(self, draw: DrawRequest) -> "BaseSampler":
        """Return Optuna's sampler for a draw."""
        return self.make(draw)

    def blamed(self) -> AbstractContextManager[None]:
        """Name the sampler in errors that its code raises, where that is the user's own."""
        return nullcontext()


def share_of_random(default: float) -> Option:
    """Return the option of a share of draws that are random; ``is_random`` says which ones are."""
    return Option(doc="Share of draws that are random all the same.", low=0, high=1, default=default)


def is_random(draw: DrawRequest) -> bool:
    """Whether a draw is random, whatever the sampler: as many as the option ``random`` says."""
    import numpy as np

    share = draw.options.get("random") or 0.0
    return bool(share) and bool(np.random.default_rng(draw.seed).random() < share)
