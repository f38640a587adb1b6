"""What the ANOVA may not see: cliffs, interactions of three and more, values far off, curves that cross.

A random forest is the check. It has no formula, so where it forecasts of unseen trials what the ANOVA does not,
functions of two parameters are not the whole story. Both are judged on trials that they have not seen: the ANOVA by
leaving one out, the forest out of bag. A forest is blind to an interaction of three that shows in no two of them, so
cliffs and products of three parameters are also looked for one by one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from qpsearch.analysis.anova.departures import Departures, Left, departures_in
from qpsearch.analysis.anova.features import Codes, Design
from qpsearch.analysis.anova.observations import FEWEST_CURVES, ORDERED, Observations, order_of, spread_of
from qpsearch.analysis.anova.parameters import Floats
from qpsearch.dispatch.meanwhile import Later

TREES: Final = 100
LEAF: Final = 2  # trials in a leaf, at least
FEWEST: Final = 20  # trials for a check
MOST: Final = 500  # trials that are checked; of more, so many are drawn
MORE: Final = 0.2  # correlation of what the forest forecasts beyond the ANOVA with what the ANOVA leaves
CLEARLY: Final = 1.8  # its t value
MAD: Final = 1.4826  # standard deviations in a median absolute deviation of normal values, inverted
FAR: Final = 4.5  # standard deviations (by the median) beyond which a value is far off
SURPRISING: Final = 2.0  # standard deviations under the ANOVA that it must be off, too: most values may be equal
OPEN: Final = 0.01  # share of the variance; where the ANOVA leaves less, nothing is missing
MATTERS: Final = 0.05  # total share of a parameter in which a departure matters
LEADING, FEWEST_LEADING = 4, 3  # parameters in which departures matter, at most and at least


class AnovaCheck:
    """The check of an ANOVA, which begins before the ANOVA is fitted.

    Args:
        design: The features of the trials.
        seen: The trials.
        seed: Of the forest, and of what is drawn.
    """

    def __init__(self, design: Design, seen: Observations, seed: int) -> None:
        self._design, self._seen, self._rng = design, seen, np.random.default_rng(seed)
        group = seen.unselected[0]
        used = ~np.isnan(group)
        if used.sum() > MOST:
            used[self._rng.choice(np.flatnonzero(used), used.sum() - MOST, replace=False)] = False
        values, self._used = group[used], used
        self._forecasts: Later[_Forecasts] | None = None
        spread = spread_of(values)
        if len(values) >= FEWEST and spread > 0:
            values = (values - values.mean()) / spread
            columns = np.column_stack([each.columns(seen.codes[each.name][used]) for each in design.parameters])
            self._forecasts = Later(_forecasts, design.of(used), columns, values, seed)

    def doubts(self, even: Codes, totals: Mapping[str, float]) -> tuple[str, ...]:
        """Return what speaks against the shares, a sentence each. To be asked once.

        Args:
            even: Codes of even draws of the space.
            totals: The total share of each parameter.
        """
        return (*self._missed(even, totals), *_crossing(self._seen))

    def _missed(self, even: Codes, totals: Mapping[str, float]) -> Iterator[str]:
        """Look at what the ANOVA leaves."""
        if self._forecasts is None:
            return
        ranked = sorted(self._design.parameters, key=lambda each: -totals[each.name])
        codes = {name: own[self._used] for name, own in self._seen.codes.items()}
        kinds = departures_in(ranked, codes, even)  # ahead of the forecasts, which may not be there yet
        forecasts = self._forecasts.result()
        left = forecasts.left
        more = float(np.corrcoef(forecasts.beyond, left.without)[0, 1])
        is_clear = more > MORE and more**2 * (len(left.without) - 2) > CLEARLY**2 * (1 - more**2)
        if is_clear and left.without.var() > OPEN:
            yield (
                f"A forest forecasts {more**2:.0%} of what the ANOVA leaves: there are cliffs, or interactions of "
                'three, which stand under "what no pair explains". Totals are too low.'
            )
        departures = Departures(kinds, even, left, self._rng)
        if found := departures.found():
            yield f"What no pair explains holds {found}. Its share is not in the totals, which are too low."
        leading = [each for each in ranked[:LEADING] if totals[each.name] > MATTERS]
        enough = leading if len(leading) >= FEWEST_LEADING else ranked[:FEWEST_LEADING]
        if crowded := departures.crowded(enough):
            much = f"one with {crowded.share:.0%} of the variance" if crowded.share < 1 else "even the largest one"
            yield (
                f"Trials lie too close together to look for {crowded.name}: {much} could go unseen. As many random "
                f"trials would show one with {crowded.even:.0%}."
            )
        yield from _far_off(left, [self._seen.numbers[index] for index in np.flatnonzero(self._used)])


@dataclass(frozen=True, kw_only=True)
class _Forecasts:
    """What is said of trials by those that have not seen them.

    Attributes:
        left: What the ANOVA leaves, leaving one out.
        beyond: What the forest forecasts beyond the ANOVA, out of bag, (trials,).
    """

    left: Left
    beyond: Floats


def _forecasts(design: Design, columns: Floats, values: Floats, seed: int) -> _Forecasts:
    """Fit both to the trials of the design, with columns of their parameters (trials, columns)."""
    from sklearn.ensemble import RandomForestRegressor  # takes longer to load than to grow a forest

    with threadpool_limits(limits=1, user_api="blas"):
        left = Left(design, values, seed)
        forest = RandomForestRegressor(TREES, oob_score=True, min_samples_leaf=LEAF, random_state=seed)
        return _Forecasts(left=left, beyond=forest.fit(columns, values).oob_prediction_ - values + left.without)


def _far_off(left: Left, numbers: Sequence[int]) -> Iterator[str]:
    """Name the trials whose values lie far from what their choices say."""
    off = np.abs(left.standard)
    typical = MAD * np.median(np.abs(left.standard - np.median(left.standard)))
    far = np.flatnonzero((off > FAR * typical) & (off > SURPRISING))
    if len(far):
        worst = ", ".join(str(numbers[index]) for index in far[np.argsort(-off[far])][:3])
        these = "The value of 1 trial lies" if len(far) == 1 else f"Values of {len(far)} trials lie"
        yield f"{these} far from what the choices say (trial {worst}): a few values decide the shares."


def _crossing(seen: Observations) -> tuple[str, ...]:
    """Say where early values do not order the final ones, by which stopped trials are carried on."""
    complete = seen.complete & ~np.isnan(seen.first)
    if seen.complete.all() or complete.sum() < FEWEST_CURVES:
        return ()
    order = order_of(seen.first[complete], seen.final[complete])
    if not order < ORDERED:
        return ()
    return (
        f"Curves cross: among complete trials, values at step {seen.steps[0]} and final ones have a rank correlation "
        f"of {order:.2f}. What pruned trials would have reached is then a guess, and so are the shares.",
    )
