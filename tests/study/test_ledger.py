"""The ledger: each step one transaction, each trial one ending, restarts do not lose anything."""

import math
import pickle
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import ArtifactError, StorageError, Superseded, UserError
from qpsearch.protocol import Assignment, EpochReport, Failed, Progress
from qpsearch.space import Space, parse_space
from qpsearch.study import ledger as ledger_module
from qpsearch.study import queries
from qpsearch.study.queries import detail
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Closed, Event, Noted
from qpsearch.vocabulary import FailReason
from tests.helpers import HERE, abandon, new_ledger, progress, resumed_ledger, rows, train_all
from tests.scripted import Behaviour, space_text

DIVERGED = Failed(reason=FailReason.DIVERGED, detail="training loss nan in epoch 2")


def asked(ledger: object) -> Assignment:
    assignment = ledger.ask()  # type: ignore[attr-defined]
    assert assignment is not None
    return assignment  # type: ignore[no-any-return]


def records(url: str, name: str = "scripted") -> list[tuple[str, float | None, str | None]]:
    database = Database.open(url)
    found = queries.trial_records(database, name)
    database.close()
    return [(record.state, record.value, record.reason) for record in found]


def test_the_last_report_completes_a_trial_with_its_last_value(url: str, unpruned: Space) -> None:
    with new_ledger(url, unpruned) as ledger:
        first = asked(ledger)
        for epoch, value in enumerate((0.2, 0.9, 0.5), start=1):
            assert ledger.report(first.trial, first.attempt, progress(epoch, value))
        assert not ledger.report(first.trial, first.attempt, progress(4, 0.6))
    assert records(url) == [("COMPLETE", 0.6, None)]
    assert rows(url, "SELECT ending FROM qpsearch_attempts") == [("finished",)]
    assert rows(url, "SELECT score FROM qpsearch_runs") == [(0.6,)]
    assert [row[0] for row in rows(url, "SELECT intermediate_value FROM trial_intermediate_values")] == [
        0.2,
        0.9,
        0.5,
        0.6,
    ]


def test_an_ending_tells_the_seconds_that_the_database_has(url: str, unpruned: Space) -> None:
    """Of all attempts together, also of one that another driver lost."""
    told: list[Event] = []
    ledger = new_ledger(url, unpruned)
    first = asked(ledger)
    ledger.report(first.trial, first.attempt, progress(1, 0.2))
    ledger.interrupt(first.trial, first.attempt)
    second = asked(ledger)
    assert (second.trial, second.attempt) == (first.trial, 2)
    ledger.report(second.trial, second.attempt, progress(2, 0.3))
    abandon(ledger)
    with resumed_ledger(url, listener=told.append) as ledger:
        third = asked(ledger)
        assert (third.trial, third.attempt) == (first.trial, 3)
        for epoch in (3, 4):
            ledger.report(third.trial, third.attempt, progress(epoch, 0.5))
        other = asked(ledger)
        ledger.fail(other.trial, other.attempt, DIVERGED)
    database = Database.open(url)
    stored = {record.number: record.seconds for record in queries.trial_records(database, "scripted")}
    database.close()
    endings = {event.number: event.seconds for event in told if isinstance(event, Closed)}
    assert endings == {number: stored[number] for number in endings}
    assert len(endings) == 2
    seconds = [row[0] for row in rows(url, "SELECT seconds FROM qpsearch_attempts WHERE trial_id = 1 ORDER BY number")]
    assert (len(seconds), sum(seconds)) == (3, endings[first.trial])
    assert min(seconds) > 0


def test_a_configuration_is_an_object_and_written_as_text_once(
    url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[TrialConfig] = []
    to_json = TrialConfig.to_json
    monkeypatch.setattr(TrialConfig, "to_json", lambda config: written.append(config) or to_json(config))
    with new_ledger(url, space) as ledger:
        for _ in range(space.search.budget.trials):
            assignment = ledger.ask()
            assert assignment is not None
            assert pickle.loads(pickle.dumps(assignment)) == assignment  # as a worker gets it
            train_all(ledger, assignment)
    assert len(written) == space.search.budget.trials == len(rows(url, "SELECT config_json FROM qpsearch_configs"))


def test_score_best_takes_the_best_epoch(url: str) -> None:
    source = space_text(Behaviour.IMPROVES, pruner="none").replace("pruner: none", "pruner: none, score: best")
    with new_ledger(url, parse_space(source)) as ledger:
        first = asked(ledger)
        for epoch, value in enumerate((0.2, 0.9, 0.5, 0.6), start=1):
            ledger.report(first.trial, first.attempt, progress(epoch, value))
    assert records(url) == [("COMPLETE", 0.9, None)]


def test_a_trial_of_several_replicates_scores_their_mean(url: str) -> None:
    with new_ledger(url, parse_space(space_text(Behaviour.IMPROVES, replicates=3, epochs=2, pruner="none"))) as ledger:
        first = asked(ledger)
        assert len({run.seed for run in first.runs}) == 3
        for run, value in zip(first.runs, (0.5, 0.6, 0.7), strict=True):
            assert ledger.report(0, 1, progress(1, 0.1, run.replicate))
            assert ledger.report(0, 1, progress(2, value, run.replicate)) is (run.replicate < 2)
    assert records(url) == [("COMPLETE", pytest.approx(0.6), None)]
    assert [row[0] for row in rows(url, "SELECT score FROM qpsearch_runs ORDER BY replicate")] == [0.5, 0.6, 0.7]
    assert len(rows(url, "SELECT * FROM trial_intermediate_values")) == 2  # of the first replicate


def test_a_failed_trial_keeps_reason_and_detail_and_tells_optunas_tools(url: str, space: Space) -> None:
    events: list[Event] = []
    with new_ledger(url, space, events.append) as ledger:
        first = asked(ledger)
        ledger.report(first.trial, first.attempt, progress(1, 0.3))
        ledger.fail(first.trial, first.attempt, DIVERGED)
    assert records(url) == [("FAIL", None, "diverged")]
    assert rows(url, "SELECT ending, reason, detail FROM qpsearch_attempts") == [
        ("failed", "diverged", DIVERGED.detail)
    ]
    assert rows(url, "SELECT key, value_json FROM trial_user_attributes") == [("reason", '"diverged"')]
    assert [event.state for event in events if isinstance(event, Closed)] == ["FAIL"]


def test_messages_of_an_ended_attempt_change_nothing(url: str, space: Space) -> None:
    with new_ledger(url, space) as ledger:
        first = asked(ledger)
        ledger.fail(first.trial, first.attempt, DIVERGED)
        assert not ledger.report(first.trial, first.attempt, progress(1, 0.9))
        ledger.fail(first.trial, first.attempt, Failed(reason=FailReason.ERROR, detail="late"))
        second = asked(ledger)
        assert not ledger.report(second.trial, second.attempt + 1, progress(1, 0.9))
    assert records(url)[0] == ("FAIL", None, "diverged")
    assert rows(url, "SELECT * FROM qpsearch_epochs") == []


def test_a_report_out_of_turn_is_a_fault_of_the_dispatcher(url: str, space: Space) -> None:
    with new_ledger(url, space) as ledger:
        first = asked(ledger)
        with pytest.raises(ValueError, match="epoch 3 was reported after epoch 0"):
            ledger.report(first.trial, first.attempt, progress(3, 0.5))


def test_the_budget_is_exact_and_ask_says_when_it_is_spent(url: str, space: Space) -> None:
    with new_ledger(url, space) as ledger:
        assignments = [asked(ledger) for _ in range(6)]
        assert ledger.ask() is None
        assert not ledger.finished
        for assignment in assignments:
            assert not train_all(ledger, assignment)
        assert not ledger.finished  # the best of those that are paused go on
        again = []
        while (promoted := ledger.ask()) is not None:
            again.append(promoted)
            train_all(ledger, promoted)
        assert ledger.finished
    assert [assignment.trial for assignment in assignments] == list(range(6))
    assert {promoted.attempt for promoted in again} == {2}
    assert {state for state, *_ in records(url)} == {"COMPLETE", "PRUNED"}


def test_a_failing_transaction_leaves_neither_half(url: str, space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step, one transaction: Optuna's value and our epoch row are stored together or not at all."""
    with new_ledger(url, space) as ledger:
        first = asked(ledger)
        before = rows(
            url, "SELECT count(*), (SELECT max(revision) FROM qpsearch_studies) FROM trial_intermediate_values"
        )

        def full(connection: Connection, *values: object) -> None:
            connection.execute(text("INSERT INTO no_such_table VALUES (1)"))

        with monkeypatch.context() as patch:
            patch.setattr("qpsearch.study.ledger.insert_attrs", full)  # the last statement of the step
            with pytest.raises(StorageError, match="no_such_table"):
                ledger.report(first.trial, first.attempt, progress(1, 0.5))
        assert rows(url, "SELECT * FROM qpsearch_epochs") == []
        assert before == rows(
            url, "SELECT count(*), (SELECT max(revision) FROM qpsearch_studies) FROM trial_intermediate_values"
        )


def test_an_interrupted_trial_goes_on_from_its_checkpoint_in_the_next_attempt(url: str, unpruned: Space) -> None:
    with new_ledger(url, unpruned) as ledger:
        first = asked(ledger)
        for epoch in (1, 2):
            ledger.report(0, 1, progress(epoch, 0.1 * epoch, checkpoint=f"r0-a1-e00{epoch}.pt"))
    assert rows(url, "SELECT ending FROM qpsearch_attempts") == [("interrupted",)]
    assert records(url) == [("RUNNING", None, None)]
    with resumed_ledger(url) as ledger:
        again = asked(ledger)
        assert (again.trial, again.attempt, again.config) == (0, 2, first.config)
        (run,) = first.runs
        assert again.runs == (replace(run, resume_from=("r0-a1-e002.pt", "r0-a1-e001.pt")),)
        assert (again.threads, again.memory_format) == (1, "contiguous")
        assert ledger.report(0, 2, progress(3, 0.3))
        assert asked(ledger).trial == 1
    assert rows(url, "SELECT number, ending FROM qpsearch_attempts WHERE trial_id = 1") == [
        (1, "interrupted"),
        (2, "interrupted"),
    ]


def test_an_epoch_repeated_after_a_lost_checkpoint_keeps_one_row_and_its_first_value(url: str, unpruned: Space) -> None:
    with new_ledger(url, unpruned) as ledger:
        asked(ledger)
        for epoch in (1, 2):
            ledger.report(0, 1, progress(epoch, 0.1 * epoch, checkpoint=f"r0-a1-e00{epoch}.pt"))
    with resumed_ledger(url) as ledger:
        asked(ledger)
        assert ledger.report(0, 2, progress(2, 0.7, checkpoint="r0-a2-e002.pt"))
        assert ledger.report(0, 2, progress(3, 0.3, checkpoint="r0-a2-e003.pt"))
    found = rows(url, "SELECT epoch, val_accuracy, attempt, checkpoint FROM qpsearch_epochs ORDER BY epoch")
    assert found == [(1, 0.1, 1, "r0-a1-e001.pt"), (2, 0.2, 1, "r0-a2-e002.pt"), (3, 0.3, 2, "r0-a2-e003.pt")]


def test_checkpoints_go_when_their_successor_is_recorded(url: str, unpruned: Space, tmp_path: Path) -> None:
    """The last two and the best stay while a trial runs; a complete trial keeps last and best, a failed one none."""
    with new_ledger(url, unpruned) as ledger:
        asked(ledger)
        folder = Path(ledger.checkpoints.of(0))
        folder.mkdir(parents=True)
        for epoch in range(1, 5):
            name = f"r0-a1-e00{epoch}.pt"
            (folder / name).write_text("x")
            (folder / f"r0-a1-e00{epoch + 1}.pt.partial").write_text("being written")
            ledger.report(0, 1, progress(epoch, {2: 0.9}.get(epoch, 0.1), checkpoint=name))
            ledger.checkpoints.close()
            kept = sorted(path.name for path in folder.glob("*.pt"))
            assert kept == [f"r0-a1-e00{e}.pt" for e in {1: (1,), 2: (1, 2), 3: (2, 3), 4: (2, 4)}[epoch]]
            assert (folder / f"r0-a1-e00{epoch + 1}.pt.partial").exists() is (epoch < 4)
        second = asked(ledger)
        other = Path(ledger.checkpoints.of(1))
        other.mkdir()
        (other / "r0-a1-e001.pt").write_text("x")
        ledger.fail(second.trial, second.attempt, DIVERGED)
        ledger.checkpoints.close()
        assert not other.exists()


@pytest.mark.parametrize(
    ("score", "values", "scored", "kept"),
    [
        ("best", (0.2, 0.8, 0.8, 0.1, 0.1), 0.8, (2, 5)),
        ("best", (0.2, 0.8, 0.8, 0.1, 0.8), 0.8, (2, 5)),
        ("{best: {from_epoch: 3}}", (0.9, 0.5, 0.7, 0.7, 0.1), 0.7, (3, 5)),
        ("{best: {from_epoch: 5}}", (0.9, 0.5, 0.7, 0.7, 0.1), 0.1, (5,)),
        ("last", (0.2, 0.8, 0.8, 0.1, 0.1), 0.1, (2, 5)),
    ],
)
def test_of_equally_good_epochs_the_first_is_scored_kept_and_named(
    sqlite_url: str, score: str, values: tuple[float, ...], scored: float, kept: tuple[int, ...]
) -> None:
    source = space_text(Behaviour.IMPROVES, epochs=5, trials=1).replace("search: {", f"search: {{score: {score}, ")
    with new_ledger(sqlite_url, parse_space(source)) as ledger:
        asked(ledger)
        folder = Path(ledger.checkpoints.of(0))
        for epoch, value in enumerate(values, 1):
            write_checkpoint(folder, epoch)
            ledger.report(0, 1, progress(epoch, value, checkpoint=f"r0-a1-e00{epoch}.pt"))
        ledger.checkpoints.close()
        assert sorted(path.name for path in folder.iterdir()) == [f"r0-a1-e00{epoch}.pt" for epoch in kept]
    assert rows(sqlite_url, "SELECT score FROM qpsearch_runs") == [(scored,)]
    assert kept_run(sqlite_url).checkpoint == f"r0-a1-e00{kept[-1] if score == 'last' else kept[0]}.pt"


def test_a_later_one_of_equally_good_epochs_stays_where_an_earlier_version_kept_it(sqlite_url: str) -> None:
    """Such a version removed the first as soon as the second was recorded; its trial goes on under this one."""
    source = space_text(Behaviour.IMPROVES, epochs=6, trials=1).replace("search: {", "search: {score: best, ")
    with new_ledger(sqlite_url, parse_space(source)) as ledger:
        asked(ledger)
        folder = Path(ledger.checkpoints.of(0))
        for epoch, value in enumerate((0.8, 0.8, 0.1, 0.1, 0.1, 0.1), 1):
            write_checkpoint(folder, epoch)
            if epoch == 4:
                (folder / "r0-a1-e001.pt").unlink()
            ledger.report(0, 1, progress(epoch, value, checkpoint=f"r0-a1-e00{epoch}.pt"))
            ledger.checkpoints.close()
        assert sorted(path.name for path in folder.iterdir()) == ["r0-a1-e002.pt", "r0-a1-e006.pt"]
    assert kept_run(sqlite_url).checkpoint == "r0-a1-e002.pt"
    for path in folder.iterdir():
        path.unlink()
    assert kept_run(sqlite_url).checkpoint == "r0-a1-e001.pt"  # which is missed by its name


def test_a_trial_is_read_where_the_store_of_its_checkpoints_cannot_be_reached(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES, epochs=1, trials=1))) as ledger:
        asked(ledger)
        ledger.report(0, 1, progress(1, 0.5, checkpoint="r0-a1-e001.pt"))
        folder = ledger.checkpoints.of(0)

    def unreachable(*given: object) -> str:
        raise ArtifactError("s3://bucket: cannot be reached.")

    monkeypatch.setattr(detail, "first_there", unreachable)
    with closing(Database.open(sqlite_url)) as database:
        assert queries.trial_detail(database, "scripted", 0).checkpoints == (f"{folder}/r0-a1-e001.pt",)


def kept_run(url: str) -> queries.KeptRun:
    database = Database.open(url)
    (run,) = queries.kept_runs(database, "scripted", [0])
    assert queries.trial_detail(database, "scripted", 0).checkpoints == (run.path,)  # what trials N names
    database.close()
    return run


def write_checkpoint(folder: Path, epoch: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"r0-a1-e00{epoch}.pt").write_text("x")


def test_a_store_that_does_not_answer_does_not_hold_a_driver_at_its_end(
    sqlite_url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "REMOVAL_S", 0.01)
    noted, gate = list[str](), threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, Noted):
            noted.append(event.text)

    with new_ledger(sqlite_url, space, listen) as ledger:
        monkeypatch.setattr(ledger.checkpoints._files, "names", lambda folder: [str(gate.wait())])
        ledger.checkpoints.drop(0)
    gate.set()
    assert noted == [
        "the store of checkpoints does not answer: some that are not needed are left there until the study is opened again"
    ]


def test_a_driver_does_not_leave_a_thread(sqlite_url: str, space: Space) -> None:
    before = set(threading.enumerate())
    with new_ledger(sqlite_url, space) as ledger:
        ledger.checkpoints.drop(0)
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) <= before


def test_what_a_driver_died_before_tidying_is_tidied_by_the_next(url: str, unpruned: Space) -> None:
    ledger = new_ledger(url, unpruned)
    for trial in range(2):
        asked(ledger)
        Path(ledger.checkpoints.of(trial)).mkdir(parents=True)
    for epoch in range(1, 5):
        ledger.report(0, 1, progress(epoch, 0.1, checkpoint=f"r0-a1-e00{epoch}.pt"))
    ledger.fail(1, 1, DIVERGED)
    for trial in range(2):  # as if it had died between the transaction and the removal
        ledger.checkpoints.close()
        folder = Path(ledger.checkpoints.of(trial))
        folder.mkdir(exist_ok=True)
        for name in ("r0-a1-e001.pt", "r0-a1-e003.pt", "r0-a1-e004.pt", "r0-a1-e005.pt.0a1b.partial"):
            (folder / name).write_text("x")
    abandon(ledger)
    with resumed_ledger(url) as second:
        second.checkpoints.close()
        left = sorted(path.name for path in Path(second.checkpoints.of(0)).iterdir())
        assert left == ["r0-a1-e001.pt", "r0-a1-e004.pt"]  # the first of equally good epochs, and the last epoch
        assert not Path(second.checkpoints.of(1)).exists()


def test_when_all_checkpoints_are_lost_the_repeated_ones_take_their_place(url: str, unpruned: Space) -> None:
    with new_ledger(url, unpruned) as ledger:
        asked(ledger)
        for epoch in (1, 2, 3):
            ledger.report(0, 1, progress(epoch, 0.1 * epoch, checkpoint=f"r0-a1-e00{epoch}.pt"))
    with resumed_ledger(url) as ledger:
        asked(ledger)
        ledger.report(0, 2, progress(1, 0.1, checkpoint="r0-a2-e001.pt"))
    with resumed_ledger(url) as ledger:
        assert asked(ledger).runs[0].resume_from == ("r0-a2-e001.pt",)


def test_a_study_is_not_finished_while_an_interrupted_trial_waits(url: str, space: Space) -> None:
    with new_ledger(url, space) as ledger:
        assignments = [asked(ledger) for _ in range(6)]
        for assignment in assignments[:-1]:
            train_all(ledger, assignment)
        ledger.interrupt(5, 1)
        assert not ledger.finished
        again = asked(ledger)
        assert (again.trial, again.attempt) == (5, 2)


def test_a_loss_that_is_not_finite_is_stored_as_null_and_counts_as_infinite(url: str) -> None:
    """With OptunaSearch, a NaN objective left trials RUNNING for ever."""
    source = space_text(Behaviour.IMPROVES, epochs=1, pruner="hyperband").replace(
        "pruner: hyperband", "pruner: hyperband, objective: {minimize: val_loss}"
    )
    with new_ledger(url, parse_space(source)) as ledger:
        asked(ledger)
        message = progress(1, 0.5)
        blind = type(message.report)(epoch=1, train_loss=1.0, val_loss=None, val_accuracy=0.5, val_nonfinite=3)
        ledger.report(0, 1, type(message)(replicate=0, report=blind, place=message.place))
        assert asked(ledger).trial == 1
    assert records(url)[0][:2] == ("COMPLETE", math.inf)
    assert rows(url, "SELECT val_loss, val_nonfinite FROM qpsearch_epochs") == [(None, 3)]


BY_LOSS = "objective: {minimize: train_loss}"


def test_a_study_without_validation_images_is_scored_and_pruned_by_its_training_loss(url: str) -> None:
    source = space_text(Behaviour.IMPROVES, epochs=2, pruner="median", trials=9)
    source = source.replace("validation: 300", "validation: 0").replace("search: {", f"search: {{{BY_LOSS}, ")
    source = source.replace("{choice: [additive, quotient, product_unit]}", "quotient")  # judged among their like
    with new_ledger(url, parse_space(source)) as ledger:
        for trial in range(9):
            asked(ledger)
            for epoch, loss in ((1, 2.0 if trial == 7 else 0.5), (2, 0.1)):
                report = EpochReport(epoch=epoch, train_loss=loss, val_loss=None, val_accuracy=None)
                ledger.report(trial, 1, Progress(replicate=0, report=report, place=HERE))
    assert [row[:2] for row in records(url)] == [("COMPLETE", 0.1)] * 7 + [("PRUNED", 2.0), ("COMPLETE", 0.1)]
    assert set(rows(url, "SELECT val_loss, val_accuracy, val_nonfinite FROM qpsearch_epochs")) == {(None, None, 0)}


def test_a_superseded_driver_stops_without_writing(url: str, space: Space) -> None:
    first = new_ledger(url, space)
    with pytest.raises(Superseded), first:
        assignment = asked(first)
        first._database.write(lambda c: c.exec_driver_sql("UPDATE qpsearch_leases SET state = 'superseded'"))
        first.report(assignment.trial, assignment.attempt, progress(1, 0.5))
    assert rows(url, "SELECT * FROM qpsearch_epochs") == []
    assert rows(url, "SELECT ending FROM qpsearch_attempts") == [(None,)]


def test_infeasible_draws_are_stored_apart_and_do_not_count(url: str) -> None:
    source = space_text(Behaviour.IMPROVES, trials=8, seed=3).replace("stem: {width: 4}", "stem: {width: 8}")
    source = source.replace("{width: 4,", "{width: {choice: [4, 8, 16]}, shortcut: {choice: [pad, conv1x1]},")
    with new_ledger(url, parse_space(source)) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
        configs = [row[0] for row in rows(url, "SELECT config_json FROM qpsearch_configs")]
    apart = rows(url, "SELECT number, reason FROM qpsearch_infeasible")
    assert len(records(url)) == 8
    assert apart
    assert all(
        "is narrower than its input, but shortcut: pad can only widen (from 8 to 4" in reason for _, reason in apart
    )
    assert not [config for config in configs if '"shortcut":"pad"' in config and '"width":4' in config]


def test_a_space_in_which_nothing_fits_is_said_so(url: str) -> None:
    source = space_text(Behaviour.IMPROVES).replace("{width: 4, depth", "{width: 2, shortcut: pad, depth")
    with (
        new_ledger(url, parse_space(source)) as ledger,
        pytest.raises(UserError, match=r"none of 5300 draws can be trained\. Refused by: stage 0 is narrower"),
    ):
        ledger.ask()
    assert rows(url, "SELECT * FROM trials") == []
