"""What a study's trials say, as numbers: codes of the parameters, final values, and curves up to where they stopped."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from optuna.trial import FrozenTrial, TrialState
from scipy.special import chdtrc, ndtr

from qpsearch.analysis.anova.parameters import Bools, Floats, Parameter

ROUNDING: Final = 1e-12  # relative to a value: equal values differ by less
CHECKPOINTS: Final = 8  # of the curves, at most: where trials were stopped
# Final values are analysed where enough trials have one: two for each parameter and at least 15, or this share of the
# trials and at least 8, or half of a small study. Else the values at the last step that as many reached are analysed.
PER_PARAMETER, MANY, SHARE, FEWEST, HALF = 2, 15, 0.25, 8, 0.5
# Which trials went on was decided by earlier values. Unless most of them did, a step says something of the others only
# where it orders trials as earlier ones do, and where some trials of each choice are seen that enough trials have.
MOST_SEEN: Final = 2 / 3
ORDERED: Final = 0.5  # rank correlation of first and later values below which curves cross
FEWEST_CURVES: Final = 10  # for a rank correlation
OF_CHOICE, SEEN_OF_CHOICE = 5, 2
CHANCE: Final = 0.01  # p value below which first values follow a parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """Why the values of a later step are not analysed.

    Attributes:
        step: The step; None for final values.
        trials: How many trials reached it.
        order: The rank correlation of their values then and at the first step, where curves cross; else None.
        choice: A choice of which hardly a trial reached it, as parameter, value, and how many of how many; else None.
            Without either, too few trials reached it at all.
    """

    step: int | None
    trials: int
    order: float | None = None
    choice: tuple[str, Any, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Observations:
    """The trials that the analysis uses, in their order.

    Attributes:
        numbers: Their numbers.
        codes: The code of each parameter in each trial, NaN where a trial does not have it.
        along: Values at some steps, and the one that is analysed in the last column, (trials, checkpoints); NaN from
            where a trial was stopped.
        steps: The step of each column but the last.
        complete: Which trials have the value that is analysed.
        at: The step whose values are analysed; None for final values.
        beyond: Why it is not a later one; None for final values.
    """

    numbers: tuple[int, ...]
    codes: Mapping[str, Floats]
    along: Floats
    steps: tuple[int, ...]
    complete: Bools
    at: int | None = None
    beyond: Beyond | None = None

    def count(self, name: str) -> int:
        """Return how many trials have a parameter."""
        return int((~np.isnan(self.codes[name])).sum())

    @property
    def final(self) -> Floats:
        """The values that are analysed, NaN where a trial was stopped before."""
        return np.asarray(self.along[:, -1])

    @property
    def first(self) -> Floats:
        """The values of all trials at the last moment at which none of them had been stopped."""
        return np.asarray(self.along[:, 0])

    @property
    def unselected(self) -> list[Floats]:
        """Values that do not depend on which trials were stopped, NaN for other trials, in groups; the largest first.

        The one group is ``first``, the other one the final values of trials without a curve, such as imported ones,
        which nothing could stop.
        """
        without = np.isnan(self.along[:, :-1]).all(axis=1) & (self.along.shape[1] > 1)
        groups = [self.first, np.where(without, self.final, np.nan)]
        return sorted(groups, key=lambda group: -int((~np.isnan(group)).sum()))

    @property
    def scale(self) -> tuple[float, float]:
        """Mean and standard deviation of the final values."""
        final = self.final[self.complete]
        return float(final.mean()), spread_of(final) or 1.0


def spread_of(values: Floats) -> float:
    """Return the standard deviation of some values; 0 where they differ by rounding alone."""
    if not len(values):
        return 0.0
    is_seen = np.ptp(values) > ROUNDING * max(1.0, float(np.abs(values).max()))
    return float(values.std()) if is_seen else 0.0


def observations_of(parameters: Sequence[Parameter], trials: Sequence[FrozenTrial]) -> Observations:
    """Keep complete trials, and pruned ones that reported a value; leave out what is not finite.

    A trial's value at a step is the last one that it reported up to there. Where final values of the trials that have
    one do not tell what those of the others would be, the values at the last step at which they do are analysed.
    """
    kept = [trial for trial in trials if is_complete(trial) or stopped_at(trial) is not None]
    stops = sorted({at for trial in kept if not is_complete(trial) if (at := stopped_at(trial)) is not None})
    if len(stops) > CHECKPOINTS:
        places = np.linspace(0, len(stops) - 1, CHECKPOINTS).round().astype(int)
        stops = [stops[place] for place in places]
    along = np.full((len(kept), len(stops) + 1), np.nan)
    for row, trial in enumerate(kept):
        along[row, :-1] = [_at(trial, stop) for stop in stops]
        if is_complete(trial):
            along[row, -1] = trial.values[0]
    draws = [trial.params for trial in kept]
    codes = {each.name: each.codes(draws) for each in parameters}
    last, beyond = _last_to_analyse(along, [*stops, None], parameters, codes)
    at = None if last == len(stops) else stops[last]
    along = along[:, : last + 1]
    used = ~np.isnan(along).all(axis=1)  # without complete trials that have no curve, where an earlier step is analysed
    along = along[used]
    return Observations(
        numbers=tuple(trial.number for trial, is_used in zip(kept, used, strict=True) if is_used),
        codes={name: own[used] for name, own in codes.items()},
        along=along,
        steps=tuple(stops[:last]),
        complete=~np.isnan(along[:, -1]),
        at=at,
        beyond=beyond,
    )


def _last_to_analyse(
    along: Floats, steps: Sequence[int | None], parameters: Sequence[Parameter], codes: Mapping[str, Floats]
) -> tuple[int, Beyond | None]:
    """Return the last column that tells what trials without a value there would have, and why none behind it does.

    Where no column has enough values it is the last of all.
    """
    beyond: Beyond | None = None
    for column in reversed(range(len(steps))):
        found = _beyond(along, column, steps[column], parameters, codes)
        if found is None:
            return column, beyond
        beyond = found
    return len(steps) - 1, None


def _beyond(
    along: Floats, column: int, step: int | None, parameters: Sequence[Parameter], codes: Mapping[str, Floats]
) -> Beyond | None:
    """Return why the values of a column are not analysed; None where they can be."""
    first, there = ~np.isnan(along[:, 0]), ~np.isnan(along[:, column])
    went_on, trials = first & there, len(along)
    enough = min(max(MANY, PER_PARAMETER * len(parameters)), max(FEWEST, SHARE * trials), HALF * trials)
    if there.sum() < enough:
        return Beyond(step=step, trials=int(there.sum()))
    unselected = int((there & ~first).sum())  # complete trials without a curve, such as imported ones
    if column == 0 or unselected >= enough or went_on.sum() >= MOST_SEEN * first.sum():
        return None
    if (
        went_on.sum() >= FEWEST_CURVES
        and (order := order_of(along[went_on, 0], along[went_on, column])) < ORDERED
        and _follow(along[:, 0], codes)
    ):
        return Beyond(step=step, trials=int(went_on.sum()), order=order)
    for each in (each for each in parameters if each.is_category):
        assert each.levels is not None
        for code, level in enumerate(each.levels):
            own = codes[each.name] == code
            if (first & own).sum() >= OF_CHOICE and (there & own).sum() < SEEN_OF_CHOICE:
                choice = each.name, level, int((went_on & own).sum()), int((first & own).sum())
                return Beyond(step=step, trials=int(there.sum()), choice=choice)
    return None


def _follow(values: Floats, codes: Mapping[str, Floats]) -> bool:
    """Whether values follow some parameter at all: those of networks that have not learned yet order nothing.

    The ranks are looked at, along the codes of numbers and between those of words, with Bonferroni's correction.
    """
    chances = [1.0]
    for own in codes.values():
        known = ~np.isnan(own) & ~np.isnan(values)
        count, of_own = int(known.sum()), own[known]
        if count < FEWEST or np.ptp(of_own) == 0:
            continue
        of_values = ranks(values[known])
        line = order_of(of_own, values[known])
        chances.append(2 * float(ndtr(-abs(line) * math.sqrt(count - 1))) if np.ptp(of_values) else 1.0)
        levels, place = np.unique(of_own, return_inverse=True)
        if len(levels) <= count / 2:
            sizes, sums = np.bincount(place), np.bincount(place, of_values)
            spread = 12 / (count * (count + 1)) * float((sums**2 / sizes).sum()) - 3 * (count + 1)
            chances.append(float(chdtrc(len(levels) - 1, max(spread, 0.0))))
    return min(chances) * len(chances) < CHANCE


def order_of(some: Floats, others: Floats) -> float:
    """Return the rank correlation of two values of some trials; 1 where values do not vary."""
    of_some, of_others = ranks(some), ranks(others)
    return float(np.corrcoef(of_some, of_others)[0, 1]) if np.ptp(of_some) and np.ptp(of_others) else 1.0


def ranks(values: Floats) -> Floats:
    """Return the rank of each value, from 1; equal values share their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place])


def is_complete(trial: FrozenTrial) -> bool:
    """Whether a trial has a final value that is finite."""
    return trial.state is TrialState.COMPLETE and bool(trial.values) and math.isfinite(trial.values[0])


def stopped_at(trial: FrozenTrial) -> int | None:
    """Return the last step at which a pruned trial had a finite value; None for others."""
    if trial.state is not TrialState.PRUNED:
        return None
    return max((step for step, value in trial.intermediate_values.items() if math.isfinite(value)), default=None)


def _at(trial: FrozenTrial, step: int) -> float:
    values = trial.intermediate_values
    if max(values, default=-1) < step:
        return math.nan
    value = values[max(at for at in values if at <= step)] if any(at <= step for at in values) else math.nan
    return value if math.isfinite(value) else math.nan
