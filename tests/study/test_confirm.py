"""The best configurations are trained again on fresh seeds, and the search does not notice."""

import math
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from scipy.stats import t as students_t
from sqlalchemy import update

from qpsearch.analysis.compare.arms import arms_of
from qpsearch.analysis.subject import Subject
from qpsearch.errors import ArtifactError, StorageError, StudyBusy, StudyExists, UserError
from qpsearch.protocol import Assignment, Failed
from qpsearch.runner.confirming import confirm
from qpsearch.runner.driving import Placement, resume
from qpsearch.runner.overrides import Overrides
from qpsearch.seeds import derive_seed
from qpsearch.space import Space, parse_space
from qpsearch.study import manage, queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.planning import retraining
from qpsearch.study.records import ConfigurationRecord
from qpsearch.study.storage.tables import studies, study_facts
from qpsearch.study.trials.evaluations import Evaluated
from qpsearch.vocabulary import Dispatcher, FailReason
from tests.helpers import abandon, new_ledger, progress, ready_database, resumed_ledger, rows, train_all
from tests.scripted import Behaviour, space_text

BESIDE = "scripted.confirm"
SEARCHED = (
    "SELECT number, state, param_name, param_value, value, intermediate_value FROM trials JOIN studies USING (study_id) "
    "LEFT JOIN trial_params USING (trial_id) LEFT JOIN trial_values USING (trial_id) "
    "LEFT JOIN trial_intermediate_values USING (trial_id) WHERE study_name = 'scripted' ORDER BY 1, 3, 6"
)


@pytest.fixture
def space() -> Space:
    """A search that prunes, stops early, and learns from what it saw."""
    text = space_text(Behaviour.IMPROVES, trials=14, pruner="median", epochs=3)
    return parse_space(text.replace("search: {", "search: {stop: {target: 0.99}, "))


def search(url: str, space: Space) -> None:
    with new_ledger(url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)


def plan(url: str, top: int, seeds: int) -> list[ConfigurationRecord]:
    with closing(ready_database(url)) as database:
        found = queries.top_configurations(database, "scripted", top)
        assert retraining.plan_confirmation(database, "scripted", [each.number for each in found], seeds) == BESIDE
        return found


def confirmed(url: str, top: int) -> list[ConfigurationRecord]:
    with closing(ready_database(url)) as database:
        return queries.top_configurations(database, "scripted", top)


def attend(ledger: Ledger, scores: Iterator[float]) -> Iterator[Assignment]:
    """Train what is planned: a first epoch by which any pruner would stop it, then the score."""
    while (assignment := ledger.ask()) is not None:
        yield assignment
        score = next(scores)
        for epoch in (1, 2, 3):
            goes_on = ledger.report(
                assignment.trial, assignment.attempt, progress(epoch, score if epoch == 3 else 0.01)
            )
            assert goes_on == (epoch < 3)


def test_each_configuration_gets_the_same_fresh_seeds_and_none_is_pruned(url: str, space: Space) -> None:
    search(url, space)
    found = plan(url, 3, 4)
    assert [each.value for each in found] == sorted((each.value for each in found), reverse=True)
    given = [0.40, 0.41, 0.42, 0.50, 0.61, 0.42, 0.45, 0.62, 0.47, 0.43, 0.60, 0.44]
    with resumed_ledger(url, BESIDE) as ledger:
        got = list(attend(ledger, iter(given)))
        assert ledger.finished
    assert {assignment.attempt for assignment in got} == {1}
    seeds = [derive_seed(space.search.seed, "confirm", index) for index in range(4)]
    assert [assignment.runs[0].seed for assignment in got] == [seed for seed in seeds for _ in range(3)]
    assert [assignment.config for assignment in got] == [each.config for each in found] * 4
    assert not set(seeds) & {
        row.seed
        for row in rows(
            url,
            "SELECT seed FROM qpsearch_runs WHERE seed NOT IN (SELECT "
            "seed FROM qpsearch_runs JOIN trials USING (trial_id) JOIN studies USING (study_id) WHERE study_name LIKE '%confirm')",
        )
    }
    for index, each in enumerate(confirmed(url, 3)):
        own, fresh = given[index::3], each.confirmed
        assert fresh is not None
        assert (fresh.seeds, fresh.scores, fresh.n) == (tuple(seeds), tuple(own), 4)
        assert fresh.mean == pytest.approx(fmean(own))
        assert fresh.sd == pytest.approx(stdev(own))
        assert fresh.drop == pytest.approx(each.value - fmean(own))
        half = students_t.ppf(0.975, 3) * stdev(own) / 2
        assert fresh.interval == pytest.approx((fresh.drop - half, fresh.drop + half))
        assert replace(fresh, scores=(0.5,) * 4).interval is None  # not certainty, but chance
    with closing(ready_database(url)) as database:
        best = queries.best_configurations(database, BESIDE)[0]  # by the mean over the fresh seeds
        assert (best.config, best.n, best.is_fresh) == (found[1].config, 4, True)
        assert all(queries.trial_detail(database, BESIDE, number).record.attempts == 1 for number in range(12))
        arms = arms_of(database, BESIDE)
        names = [f"trial {each.number}" for each in found]  # of the search, by which they are known
        assert [(arm.name, len(arm.trials)) for arm in arms.arms] == [(name, 4) for name in names]
        assert {row.parameter: row.values for row in arms.settings} == {
            name: {arm: each.params[name] for arm, each in zip(names, found, strict=True) if name in each.params}
            for name in arms.chosen
        }
        typed = arms_of(database, "scripted", trials=[each.number for each in found])
        assert ([arm.name for arm in typed.arms], typed.settings) == (names, arms.settings)


def test_the_search_goes_on_as_if_nothing_had_been_confirmed(
    sqlite_url: str, sqlite_template: Path, space: Space
) -> None:
    """What its sampler draws, its pruner prunes, its budget counts and its answers say."""
    url, without_it = sqlite_url, sqlite_url.replace("q.db", "without.db")
    shutil.copyfile(sqlite_template, without_it.removeprefix("sqlite:///"))
    for each in (url, without_it):
        search(each, space)
    before = rows(url, SEARCHED)
    plan(url, 2, 3)
    with resumed_ledger(url, BESIDE) as ledger:
        assert len(list(attend(ledger, iter([0.999] * 6)))) == 6
    assert rows(url, SEARCHED) == before
    for each in (url, without_it):
        with resumed_ledger(each, asked=22) as ledger:
            while (assignment := ledger.ask()) is not None:
                train_all(ledger, assignment)
            assert ledger.stopped is None
    assert rows(url, SEARCHED) == rows(without_it, SEARCHED)
    (with_it, without) = (confirmed(each, 1)[0] for each in (url, without_it))
    assert (with_it.value, with_it.trials, with_it.n) == (without.value, without.trials, without.n)
    with closing(ready_database(url)) as one, closing(ready_database(without_it)) as other:
        a, b = (queries.summary(each, "scripted") for each in (one, other))
        assert (a.counts, a.epochs, a.budget) == (b.counts, b.epochs, b.budget)
        assert len(queries.frozen_trials(one, "scripted")) == 22  # what importance reads


def test_the_same_command_goes_on_after_a_kill_and_adds_what_is_new(url: str, space: Space) -> None:
    search(url, space)
    plan(url, 2, 2)
    ledger = resumed_ledger(url, BESIDE)
    ledger._heart.start()
    attending = attend(ledger, iter([0.7] * 9))
    assert [next(attending).trial, next(attending).trial] == [0, 1]
    ledger._heart.stop()
    ledger._supply.stop()
    abandon(ledger)  # trial 0 is complete, 1 has begun, 2 and 3 wait
    plan(url, 2, 2)
    with resumed_ledger(url, BESIDE) as again:
        assert [(each.trial, each.attempt) for each in attend(again, iter([0.6] * 9))] == [(1, 2), (2, 1), (3, 1)]
    plan(url, 3, 3)  # more of both
    with resumed_ledger(url, BESIDE) as more:
        ledger_of = [(each.trial, each.runs[0].seed) for each in attend(more, iter([0.5] * 9))]
    seeds = [derive_seed(space.search.seed, "confirm", index) for index in range(3)]
    assert ledger_of == [(4, seeds[0]), (5, seeds[1]), (6, seeds[2]), (7, seeds[2]), (8, seeds[2])]
    assert [each.confirmed.n for each in confirmed(url, 3) if each.confirmed] == [3, 3, 3]


def test_a_fresh_seed_that_fails_is_counted_and_not_averaged(sqlite_url: str, space: Space) -> None:
    search(sqlite_url, space)
    plan(sqlite_url, 1, 3)
    with resumed_ledger(sqlite_url, BESIDE) as ledger:
        first, second = ledger.ask(), ledger.ask()
        assert first is not None
        assert second is not None
        ledger.fail(first.trial, 1, Failed(reason=FailReason.DIVERGED, detail="nan"))
        for epoch in (1, 2, 3):
            ledger.report(second.trial, 1, progress(epoch, 0.5))
    (each,) = confirmed(sqlite_url, 1)
    fresh = each.confirmed
    assert fresh is not None
    assert (fresh.n, fresh.failed, fresh.open, fresh.mean, fresh.sd, fresh.interval) == (1, 1, 1, 0.5, None, None)


def test_a_fresh_seed_without_a_finite_score_leaves_no_deviation(sqlite_url: str, space: Space) -> None:
    search(sqlite_url, space)
    plan(sqlite_url, 1, 2)
    with resumed_ledger(sqlite_url, BESIDE) as ledger:
        assert len(list(attend(ledger, iter([0.5, math.inf])))) == 2
    (each,) = confirmed(sqlite_url, 1)
    fresh = each.confirmed
    assert fresh is not None
    assert (fresh.n, fresh.sd, fresh.interval, fresh.to_dict()["sd"]) == (2, None, None, None)


def test_what_confirms_a_study_is_renamed_copied_and_deleted_with_it(sqlite_url: str, space: Space) -> None:
    search(sqlite_url, space)
    plan(sqlite_url, 1, 2)
    with resumed_ledger(sqlite_url, BESIDE) as ledger:
        assert len(list(attend(ledger, iter([0.5, 0.6])))) == 2
    with closing(ready_database(sqlite_url)) as database:
        manage.copy(database, "scripted", database, "twin")
        with pytest.raises(UserError, match=r"belongs to 'scripted'\. Rename them together: qpsearch studies rename"):
            manage.rename(database, BESIDE, "elsewhere")
        manage.rename(database, "scripted", BESIDE)  # which is the name of what confirms it
        assert sorted(queries.study_names(database)) == [BESIDE, f"{BESIDE}.confirm", "twin", "twin.confirm"]
        manage.rename(database, BESIDE, "scripted")
        manage.rename(database, "scripted", "other")

        def mean(name: str) -> Any:
            fresh = queries.best_configurations(database, name)[0].confirmed
            return None if fresh is None else fresh.mean

        assert sorted(queries.study_names(database)) == ["other", "other.confirm", "twin", "twin.confirm"]
        assert mean("other") == mean("twin") == pytest.approx(0.55)
        manage.delete(database, "other")
        assert sorted(queries.study_names(database)) == ["twin", "twin.confirm"]
        manage.delete(database, "twin.confirm")
        assert mean("twin") is None
    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, study="twin.confirm"))):
        pass
    with (
        closing(ready_database(sqlite_url)) as database,
        pytest.raises(StudyExists, match=r"'twin\.confirm' is another"),
    ):
        retraining.plan_confirmation(database, "twin", [0], 1)


def test_a_copy_of_which_a_part_fails_leaves_nothing(
    sqlite_url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(sqlite_url, space)
    plan(sqlite_url, 1, 1)
    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, study="twin.confirm"))):
        pass
    with closing(ready_database(sqlite_url)) as database:
        before = sorted(queries.study_names(database))
        assert manage.family(database, "scripted") == ["scripted", BESIDE]
        with pytest.raises(StudyExists, match=r"study 'twin\.confirm' already exists in .*--as NAME"):
            manage.copy(database, "scripted", database, "twin")
        assert sorted(queries.study_names(database)) == before
        copy_alone = manage._copy

        def fail(source: Any, name: str, *more: Any) -> str:
            if name == BESIDE:
                raise ArtifactError("the disk is full")
            return copy_alone(source, name, *more)

        monkeypatch.setattr(manage, "_copy", fail)
        with pytest.raises(ArtifactError, match="the disk is full"):
            manage.copy(database, "scripted", database, "other")
        assert sorted(queries.study_names(database)) == before


def test_a_delete_that_is_refused_deletes_nothing(sqlite_url: str, space: Space) -> None:
    """A driver works on the study that searched; what confirms it has ended."""
    search(sqlite_url, space)
    plan(sqlite_url, 1, 1)
    with (
        resumed_ledger(sqlite_url, asked=99),
        closing(ready_database(sqlite_url)) as database,
        pytest.raises(StudyBusy, match="study 'scripted' is being run"),
    ):
        manage.delete(database, "scripted")
    with closing(ready_database(sqlite_url)) as database:
        assert sorted(queries.study_names(database)) == ["scripted", BESIDE]


def test_looks_at_the_test_images_are_counted_for_both_studies_together(sqlite_url: str, space: Space) -> None:
    search(sqlite_url, space)
    plan(sqlite_url, 1, 1)
    seen = Evaluated(replicate=0, checkpoint="", noise=0.0, images=300, accuracy=0.9, loss=0.1, nonfinite=0)
    with closing(ready_database(sqlite_url)) as database:
        manage.record_evaluations(database, "scripted", 0, [seen], 1.0)
        manage.record_evaluations(database, BESIDE, 0, [seen], 2.0)
        assert queries.looks(database, "scripted") == queries.looks(database, BESIDE) == [1.0, 2.0]


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no study database there"):
        confirm(
            "digits",
            storage=f"sqlite:///{tmp_path}/studies/q.db",
            seeds=1,
            overrides=Overrides(),
            placement=Placement(dispatcher=Dispatcher.INLINE),
        )
    assert list(tmp_path.iterdir()) == []


def test_it_does_not_search(sqlite_url: str, space: Space) -> None:
    from qpsearch.errors import UserError

    search(sqlite_url, space)
    plan(sqlite_url, 1, 1)
    with pytest.raises(UserError, match=r"--trials 9: study scripted\.confirm does not search"):
        resume(BESIDE, storage=sqlite_url, overrides=Overrides(trials=9))


def test_the_study_that_searched_is_found_by_its_link_and_not_by_a_name(sqlite_url: str, space: Space) -> None:
    search(sqlite_url, space)
    plan(sqlite_url, 1, 1)
    with closing(ready_database(sqlite_url)) as database:
        (searched, fresh) = sorted(queries.study_names(database))
        assert queries.chosen_by(database, searched) is None
        assert queries.chosen_by(database, fresh) == searched

        def rename(old: str, new: str) -> None:  # as other tools do it
            own = update(studies).where(studies.c.study_name == old)
            database.write(lambda c: c.execute(own.values(study_name=new)))

        rename(searched, "searched")
        rename(fresh, "again")
        assert queries.chosen_by(database, "again") == "searched"
        with pytest.raises(UserError, match="Ask about the search: qpsearch importance searched"):
            Subject.of(database, "again").refuse_few(20, "importance")
        database.write(lambda c: c.execute(update(study_facts).values(uid="0" * 31 + "1")))
        assert queries.chosen_by(database, "again") == "STUDY"
