"""What a comparison means, in sentences for a reader who does not know the method."""

from collections.abc import Iterator, Sequence
from typing import Final

from qpsearch.analysis.compare.basis import Basis
from qpsearch.analysis.compare.comparison import ArmRow, Comparison, PairRow
from qpsearch.analysis.compare.contrast import LEVEL
from qpsearch.errors import command, counted
from qpsearch.vocabulary import Direction, SplitName

NOT_COMPLETE: Final = "none of its trials is complete"
POINT: Final = 0.01  # of accuracy
EACH: Final = 3  # pairs that get a sentence each, whether told apart or not


def sentences(
    found: Comparison,
    apart: Sequence[str],
    left_out: int,
    notes: Sequence[str],
    *,
    has_few: bool = False,
    is_blind: bool = False,
) -> Iterator[str]:
    """Yield what a reader must know, the answer first.

    Args:
        found: The comparison, without sentences.
        apart: In which other settings the arms differ, a line each.
        left_out: How many points of single arms are not in the means.
        notes: What is to be said about how the arms were made.
        has_few: Whether p values are too small, since points of an arm have two runs each.
        is_blind: Whether the study's sampler does not look at results.
    """
    if found.basis is Basis.SEARCHED:
        yield from _of_a_search(found, is_blind)
    elif not found.has_test:
        yield from _of_single_searches(found)
    elif sum(row.mean is not None for row in found.arms) > 1:
        yield from _of_pairs(found)
        yield from _power(found)
        if not found.pairs or not all(pair.is_same for pair in found.pairs):
            yield from _basis(found, has_few=has_few)
    yield from _gaps(found)
    if len(found.settings) > 1:
        yield f"The trials differ in {len(found.settings)} searched settings: the difference may be due to any of them."
    yield from (f"The arms also differ in {line}. The difference may be due to that." for line in apart)
    if left_out:
        yield f"Means are over the points that all arms have; other points, which are left out: {left_out}."
    yield from notes


def better(found: Comparison, pair: PairRow) -> tuple[str, str]:
    """Return the arm of a pair with the better mean, and the other one."""
    is_b = (pair.difference > 0) == (found.direction is Direction.MAXIMIZE)
    return (pair.b, pair.a) if is_b else (pair.a, pair.b)


def difference(found: Comparison, value: float, *, signed: bool = False) -> str:
    """Return a difference in its unit: points of accuracy, or the metric's own."""
    if found.is_accuracy:
        return f"{value / POINT:{'+' if signed else ''}.2f}"
    return f"{value:{'+' if signed else ''}.4g}"


def p_value(p: float) -> str:
    """Return ``p = 0.031``, or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _of_pairs(found: Comparison) -> Iterator[str]:
    """Yield a sentence for each pair; of many pairs, those that are not told apart are named together."""
    if len(found.pairs) <= EACH:
        yield from (of_a_pair(found, pair) for pair in found.pairs)
        return
    open_ = [pair for pair in found.pairs if pair.p_adjusted is not None and pair.p_adjusted >= LEVEL]
    yield from (of_a_pair(found, pair) for pair in found.pairs if pair not in open_)
    if open_:
        lowest = min(pair.p_adjusted for pair in open_ if pair.p_adjusted is not None)
        which = "any pair" if len(open_) == len(found.pairs) else f"the other {len(open_)} pairs"
        yield f"No difference is shown between {which} (after Holm's correction, the smallest p is {lowest:.3f})."


def of_a_pair(found: Comparison, pair: PairRow) -> str:
    """Say whether two arms are shown to differ, by how much, and how sure that is."""
    if pair.is_same:
        return f"{pair.a} and {pair.b} are the same configurations on the same seeds: there is nothing to compare."
    if pair.p is None or pair.p_adjusted is None or pair.low is None or pair.high is None:
        runs = {row.name: row for row in found.arms}
        known = [runs[name].sd for name in (pair.a, pair.b) if name in runs]
        unit, units = ("search", "searches") if found.basis is Basis.TUNED else ("run", "runs")
        why = "their runs all have the same score" if known and not any(known) and None not in known else ""
        return (
            f"{pair.a} and {pair.b} cannot be told apart or called alike: "
            f"{why or f'one of them has a single {unit} with a score'}, so nothing tells how {units} vary."
        )
    winner, loser = better(found, pair)
    unit = f" points of {_metric(found)}" if found.is_accuracy else f" in {found.metric}"
    ends = sorted((abs(pair.low), abs(pair.high))) if pair.low * pair.high > 0 else None
    tested = sum(each.p is not None for each in found.pairs)
    adjusted = f", {p_value(pair.p_adjusted)} after Holm's correction for {tested} pairs"
    ps = f"{p_value(pair.p)}{adjusted if tested > 1 else ''}"
    size = difference(found, abs(pair.difference))
    if pair.p_adjusted < LEVEL and ends:
        interval = " to ".join(difference(found, end) for end in ends)
        return f"{winner} is better than {loser} by {size}{unit} (95% interval {interval}; {ps})."
    bounds = " to ".join(difference(found, end, signed=True) for end in (pair.low, pair.high))
    return (
        f"No difference between {pair.a} and {pair.b} is shown: {pair.b} minus {pair.a} is "
        f"{difference(found, pair.difference, signed=True)}{unit} (95% interval {bounds}; {ps})."
    )


def _power(found: Comparison) -> Iterator[str]:
    """Say with which chance true differences would have been found between arms that are not told apart."""
    powers = [
        pair.power
        for pair in found.pairs
        if pair.power is not None and pair.p_adjusted is not None and pair.p_adjusted >= LEVEL
    ]
    if powers:
        chances = {size: sorted({f"{100 * each[size]:.0f}" for each in powers}, key=int) for size in powers[0]}
        told = [f"of {size} points in {_range(each)}" for size, each in chances.items()]
        yield f"Of 100 such comparisons, a true difference would be found: {', '.join(told)}."


def _range(counts: Sequence[str]) -> str:
    return counts[0] if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _metric(found: Comparison) -> str:
    return "test accuracy" if found.split is SplitName.TEST else "validation accuracy"


def _images(found: Comparison) -> str:
    """Return which images gave the scores."""
    return "training" if found.metric == "train_loss" else str(found.split)


def _basis(found: Comparison, *, has_few: bool) -> Iterator[str]:
    """Say what the test takes into account, and what it does not."""
    has_points = any(row.points > 1 for row in found.arms)
    runs = f"seeds{', each the mean over its points' * has_points}"
    if found.basis is Basis.TUNED:
        runs = "searches, each the mean over its best configurations"
        yield _how_tuned(found)
    if found.has_images:
        images = f"{found.images:,} {found.split} images"
        yield f"Welch's t test over {runs}, with the chance in the choice of {images} added."
    elif found.is_timed:
        yield f"Welch's t test over {runs}. It holds for the machines that trained them."
    elif found.metric.startswith("test_") and not found.is_accuracy:
        yield f"Welch's t test over {runs}. It holds for these test images; on others the difference may be another."
    else:
        yield (
            f"Welch's t test over {runs}. Which single images were told right is not known, so it holds for these "
            f"{_images(found)} images; on others the difference may be another."
        )
    if has_few:
        few, more = ("runs", " Train three or more.") if found.basis is not Basis.TUNED else ("searches", "")
        if found.searches == 2:
            more = " Search three times or more."
        why = (
            "p values may be too small (up to 9% false alarms)"
            if found.has_images
            else "only large differences can be found"
        )
        yield f"Two {few} of an arm are few: {why}.{more}"
    if found.split is SplitName.VALIDATION and found.basis is Basis.TUNED and not found.is_timed:
        yield f"{_images(found).capitalize()} images took part in the tuning, so means are optimistic."


def _how_tuned(found: Comparison) -> str:
    """Say how the arms were searched, and what was trained again."""
    tuned = {row.tuned for row in found.arms}
    times = "" if found.searches == 1 else f" in {found.searches} searches"
    if len(tuned) == 1:
        how = (
            f"Each arm was tuned alike{times} ({counted(next(iter(tuned)), 'trial')}{' in all' * (found.searches > 1)})"
        )
    else:
        counts = ", ".join(f"{row.name} {row.tuned}" for row in found.arms)
        how = f"The arms were tuned{times} in different numbers of trials ({counts}), and more trials find better ones"
    each = "arm" if found.searches == 1 else "search"
    return f"{how}; the best configurations of each {each} were trained again on fresh seeds."


def _of_single_searches(found: Comparison) -> Iterator[str]:
    """Say what one search of each arm can tell."""
    yield (
        "No p value is given: each arm was searched once. Another search would have found other configurations, and "
        "nothing tells by how much better or worse."
    )
    yield "To learn whether the arms differ, search each of them three times or more: compare: {tune: {searches: 3}}."
    yield _how_tuned(found)
    if found.split is SplitName.VALIDATION and not found.is_timed:
        yield f"{_images(found).capitalize()} images took part in the tuning, so means are optimistic."


def _of_a_search(found: Comparison, is_blind: bool) -> Iterator[str]:
    adapts = ", and a sampler that adapts pairs each arm with the settings that it expects to suit"
    yield (
        f"No p value is given: trials of the search {found.study} differ in more than what is compared"
        f"{'' if is_blind else adapts}."
    )
    yield f"Estimates from all its trials: {command('effects', found.study)}."
    yield (
        "For a fair comparison, give a space file arms that are tuned alike (compare: {arms: ...}), or run a grid with "
        "replicates."
    )


def _gaps(found: Comparison) -> Iterator[str]:
    """Say which arms have no score, or do not have it of all their trials."""
    for row in found.arms:
        why = _missing(found, row)
        if row.mean is None:
            none = "no trial of its search is complete" if row.tuned and not row.failed else NOT_COMPLETE
            yield f"{row.name} is not compared: {why or none}."
        elif why:
            left = "it" if row.failed + row.pruned + row.open + row.unscored + row.barren == 1 else "them"
            yield f"{row.name}: {why}; its mean leaves {left} out."


def _missing(found: Comparison, row: ArmRow) -> str:
    parts = [
        (row.barren, f"of its {found.searches} searches {'has' if row.barren == 1 else 'have'} nothing to compare"),
        (row.failed, "of its trials failed"),
        (row.pruned, "was pruned" if row.pruned == 1 else "were pruned"),
        (row.open, "has not ended" if row.open == 1 else "have not ended"),
        (row.unscored, f"of its runs {'has' if row.unscored == 1 else 'have'} no finite {found.metric}"),
    ]
    return " and ".join(f"{count} {what}" for count, what in parts if count)
