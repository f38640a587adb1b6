"""What the ANOVA may not see: cliffs, interactions of three and more, values far off, curves that cross.

A random forest is the check. It has no formula, so where it forecasts of unseen trials what the ANOVA does not,
functions of two parameters are not the whole story. Both are judged on trials that they have not seen: the ANOVA by
leaving one out, the forest out of bag. A forest is blind to an interaction of three that shows in no two of them, so
steps along a number and products of three parameters are looked for in what the ANOVA leaves.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import Final

import numpy as np

from qpsearch.analysis.anova.features import Codes, Design
from qpsearch.analysis.anova.forecast import ranks
from qpsearch.analysis.anova.observations import Observations
from qpsearch.analysis.anova.parameters import Bools, Floats, Parameter
from qpsearch.analysis.anova.posterior import sample

TREES: Final = 100
LEAF: Final = 2  # trials in a leaf, at least
FEWEST: Final = 20  # trials for a check
MOST: Final = 500  # trials that are checked; of more, so many are drawn
MORE: Final = 0.2  # correlation of what the forest forecasts beyond the ANOVA with what the ANOVA leaves
CLEARLY: Final = 1.8  # its t value
MAD: Final = 1.4826  # standard deviations in a median absolute deviation of normal values, inverted
FAR: Final = 4.5  # standard deviations (by the median) beyond which a value is far off
ORDERED: Final = 0.5  # rank correlation of first and last values below which curves cross
FEWEST_CURVES: Final = 10
STEPS: Final = 15  # thresholds along a number
ALL_TRIPLES: Final = 16  # parameters of which all triples are looked at; of more, the first so many by total share
SHUFFLED: Final = 200  # orders of what is left, for what chance finds
BY_CHANCE: Final = 0.02  # share of them that find as much


def doubts_of(design: Design, seen: Observations, ranked: Sequence[str], seed: int) -> tuple[str, ...]:
    """Return what speaks against the shares, a sentence each.

    Args:
        design: The features of the trials.
        seen: The trials.
        ranked: The names of the parameters, the most important first.
        seed: Of the forest, and of what is drawn.
    """
    return (*_missed(design, seen, ranked, seed), *_crossing(seen))


def _missed(design: Design, seen: Observations, ranked: Sequence[str], seed: int) -> Iterator[str]:
    """Look at what is left of values that were not selected by stopping trials."""
    rng = np.random.default_rng(seed)
    used = ~np.isnan(seen.unselected)
    if used.sum() > MOST:
        used[rng.choice(np.flatnonzero(used), used.sum() - MOST, replace=False)] = False
    values = seen.unselected[used]
    if len(values) < FEWEST or values.std() == 0:
        return
    values = (values - values.mean()) / values.std()
    left, standard = _left_out(design, used, values, seed)
    more = float(np.corrcoef(_forest(design.parameters, seen, used, values, seed) - values + left, left)[0, 1])
    if more > MORE and more * np.sqrt((len(values) - 2) / (1 - more**2)) > CLEARLY:
        yield (
            f"A forest forecasts {more**2:.0%} of what the ANOVA leaves: there are cliffs, or interactions of three, "
            'which stand under "what no pair explains". Totals are too low.'
        )
    found = _left_over(design.parameters, {name: codes[used] for name, codes in seen.codes.items()}, ranked, left, rng)
    if found:
        yield f"What no pair explains holds {found}. Its share is not in the totals, which are too low."
    far = np.abs(standard) / (MAD * np.median(np.abs(standard - np.median(standard))) + 1e-12)
    if (far > FAR).any():
        worst = np.flatnonzero(used)[np.argsort(-far)[: min(3, int((far > FAR).sum()))]]
        yield (
            f"Values of {(far > FAR).sum()} trials lie far from what their choices say "
            f"(trial {', '.join(str(seen.numbers[index]) for index in worst)}): a few values decide the shares."
        )


def _left_over(
    parameters: Sequence[Parameter], codes: Codes, ranked: Sequence[str], left: Floats, rng: np.random.Generator
) -> str | None:
    """Look for what goes with what is left; name it, where chance does not find as much."""
    first = [each for each in parameters if each.name in ranked[:ALL_TRIPLES]]
    found = [*_steps(parameters, codes), *_triples(first, codes)]
    centred = [(name, column - column.mean()) for name, column in found]
    usable = [(name, column / np.sqrt(column @ column)) for name, column in centred if column @ column > 1e-9]
    if not usable:
        return None
    orders = np.column_stack([left, *(rng.permutation(left) for _ in range(SHUFFLED))])
    scores = np.abs(np.array([column for _, column in usable]) @ (orders - orders.mean(axis=0)))
    best = scores.max(axis=0)
    return usable[int(scores[:, 0].argmax())][0] if (best[1:] >= best[0]).mean() <= BY_CHANCE else None


def _steps(parameters: Sequence[Parameter], codes: Codes) -> Iterator[tuple[str, Floats]]:
    """Yield steps along each number."""
    for each in parameters:
        own = codes[each.name]
        known = own[~np.isnan(own)]
        if not each.is_category and len(known):
            for threshold in np.unique(np.quantile(known, np.arange(1, STEPS + 1) / (STEPS + 1))):
                yield f"a cliff along {each.name}", (own > threshold).astype(float)


def _triples(parameters: Sequence[Parameter], codes: Codes) -> Iterator[tuple[str, Floats]]:
    """Yield products of the first features of three parameters."""
    short = {each: each.features(codes[each.name])[:, slice(None if each.is_category else 1)].T for each in parameters}
    for triple in combinations(parameters, 3):
        name = f"an interaction of {', '.join(each.name for each in triple)}"
        for one, two, three in product(*(short[each] for each in triple)):
            yield name, one * two * three


def _left_out(design: Design, used: Bools, values: Floats, seed: int) -> tuple[Floats, Floats]:
    """Return the error of each trial when it is left out, as it is and by its standard deviation."""
    posterior = sample(design.of(used), values, seed=seed)
    rows, spread = posterior.design.matrix, (posterior.weights**2).mean(axis=0)
    covariance = (rows * spread) @ rows.T + posterior.noise.mean() * np.eye(len(values)) + 1.0
    precise = np.linalg.inv(covariance)
    scaled = precise @ values
    return scaled / np.diag(precise), scaled / np.sqrt(np.diag(precise))


def _forest(parameters: tuple[Parameter, ...], seen: Observations, used: Bools, values: Floats, seed: int) -> Floats:
    from sklearn.ensemble import RandomForestRegressor  # only where it is grown

    columns = np.column_stack([each.columns(seen.codes[each.name][used]) for each in parameters])
    forest = RandomForestRegressor(TREES, oob_score=True, min_samples_leaf=LEAF, random_state=seed)
    return np.asarray(forest.fit(columns, values).oob_prediction_)


def _crossing(seen: Observations) -> tuple[str, ...]:
    """Say where early values do not order the final ones, by which stopped trials are carried on."""
    complete = seen.complete & ~np.isnan(seen.unselected)
    if seen.complete.all() or complete.sum() < FEWEST_CURVES:
        return ()
    order = float(np.corrcoef(ranks(seen.unselected[complete]), ranks(seen.final[complete]))[0, 1])
    if not order < ORDERED:
        return ()
    return (
        f"Curves cross: among complete trials, values at step {seen.steps[0]} and final ones have a rank correlation "
        f"of {order:.2f}. What pruned trials would have reached is then a guess, and so are the shares.",
    )
