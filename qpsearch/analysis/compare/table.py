"""The table of a comparison: each arm, each pair, and what they mean in sentences."""

import math
import statistics
from collections import ChainMap, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Final

import numpy as np

from qpsearch.analysis.compare.arms import Arm, Arms, Point, arms_of
from qpsearch.analysis.compare.basis import Basis
from qpsearch.analysis.compare.comparison import TEST_ACCURACY, ArmRow, Comparison, PairRow
from qpsearch.analysis.compare.confounds import confounds
from qpsearch.analysis.compare.contrast import Contrast, Replicates, adjusted, are_same, contrast, mean_over_points
from qpsearch.analysis.compare.sentences import sentences
from qpsearch.architecture.cost import cost
from qpsearch.errors import ArtifactError, DataError
from qpsearch.space import Space
from qpsearch.study.queries import RunResult
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Direction, SplitName

Runs = Mapping[int, Sequence[RunResult]]
"""Runs by the number of their trial."""

TIMED: Final = "Scores are of the training: times are not measured on images."
FEW: Final = 3  # runs of a point below which the test's p values are too small
EFFECTS: Final = {"0.3": 0.003, "0.6": 0.006}  # true differences in points of accuracy, whose power is told
NO_POINT: Final = (
    "No point of the other parameters is one that all arms have, so each mean is over the arm's own points: the "
    "difference may be due to those."
)
EARLIER_LOOKS: Final = (
    "Test accuracies are compared, since some of the test images were read by an earlier version, which recorded those "
    "alone."
)


def compared(
    database: Database,
    study: str,
    *,
    by: Sequence[str] = (),
    trials: Sequence[int] = (),
    split: SplitName = SplitName.TEST,
    read: Callable[[str, Sequence[int]], None],
) -> Comparison:
    """Compare arms of a study; where test images cannot be read any more, on validation images.

    Args:
        database: The study database.
        study: The study.
        by: Parameters whose values are the arms; see ``arms_of``.
        trials: Numbers of trials whose configurations are the arms.
        split: On which images.
        read: Reads the test images of the runs of some trials of a study, and records it.

    Raises:
        StudyNotFound: There is no such study.
        UserError: The study cannot be compared so.
    """
    arms = arms_of(database, study, by=by, trials=trials)
    tuned = arms.space.compare if arms.basis is Basis.TUNED else None
    varied = () if tuned is None else tuple(tuned.arms.values())
    if arms.space.search.objective.metric.is_timed:
        split = SplitName.VALIDATION
    if split is SplitName.VALIDATION or arms.basis is Basis.SEARCHED:
        return compare(arms, SplitName.VALIDATION, varied=varied)
    try:
        read(arms.study, arms.numbers)
    except (ArtifactError, DataError) as error:
        why = f"The test images cannot be read: {str(error).rstrip('.')}. Scores are those of the training."
        return compare(replace(arms, notes=(*arms.notes, why)), SplitName.VALIDATION, varied=varied)
    arms = arms_of(database, study, by=by, trials=trials)
    runs = arms.runs
    if any(run.accuracy is None for number in arms.numbers for run in runs[number]):
        why = "Some trials were imported without weights, so scores are those that they came with."
        return compare(replace(arms, notes=(*arms.notes, why)), SplitName.VALIDATION, varied=varied)
    return compare(arms, split, varied=varied)


def compare(arms: Arms, split: SplitName, *, varied: Sequence[Space] = ()) -> Comparison:
    """Compare arms.

    Args:
        arms: The arms; for the test split, every run of their complete trials must have been evaluated.
        split: On which images; of what is timed, whatever is asked for, the scores of the training are compared.
        varied: The spaces that were searched for each arm.
    """
    objective, runs = arms.space.search.objective, arms.runs
    if objective.metric.is_timed:
        arms, split = replace(arms, notes=(*arms.notes, TIMED)), SplitName.VALIDATION
    is_test = split is SplitName.TEST
    tested = [run for number in arms.numbers for run in runs[number]] if is_test else []
    own = objective.metric.on_test  # without it, or in looks of an earlier version, accuracies are compared
    is_known = all(own in run.metrics for run in tested)
    if own and tested and not is_known:
        arms = replace(arms, notes=(*arms.notes, EARLIER_LOOKS))
    own = own if tested and is_known else ""
    score = _score_of(split, own)
    scored = {arm.name: _scored(arm, arms.basis, runs, score) for arm in arms.arms}
    points = [_points(arm, scored[arm.name]) for arm in arms.arms]
    shared = set() if arms.basis is Basis.TUNED else _shared(points)  # tuned arms do not share any
    cells = {arm.name: _cells(arm, arms.basis, scored[arm.name], shared, score) for arm in arms.arms}
    searches = arms.space.compare.count if arms.basis is Basis.TUNED and arms.space.compare else 0
    within = replace(arms, arms=tuple(_within(arm, shared, scored[arm.name]) for arm in arms.arms))
    rows = tuple(
        _row(arm, own, cells[arm.name], _unscored(arm, runs, score), searches)
        for arm, own in zip(arms.arms, within.arms, strict=True)
    )
    known = [cell for each in cells.values() for cell in each]
    images = {run.images for run in tested if run.images}
    found = Comparison(
        study=arms.study,
        basis=arms.basis,
        split=split,
        metric=own or (TEST_ACCURACY if is_test else objective.metric.value),
        direction=Direction.MAXIMIZE if is_test and not own else objective.direction,
        images=next(iter(images)) if len(images) == 1 else None,
        has_images=bool(known) and all(cell.right is not None for cell in known),
        searches=searches,
        arms=rows,
        pairs=(),
        settings=arms.settings,
    )
    pairs = _pairs(found, cells)
    apart = confounds(within, varied)
    whole = _replaced(found, pairs)
    left_out = len(set.union(set(), *points) - shared) if shared else 0
    notes = (*arms.notes, NO_POINT) if _no_point(arms, points, shared) else arms.notes
    is_blind = arms.space.search.sampler.is_blind
    has_few = any(1 < sum(len(cell.scores) for cell in own) / len(own) < FEW for own in cells.values() if own)
    said = sentences(whole, apart, left_out, notes, has_few=has_few, is_blind=is_blind)
    return _replaced(whole, pairs, tuple(said))


def _replaced(found: Comparison, pairs: Sequence[PairRow], said: tuple[str, ...] = ()) -> Comparison:
    return replace(found, pairs=tuple(pairs), sentences=said)


def _scored(arm: Arm, basis: Basis, runs: Runs, score: str) -> Runs:
    """Return the runs of an arm with a finite score; one configuration trained twice on one seed is one run.

    In a grid that is so within a point: points whose settings mean the same each have these runs (``_cells``).
    """
    found: dict[int, list[RunResult]] = {}
    for trials in arm.points.values() if basis is Basis.CONFIGURATIONS else [arm.trials]:
        known: set[tuple[str, int]] = set()
        for trial in (each for each in trials if each.state == "COMPLETE"):
            new = [run for run in runs.get(trial.number, []) if (trial.config_json, run.seed) not in known]
            known.update((trial.config_json, run.seed) for run in new)
            found[trial.number] = [run for run in new if _is_finite(_value(run, score))]
    return found


def _unscored(arm: Arm, runs: Runs, score: str) -> int:
    """Return how many runs of an arm's complete trials do not have a finite score."""
    return sum(not _is_finite(_value(run, score)) for trial in arm.complete for run in runs.get(trial.number, []))


def _points(arm: Arm, scored: Runs) -> set[Point]:
    """Return the points of an arm that have a score."""
    return {point for point, trials in arm.points.items() if any(scored.get(trial.number) for trial in trials)}


def _shared(points: Sequence[set[Point]]) -> set[Point]:
    """Return the points that every arm with a score has."""
    own = [each for each in points if each]
    return set.intersection(*own) if own else set()


def _within(arm: Arm, shared: set[Point], scored: Runs) -> Arm:
    """Return an arm with those trials alone that its mean is over: with a score, and at the shared points."""
    points = {
        point: tuple(trial for trial in trials if scored.get(trial.number))
        for point, trials in arm.points.items()
        if not shared or point in shared
    }
    return replace(arm, points=points, trials=tuple(trial for own in points.values() for trial in own))


def _no_point(arms: Arms, points: Sequence[set[Point]], shared: set[Point]) -> bool:
    """Whether the means of configurations are over points of which no arm has those of all others."""
    return arms.basis is Basis.CONFIGURATIONS and not shared and sum(map(bool, points)) > 1


def _cells(arm: Arm, basis: Basis, runs: Runs, shared: set[Point], score: str) -> list[Replicates]:
    """Return the runs of an arm that differ by chance alone, by point; points that mean the same share theirs."""
    points = [trials for point, trials in arm.points.items() if not shared or point in shared]
    of_points = [[runs[trial.number] for trial in trials if trial.number in runs] for trials in points]
    if basis is Basis.CONFIGURATIONS:
        merged: dict[frozenset[str], list[dict[tuple[str, int], RunResult]]] = defaultdict(list)
        for trials in points:
            own = {(trial.config_json, run.seed): run for trial in trials for run in runs.get(trial.number, [])}
            merged[frozenset(config for config, _ in own)].append(own)
        merged.pop(frozenset(), None)
        return [
            replace(
                _cell([[run] for run in own.values()], score),
                points=len(same),
                runs=frozenset(own),
                seeds=tuple(seed for _, seed in own),
            )
            for same in merged.values()
            for own in [{**ChainMap(*same)}]
        ]
    units = (
        [[run for own in trials for run in own] for trials in of_points]
        if basis is Basis.TUNED
        else [own for trials in of_points for own in trials]
    )
    units = [unit for unit in units if unit]
    known = {(trial.config_json, run.seed) for own in points for trial in own for run in runs.get(trial.number, [])}
    return [replace(_cell(units, score), runs=frozenset(known))] if units else []


def _score_of(split: SplitName, own: str) -> str:
    """Return what of a run is compared: a field of ``RunResult``, or the name of a metric on the test images."""
    return own or ("score" if split is SplitName.VALIDATION else "accuracy")


def _cell(units: Sequence[Sequence[RunResult]], score: str) -> Replicates:
    """Return a cell of which each unit is the mean of some runs."""
    scores = np.array([np.mean([_value(run, score) for run in unit]) for unit in units], float)
    if score != "accuracy" or any(run.correct is None for unit in units for run in unit):
        return Replicates(scores)
    return Replicates(scores, np.stack([np.mean([_bits(run) for run in unit], 0, dtype=np.float32) for unit in units]))


def _value(run: RunResult, score: str) -> Any:
    return getattr(run, score) if score in ("score", "accuracy") else run.metrics.get(score)


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _bits(run: RunResult) -> Any:
    assert run.correct is not None
    return np.unpackbits(np.frombuffer(run.correct, np.uint8), count=run.images)


def _row(arm: Arm, within: Arm, cells: Sequence[Replicates], unscored: int, searches: int) -> ArmRow:
    """Return an arm's row; sizes and the time of an epoch are those ``within`` the trials that are compared."""
    n = sum(len(cell.scores) for cell in cells)
    costs = [cost(config.network) for config in within.configs]
    variances = [cell.variance for cell in cells if len(cell.scores) > 1]
    return ArmRow(
        name=arm.name,
        mean=mean_over_points(cells) if cells else None,
        sd=statistics.fmean(variances) ** 0.5 if variances else None,
        n=n,
        points=sum(cell.points for cell in cells),
        cost_s=arm.cost_s,
        parameters=statistics.fmean(each.parameters for each in costs) if costs else None,
        macs=statistics.fmean(each.macs for each in costs) if costs else None,
        epoch_s=within.epoch_s,
        diverged=arm.diverged,
        failed=sum(trial.state == "FAIL" for trial in arm.trials),
        pruned=sum(trial.state == "PRUNED" for trial in arm.trials),
        open=sum(trial.state == "RUNNING" for trial in arm.trials),
        unscored=unscored,
        tuned=sum(trial.state != "RUNNING" for trial in arm.tuning),
        barren=searches - n if searches > 1 else 0,
    )


def _pairs(found: Comparison, cells: dict[str, list[Replicates]]) -> list[PairRow]:
    """Return the pairs of arms with a score; p values are adjusted over all pairs that have one."""
    rows = []
    for one, two in combinations([row for row in found.arms if row.mean is not None], 2):
        assert one.mean is not None
        assert two.mean is not None
        sides = cells[one.name], cells[two.name]
        test = contrast(*sides) if found.has_test else None
        shared: dict[str, Any] = {"a": one.name, "b": two.name, "difference": two.mean - one.mean}
        shared["is_same"] = found.basis is not Basis.SEARCHED and are_same(*sides)
        rows.append((shared, test, _size(one, two)))
    tests = [test for _, test, _ in rows if test is not None]
    after = iter(adjusted(tests))
    return [
        PairRow(**shared)
        if test is None
        else PairRow(**shared, **_told(test, found, len(tests)), p_adjusted=next(after), effect_size=size)
        for shared, test, size in rows
    ]


def _size(one: ArmRow, two: ArmRow) -> float | None:
    """Return the difference of two arms in standard deviations between runs, the root of the mean variance."""
    if one.sd is None or two.sd is None or one.mean is None or two.mean is None:
        return None
    spread = ((one.sd**2 + two.sd**2) / 2) ** 0.5
    return (two.mean - one.mean) / spread if spread else None


def _told(test: Contrast, found: Comparison, pairs: int) -> dict[str, Any]:
    low, high = test.interval
    told: dict[str, Any] = {"low": low, "high": high, "p": test.p}
    if found.is_accuracy:
        told["power"] = {points: test.power(effect, pairs=pairs) for points, effect in EFFECTS.items()}
        told["runs_needed"] = {points: test.runs_needed(effect, pairs) for points, effect in EFFECTS.items()}
    return told
