"""Evaluating a study's networks: which of them, at which levels of noise, and what they gave on the test images."""

import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from qpsearch.errors import UserError, command
from qpsearch.runner.evaluate_documents import Accuracies, NotTested, OnTest, TestedConfiguration
from qpsearch.runner.looks import Log, evaluated
from qpsearch.runner.machine import prepare_kept
from qpsearch.space.space import Space
from qpsearch.study import queries
from qpsearch.study.queries import KeptRun
from qpsearch.study.records import ConfigurationRecord, TrialRecord
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.evaluations import Evaluated


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEvaluation:
    """What networks gave in one look at the test images.

    Attributes:
        study: The study.
        dataset: Its data set.
        target: The accuracy to which epochs were counted; None for none.
        looks_before: When the test images were looked at before, in Unix seconds.
        problem: Why this look could not be recorded; None where it was.
        trials: What was tested: each configuration with its ``accuracies`` at each level of noise, clean images first,
            as ``mean``, ``sd`` and ``runs``.
        not_tested: Of a grid, the points that do not have a network to test, and why.
        not_trained: Of a grid, how many points have not been trained yet.
        best: The configuration that was tested because it is the best, as the search knows it; None without.
        passed_over: The first trial of a better one, which was imported without weights; None where there is none.
    """

    study: str
    dataset: str
    target: float | None
    looks_before: Sequence[float]
    problem: str | None
    trials: tuple[TestedConfiguration, ...]
    not_tested: tuple[NotTested, ...]
    not_trained: int
    best: ConfigurationRecord | None
    passed_over: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _TestedRun:
    """A run, and what it gave at each level of noise."""

    run: KeptRun
    found: tuple[Evaluated, ...]


def evaluate(
    storage: str,
    study: str,
    *,
    trials: Sequence[int] = (),
    noise: Sequence[str] = (),
    target: float | None = None,
    watch: Callable[[Sequence[list[int]]], Iterable[list[int]]] = iter,
) -> StudyEvaluation:
    """Evaluate a study's networks on the test images, and record this look at them.

    Args:
        storage: URL of the study database.
        study: The study.
        trials: Complete trials; none for those of the best configuration trained here, or for every point of a grid.
        noise: Levels of Poisson noise beside clean images, such as ``poisson:0.05``: a pixel's variance is the level
            times its brightness.
        target: Count the epochs to this accuracy on validation images.
        watch: Passes on the configurations, one after the other, and may show how far that has come.

    Raises:
        UserError: There is no such study, trial or noise; or epochs are to be counted where no images validate.
        ArtifactError: Weights are missing or damaged.
        DataError: The data set is missing or damaged.
    """
    levels = noise_levels(noise)
    with closing(Database.open(storage)) as database:
        space = queries.space_of(database, study)
        if target is not None and space.data.validation == 0:
            raise UserError(f"target: study {study!r} holds out no validation images, on which epochs are counted.")
        every = queries.trial_records(database, study)
        records = {record.number: record for record in every if record.state == "COMPLETE" and record.epochs > 0}
        best = None if trials or space.search.is_grid else _best(database, study, trained=True)
        first = None if best is None else _best(database, study, trained=False)
        is_whole_grid = space.search.is_grid and not trials
        configurations = _configurations(trials, space, records, best)
        _check(study, configurations, records)
        folder = prepare_kept(space.data)
        kept = queries.kept_runs(database, study, [number for numbers in configurations for number in numbers])
        looks, tested = queries.looks(database, study), []
    with closing(Log(storage, study)) as log:
        for numbers in watch(configurations):
            runs = []
            for number, own in _distinct(kept, numbers):
                found = [_tested(run, records[number], folder, levels, space.search.extra) for run in own]
                log.write(number, [each for run in found for each in run.found])
                runs += found
            value = records[numbers[0]].value if best is None else best.value
            tested.append(_configuration(numbers, records[numbers[0]], value, runs, levels, target))
    return StudyEvaluation(
        study=study,
        dataset=space.data.dataset,
        target=target,
        looks_before=looks,
        problem=log.problem,
        trials=tuple(tested),
        not_tested=tuple(_not_tested(each) for each in every if is_whole_grid and each.number not in records),
        not_trained=max(space.search.budget.trials - len(every), 0) if is_whole_grid else 0,
        best=best,
        passed_over=first.number if best and first and first.number not in best.trials else None,
    )


def noise_levels(words: Sequence[str]) -> list[float]:
    """Return the levels of noise that are asked for, once each, after 0 for clean images.

    Raises:
        UserError: One is not ``poisson:LEVEL`` with a level from 1e-9 to 100.
    """
    return list(dict.fromkeys([0.0, *map(_level, words)]))


def _best(database: Database, study: str, *, trained: bool) -> ConfigurationRecord | None:
    return next(iter(queries.best_configurations(database, study, trained=trained)), None)


def _level(text: str) -> float:
    match = re.fullmatch(r"poisson:(\d*\.?\d+(?:[eE][-+]?\d+)?)", text)
    if match is None or not 1e-9 <= float(match[1]) <= 100:
        raise UserError(
            f"noise: cannot parse noise {text!r}. Expected poisson:LEVEL with a level from 1e-9 to 100, such as "
            "poisson:0.05."
        )
    return float(match[1])


def _configurations(
    trials: Sequence[int], space: Space, records: dict[int, TrialRecord], best: ConfigurationRecord | None
) -> list[list[int]]:
    """Return the trials of each configuration to be tested."""
    if trials:
        return [[number] for number in dict.fromkeys(trials)]
    if space.search.is_grid:
        return [[number] for number in _points(records.values(), space)]
    return [[number for number in best.trials if number in records]] if best else []


def _points(records: Iterable[TrialRecord], space: Space) -> list[int]:
    """Return the numbers of a grid's trials, in the order of the space."""
    domains = {site.parameter: list(site.domain.values or ()) for site in space.sites if site.domain is not None}

    def place(record: TrialRecord) -> list[int]:
        return [values.index(record.params[name]) if name in record.params else -1 for name, values in domains.items()]

    return [record.number for record in sorted(records, key=place)]


def _check(study: str, configurations: Sequence[list[int]], records: dict[int, TrialRecord]) -> None:
    for number in (number for numbers in configurations for number in numbers):
        if number not in records:
            raise UserError(
                f"study {study!r} does not have a complete trial {number} that was trained here. "
                f"List its trials: {command('trials', study)}."
            )
    if not configurations:
        raise UserError(
            f"study {study!r} does not have a complete trial that was trained here. "
            f"Show its progress: {command('status', study)}."
        )


def _distinct(kept: Sequence[KeptRun], numbers: list[int]) -> Iterable[tuple[int, list[KeptRun]]]:
    """Return the runs of each trial, but those on a seed of an earlier one, which gave the same networks."""
    known = set[int]()
    for number in numbers:
        own = [run for run in kept if run.trial == number and run.seed not in known]
        known.update(run.seed for run in own)
        if own:
            yield number, own


def _tested(
    run: KeptRun, record: TrialRecord, folder: Path | None, levels: Sequence[float], metrics: Sequence[str]
) -> _TestedRun:
    return _TestedRun(run=run, found=evaluated(run, record.config, folder, levels, metrics))


def _configuration(
    numbers: list[int],
    first: TrialRecord,
    value: float | None,
    runs: Sequence[_TestedRun],
    levels: Sequence[float],
    target: float | None,
) -> TestedConfiguration:
    metrics = dict.fromkeys(name for run in runs for each in run.found for name in each.metrics)
    at = {level: [each for run in runs for each in run.found if each.noise == level] for level in levels}
    return TestedConfiguration(
        trial=first.number,
        trials=tuple(numbers),
        blocks=" ".join(first.stages),
        params=dict(first.params),
        value=value,
        seeds=tuple(run.run.seed for run in runs),
        accuracies=tuple(_accuracies(level, found) for level, found in at.items()),
        epochs_to_target=tuple(None if target is None else _epochs_to(target, run.run.accuracies) for run in runs),
        metrics=tuple(
            _on_test(name, level, [each.metrics.get(name) for each in found])
            for name in metrics
            for level, found in at.items()
        ),
    )


def _accuracies(level: float, found: Sequence[Evaluated]) -> Accuracies:
    runs = [each.accuracy for each in found]
    return Accuracies(
        noise=_named(level),
        mean=statistics.mean(runs),
        sd=_sd(runs),
        runs=tuple(runs),
        nonfinite=tuple(each.nonfinite for each in found),
    )


def _on_test(metric: str, level: float, runs: Sequence[float | None]) -> OnTest:
    known = [value for value in runs if value is not None]
    whole = known if len(known) == len(runs) else []
    return OnTest(
        metric=metric,
        noise=_named(level),
        mean=statistics.mean(whole) if whole else None,
        sd=_sd(whole),
        runs=tuple(runs),
    )


def _named(level: float) -> str | None:
    return f"poisson:{level:g}" if level else None


def _sd(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _epochs_to(target: float, accuracies: Sequence[float | None]) -> int | None:
    return next((epoch for epoch, value in enumerate(accuracies, 1) if value is not None and value >= target), None)


def _not_tested(record: TrialRecord) -> NotTested:
    """Return a trial of a grid that has no network to test, and why."""
    return NotTested(trial=record.number, state=record.phase, reason=record.reason, params=dict(record.params))
