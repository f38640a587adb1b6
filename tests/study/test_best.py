"""Configurations are ranked by the mean over the runs of all their complete trials, not by their luckiest trial."""

import math
from collections.abc import Iterator, Mapping
from contextlib import closing
from statistics import fmean, stdev

from sqlalchemy import select, update

from qpsearch.display.shown import standing
from qpsearch.protocol import Failed
from qpsearch.space import Space, parse_space
from qpsearch.study import queries
from qpsearch.study.records import ConfigurationRecord
from qpsearch.study.storage.tables import trials
from qpsearch.vocabulary import FailReason
from tests.helpers import new_ledger, progress, ready_database

SPACE = """
study: twice
data: {dataset: digits, validation: 300}
network:
  stem: {width: 4}
  stages: [{width: {choice: [4, 8]}, depth: 1, block: additive}]
training: {epochs: 1, batch_size: 32}
search: {sampler: random, pruner: none, trials: 12, replicates: 2, seed: 1}
"""


def run(url: str, space: Space, scores: Mapping[int, list[float]]) -> dict[int, list[int]]:
    """Give the runs of the trials of each width these scores, one after the other; later trials fail."""
    left: dict[int, Iterator[float]] = {width: iter(own) for width, own in scores.items()}
    numbers: dict[int, list[int]] = {width: [] for width in scores}
    with new_ledger(url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            width = assignment.config.network.stages[0].width
            for each in assignment.runs:
                if (score := next(left[width], None)) is None:
                    ledger.fail(assignment.trial, 1, Failed(reason=FailReason.ERROR, detail="over"))
                    break
                if not ledger.report(assignment.trial, 1, progress(1, score, each.replicate)):
                    numbers[width].append(assignment.trial)
    assert all(next(own, None) is None for own in left.values())
    return numbers


def best(url: str) -> list[ConfigurationRecord]:
    with closing(ready_database(url)) as database:
        summary = queries.summary(database, "twice")
        found = queries.best_configurations(database, "twice")
        assert summary.best == (found[0] if found else None)
        return found


LUCKY, STEADY = [0.5, 0.6, 0.9, 0.8], [0.75, 0.71, 0.7, 0.72, 0.74, 0.76]


def test_the_luckiest_of_many_trials_of_one_configuration_is_not_its_score(url: str) -> None:
    numbers = run(url, parse_space(SPACE), {8: LUCKY, 4: STEADY})
    (found,) = best(url)
    assert found.trials == tuple(numbers[4])
    assert found.number == found.first.number == numbers[4][0]
    assert found.first.value == fmean(STEADY[:2])  # the first trial's own
    assert (found.n, found.scores) == (6, tuple(STEADY))
    assert math.isclose(found.value, fmean(STEADY))
    assert found.sd is not None
    assert math.isclose(found.sd, stdev(STEADY))
    assert len(set(found.seeds)) == 6
    assert found.to_dict() | {"trials": found.trials, "value": found.value, "n": 6} == found.to_dict()


def test_a_pruned_trial_does_not_count(sqlite_url: str) -> None:
    """Its value is that of an early epoch."""
    numbers = run(sqlite_url, parse_space(SPACE), {8: LUCKY, 4: STEADY})
    with closing(ready_database(sqlite_url)) as database:
        lucky = select(trials.c.trial_id).where(trials.c.number == numbers[8][0])
        database.write(lambda c: c.execute(update(trials).where(trials.c.trial_id.in_(lucky)).values(state="PRUNED")))
    (found,) = best(sqlite_url)
    assert found.trials == (numbers[8][1],)
    assert found.scores == tuple(LUCKY[2:])


def test_a_configuration_with_a_value_that_is_not_finite_is_not_the_best(sqlite_url: str) -> None:
    run(sqlite_url, parse_space(SPACE), {8: [0.1, 0.2], 4: [*STEADY, math.inf, 0.5]})
    (found,) = best(sqlite_url)
    assert found.scores == (0.1, 0.2)


def test_a_front_is_of_configurations_too(sqlite_url: str) -> None:
    """The luckiest wide trial would be on the front: by itself it is the most accurate."""
    text = SPACE.replace("search: {", "search: {objective: {maximize: val_accuracy, minimize: parameters}, ")
    numbers = run(sqlite_url, parse_space(text), {8: LUCKY, 4: STEADY})
    (narrow,) = best(sqlite_url)
    assert narrow.trials == tuple(numbers[4])
    assert narrow.values[1] == narrow.first.values[1]
    assert math.isclose(narrow.value, fmean(STEADY))


def test_the_best_of_equals_says_how_many_are_level_with_it(url: str) -> None:
    """Another seed of the best is no other configuration, and a luckier trial of a worse mean is not level."""
    space = parse_space(SPACE.replace("[4, 8]", "[4, 8, 16, 32]").replace("trials: 12", "trials: 40"))
    level, lucky = [0.3, 0.1, 0.2, 0.2], [0.2, 0.2, 0.1, 0.1]
    run(url, space, {4: level, 8: level[:2], 16: level, 32: lucky})
    (found,) = best(url)
    assert found.level == 2
    assert found.to_dict()["level"] == 2
    assert standing(found) == "level with 2 other configurations, optimistic until it is trained again on fresh seeds"
    with closing(ready_database(url)) as database:
        (first, *others) = queries.top_configurations(database, "twice", 4)
    assert first == found
    assert [each.level for each in others] == [0, 0, 0]


def test_a_best_that_is_alone_is_level_with_none(sqlite_url: str) -> None:
    run(sqlite_url, parse_space(SPACE), {8: LUCKY[:2], 4: STEADY[:2]})
    assert best(sqlite_url)[0].level == 0
