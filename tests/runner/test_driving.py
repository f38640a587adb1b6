"""Running a study from Python: what a listener is told, and what is left where something goes wrong."""

import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from qpsearch.dispatch.worker import WorkerSetup
from qpsearch.errors import StudyExists, StudyMismatch, StudyNotFound, UserError
from qpsearch.registry.datasets import Data
from qpsearch.runner import driving, machine, starting, trainer
from qpsearch.runner.driving import Outcome, Placement
from qpsearch.runner.overrides import Overrides
from qpsearch.space import Space, edited, parse_space
from qpsearch.study import queries
from qpsearch.study.planning import retraining
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Closed, Dispatching, Event, Noted, Reported, Started, StudyOpened
from qpsearch.vocabulary import CudaGraphs
from tests import scripted
from tests.helpers import new_ledger, progress, rows
from tests.scripted import Behaviour, space_text

INLINE = Placement(dispatcher="inline")  # type: ignore[arg-type]  # its value will do


@pytest.fixture(autouse=True)
def scripted_trainer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(trainer, "train", scripted.train)
    monkeypatch.chdir(tmp_path)


def test_a_study_is_run_and_gone_on_with_and_its_listener_is_told_all(sqlite_url: str, unpruned: Space) -> None:
    seen: list[Event] = []
    outcome = driving.run(
        unpruned, storage=sqlite_url, source="here", overrides=Overrides(trials=2), placement=INLINE, listen=seen.append
    )
    assert outcome == Outcome(name="scripted", is_finished=True, elsewhere=0, spent=None, stopped=None)
    assert isinstance(seen[0], StudyOpened)
    assert (seen[0].space.search.budget.trials, seen[0].ended, seen[0].best) == (2, {}, None)
    assert isinstance(seen[1], Dispatching)
    for kind, count in ((Started, 2), (Reported, 8), (Closed, 2)):
        assert sum(isinstance(event, kind) for event in seen) == count
    with pytest.raises(StudyExists, match="qpsearch resume scripted"):
        driving.run(unpruned, storage=sqlite_url, placement=INLINE)
    again: list[Event] = []
    driving.resume("scripted", storage=sqlite_url, overrides=Overrides(trials=3), placement=INLINE, listen=again.append)
    assert isinstance(again[0], StudyOpened)
    assert again[0].ended == {0: "COMPLETE", 1: "COMPLETE"}
    assert again[0].best is not None
    assert sum(isinstance(event, Closed) for event in again) == 1
    database = Database.open(sqlite_url)
    summary = queries.summary(database, "scripted")
    database.close()
    assert summary.source == "here"
    assert summary.environment["versions"]["optuna"]


@pytest.mark.parametrize("kind", [StudyOpened, Dispatching])
def test_a_listener_that_raises_leaves_no_lease_and_no_empty_study(
    sqlite_url: str, space: Space, kind: type[Event]
) -> None:
    def listen(event: Event) -> None:
        if isinstance(event, kind):
            raise ZeroDivisionError("of a caller")

    with pytest.raises(ZeroDivisionError):
        driving.run(space, storage=sqlite_url, placement=INLINE, listen=listen)
    assert rows(sqlite_url, "SELECT * FROM qpsearch_studies") == []
    assert rows(sqlite_url, "SELECT * FROM qpsearch_leases WHERE state = 'held'") == []


def test_a_listener_that_raises_later_leaves_a_study_that_goes_on(sqlite_url: str, space: Space) -> None:
    def listen(event: Event) -> None:
        if isinstance(event, Closed):
            raise ZeroDivisionError("of a caller")

    with pytest.raises(ZeroDivisionError):
        driving.run(space, storage=sqlite_url, placement=INLINE, listen=listen)
    assert rows(sqlite_url, "SELECT * FROM qpsearch_leases WHERE state = 'held'") == []
    assert driving.resume("scripted", storage=sqlite_url, placement=INLINE).is_finished


def test_a_thread_that_is_not_the_main_one_runs_a_study(sqlite_url: str, space: Space) -> None:
    found: list[Outcome] = []
    thread = threading.Thread(target=lambda: found.append(driving.run(space, storage=sqlite_url, placement=INLINE)))
    thread.start()
    thread.join()
    assert [outcome.is_finished for outcome in found] == [True]


def test_what_is_asked_of_a_study_is_checked_before_the_space_is(sqlite_url: str, space: Space, tmp_path: Path) -> None:
    driving.run(space, storage=sqlite_url, overrides=Overrides(trials=2), placement=INLINE)
    with pytest.raises(StudyNotFound):
        driving.resume("nothing", storage=sqlite_url, space=tmp_path / "no-file.yaml")
    with pytest.raises(UserError, match="--trials 1: study scripted has 2 trials behind it"):
        driving.resume("scripted", storage=sqlite_url, overrides=Overrides(trials=1), space=tmp_path / "no-file.yaml")
    other = parse_space(space_text(Behaviour.IMPROVES, epochs=5))
    with pytest.raises(StudyMismatch, match=r"training\.epochs: 4 -> 5"):
        driving.resume("scripted", storage=sqlite_url, space=other)


def test_trials_that_are_open_are_within_a_budget(sqlite_url: str) -> None:
    """Paused trials were begun, and some of them go on whatever the budget is."""
    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, pruner="{asha: {first: 1}}"))) as ledger:
        for _ in range(3):
            assignment = ledger.ask()
            assert assignment is not None
            ledger.report(assignment.trial, assignment.attempt, progress(1, 0.5))
    with pytest.raises(UserError, match="--trials 2: study scripted has 3 trials behind it"):
        driving.resume("scripted", storage=sqlite_url, overrides=Overrides(trials=2), placement=INLINE)
    assert driving.resume("scripted", storage=sqlite_url, overrides=Overrides(trials=3), placement=INLINE).is_finished


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (Overrides(epochs=7), "--epochs 7: study scripted has 8 epochs behind it"),
        (Overrides(seconds=7.0), r"--time 7s: study scripted has 30 s behind it"),
        (Overrides(gpu_seconds=1800.0), r"--gpu-hours 0\.5: study scripted has 2 GPU hours behind it"),
    ],
)
def test_a_budget_below_what_was_spent_would_prune_what_is_paused(
    sqlite_url: str, space: Space, overrides: Overrides, says: str
) -> None:
    driving.run(space, storage=sqlite_url, overrides=Overrides(trials=2, epochs=9), placement=INLINE)
    with closing(Database.create(sqlite_url)) as database:
        database.write(lambda c: c.exec_driver_sql("UPDATE qpsearch_leases SET seconds = 30"))
        database.write(lambda c: c.exec_driver_sql("UPDATE qpsearch_attempts SET gpus = 1, seconds = 1800"))
    with pytest.raises(UserError, match=says):
        driving.resume("scripted", storage=sqlite_url, overrides=overrides, placement=INLINE)


def test_the_budget_that_a_study_has_may_be_given_again_also_where_a_little_more_was_spent(
    sqlite_url: str, space: Space
) -> None:
    """Each trial that runs when the last epoch comes in may add one."""
    driving.run(space, storage=sqlite_url, overrides=Overrides(trials=3, epochs=9), placement=INLINE)
    with closing(Database.create(sqlite_url)) as database:
        database.write(lambda c: c.exec_driver_sql("UPDATE qpsearch_studies SET most_epochs = 6"))
    for asked in (6, 7):
        outcome = driving.resume("scripted", storage=sqlite_url, overrides=Overrides(epochs=asked), placement=INLINE)
        assert outcome.spent is not None
    with pytest.raises(UserError, match="--epochs 5: study scripted has 9 epochs behind it"):
        driving.resume("scripted", storage=sqlite_url, overrides=Overrides(epochs=5), placement=INLINE)


def test_a_grid_has_no_more_trials_than_points(sqlite_url: str) -> None:
    text = space_text(Behaviour.IMPROVES, Behaviour.STALLS, sampler="grid", trials=9)
    text = text.replace("{log: [0.01, 0.5]}", "0.1").replace("{float: [1.3, 2.2]}", "1.5")
    text = text.replace("{int: [1, 3]}", "1").replace("{choice: [additive, quotient, product_unit]}", "quotient")
    seen: list[Event] = []
    outcome = driving.run(parse_space(text), storage=sqlite_url, placement=INLINE, listen=seen.append)
    assert outcome.is_finished
    assert "a grid of 2 points" in next(event.text for event in seen if isinstance(event, Noted))
    assert sum(isinstance(event, Closed) for event in seen) == 2


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPSEARCH_DATA", "")
    assert machine.data_folder(Data(dataset="cifar10", validation=0)) == Path.home() / ".cache" / "qpsearch"


def test_a_comparison_goes_on_with_images_and_steps_as_its_file_says(
    sqlite_url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Overrides] = []
    monkeypatch.setattr(driving, "is_comparison", lambda storage, name: True)
    monkeypatch.setattr(starting, "_compare", lambda name, storage, overrides, *rest, **others: seen.append(overrides))
    with new_ledger(sqlite_url, space):
        pass
    given = kept_and_run(space, stream=True, graphs=CudaGraphs.NEVER)
    starting.resume(space.study, storage=sqlite_url, space=given, overrides=Overrides(trials=3, cpus=2))
    assert seen == [Overrides(trials=3, cpus=2, given=given)]
    own = seen[0].without_budget()
    assert own == Overrides(cpus=2, given=given)
    assert (own.data(space.data), Overrides().data(space.data)) == (given.data, space.data)
    assert own.resources(space.resources) == replace(given.resources, cpus=2)


def kept_and_run(space: Space, *, stream: bool | None, graphs: CudaGraphs) -> Space:
    """Return a space that says otherwise how images are kept and steps are run."""
    resources = replace(space.resources, cuda_graphs=graphs, report_timeout_s=77.0)
    return replace(space, data=replace(space.data, stream=stream), resources=resources)


@pytest.mark.parametrize("joins", [False, True])
def test_images_are_read_and_steps_are_run_as_the_file_says_with_which_a_study_goes_on(
    sqlite_url: str, space: Space, monkeypatch: pytest.MonkeyPatch, joins: bool
) -> None:
    seen: list[WorkerSetup] = []
    monkeypatch.setattr(driving.inline, "run", lambda ledger, setup, interrupt: seen.append(setup))
    with new_ledger(sqlite_url, space):
        pass
    cases = list(product((None, True, False), CudaGraphs))
    for stream, graphs in cases:
        given = kept_and_run(space, stream=stream, graphs=graphs)
        if joins:
            driving.run(given, storage=sqlite_url, join=True, overrides=Overrides(cpus=2), placement=INLINE)
        else:
            driving.resume(space.study, storage=sqlite_url, space=given, overrides=Overrides(cpus=2), placement=INLINE)
    assert [(setup.stream, setup.cuda_graphs) for setup in seen] == cases
    assert {(setup.threads, setup.report_timeout_s) for setup in seen} == {(2, 77.0)}
    driving.resume(space.study, storage=sqlite_url, placement=INLINE)
    assert seen[-1].report_timeout_s == space.resources.report_timeout_s  # the study's own are as they were


def test_resources_of_a_file_that_are_not_the_studys_are_told(
    sqlite_url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may have been flags of the command line, which the file does not have."""
    monkeypatch.setattr(driving.inline, "run", lambda ledger, setup, interrupt: None)
    with new_ledger(sqlite_url, replace(space, resources=replace(space.resources, gpus=0.5))):
        pass
    told: list[Event] = []
    driving.resume(space.study, storage=sqlite_url, space=space, placement=INLINE, listen=told.append)
    said = [event.text for event in told if isinstance(event, Noted)]
    assert said == ["resources.gpus is auto, as the file says; the study was made with 0.5"]


def test_a_comparison_says_once_how_images_are_read(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "how_streamed", lambda data, folder, cpus: "decoded while networks train")
    text = space_text(Behaviour.IMPROVES, epochs=1).replace("trials: 6, ", "")
    arms = "{a: {network.stages.0.block: additive}, b: {network.stages.0.block: quotient}}"
    space = parse_space(f"{text}compare: {{arms: {arms}, tune: {{trials: 2}}, retrain: {{top: 2, seeds: 1}}}}\n")
    assert space.compare is not None
    seen: list[str] = []
    tested: list[Data] = []
    monkeypatch.setattr(starting, "read_test_images", lambda *given, **more: tested.append(given[-1](space.data)))

    def listen(event: Event) -> None:
        if isinstance(event, Noted):
            seen.append(event.text)
        if isinstance(event, Closed) and len(seen) < 3:
            raise ZeroDivisionError("of a caller")

    with pytest.raises(ZeroDivisionError):
        starting.run(space, storage=sqlite_url, placement=INLINE, listen=listen)
    said = "images digits: decoded while networks train"
    assert seen == [said, "arm a"]
    given = kept_and_run(space, stream=True, graphs=CudaGraphs.AUTO)
    assert starting.resume("scripted", storage=sqlite_url, space=given, placement=INLINE, listen=listen).is_finished
    assert seen[2:5] == ["arm a", said, "arm b"]
    assert seen.count(said) == 2
    assert tested == [given.data]


def test_arms_whose_budget_another_driver_raises_meanwhile_are_searched_on(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best were chosen from an arm that had not been searched to the end, for good."""
    text = space_text(Behaviour.IMPROVES, epochs=1).replace("trials: 6, ", "")
    arms = "{a: {network.stages.0.block: additive}, b: {network.stages.0.block: quotient}}"
    space = parse_space(f"{text}compare: {{arms: {arms}, tune: {{trials: 2, searches: 2}}, retrain: {{top: 2}}}}\n")
    assert space.compare is not None
    studies = [each.study for each in space.compare.searches.values()]
    monkeypatch.setattr(starting, "read_test_images", lambda *given, **more: None)
    seen: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Noted):
            seen.append(event.text)
            if event.text == "arm a, search 2 of 2" and seen.count(event.text) == 1:
                with closing(Database.create(sqlite_url)) as database:
                    retraining.set_budgets(database, studies, lambda budget: budget.updated(trials=3))

    assert starting.run(space, storage=sqlite_url, placement=INLINE, listen=listen).is_finished
    assert [text for text in seen if text.startswith("arm")] == [
        *(f"arm {arm}, search {number} of 2" for number in (1, 2) for arm in "ab"),
        *(f"arm {arm}, search 1 of 2" for arm in "ab"),
    ]
    with closing(Database.open(sqlite_url)) as database:
        assert [len(queries.trial_records(database, each)) for each in studies] == [3] * 4


def test_a_warm_start_of_which_nothing_fits_is_told_once(sqlite_url: str) -> None:
    """A study whose values the space does not have, and one without trials; what fits is taken in silence."""
    lr = "training.optimizer.sgd.lr"
    text = space_text(Behaviour.IMPROVES, trials=2, epochs=1)

    def told(study: str, changes: Mapping[str, object]) -> list[str]:
        seen: list[Event] = []
        space = parse_space(edited(text, {"study": study, **changes}))
        driving.run(space, storage=sqlite_url, placement=INLINE, join=True, listen=seen.append)
        return [event.text for event in seen if isinstance(event, Noted)]

    assert told("one", {}) == []
    with new_ledger(sqlite_url, parse_space(edited(text, {"study": "empty"}))):
        pass
    warm = {"search.warm_start": ["one", "empty"]}
    none = "search.warm_start: study 'empty' does not have a trial, so nothing is taken from it"
    assert told("some", warm) == [none]
    other = warm | {lr: {"log": [2.0, 3.0]}, "network.stages.0.depth": 2, "network.stages.0.block": "quotient"}
    lacks = "does not have a value of a parameter that this space searches, so nothing is taken from it"
    assert told("none", other) == [f"search.warm_start: study 'one' {lacks}", none]
    assert told("none", other) == []
