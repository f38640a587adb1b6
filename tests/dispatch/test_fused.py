"""Seeds of a trial that are trained as one network: which, in what order they are reported, what is recorded of it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from qpsearch import training
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.notes import notes
from qpsearch.dispatch.handlers import handle_message
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.worker import WorkerSetup, messages
from qpsearch.protocol import Assignment, Progress, RunSettings, StepCount, Told, Underway
from qpsearch.runner.driving import Placement
from qpsearch.runner.rerunning import rerun
from qpsearch.runner.starting import run
from qpsearch.space import edited, parse_space
from qpsearch.study import queries
from qpsearch.study.ledger import Ledger
from qpsearch.study.records import TrialDetail
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import Dispatcher
from tests.helpers import new_ledger, resumed_ledger
from tests.scripted import Behaviour, space_text, train

FUSED = """
study: fused
data: {dataset: digits, validation: 700}
network: {stem: {width: 4}, stages: [{width: 4, depth: 1, block: product_unit}]}
training: {epochs: 2, optimizer: {sgd: {lr: 0.001}}}
search: {sampler: grid, pruner: none, replicates: 3}
resources: {fuse: always, gpus: 0}
"""


def test_a_fused_study_trains_every_seed_and_is_repeated_to_the_bit(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    run(parse_space(FUSED), storage=url, placement=Placement(dispatcher=Dispatcher.INLINE))
    database = Database.open(url)
    detail = queries.trial_detail(database, "fused", 0)
    assert detail.record.state == "COMPLETE"
    assert [attempt.fused for attempt in detail.attempts] == [(0, 1, 2)]
    assert [(row["replicate"], row["epoch"]) for row in detail.epochs] == [(r, e) for r in range(3) for e in (1, 2)]
    assert detail.record.values == pytest.approx([sum(each.score or 0 for each in detail.runs) / 3])
    assert len(set(detail.checkpoints)) == 3
    assert rerun(database, "fused", 0, replicate=2).matches
    database.close()
    assert alone(detail) == pytest.approx(0, abs=1e-5)


def alone(detail: TrialDetail) -> float:
    """Return by how much a loss differs at most where each run of a fused trial is trained by itself."""
    return max(
        abs(row["train_loss"] - report.train_loss)
        for own in detail.runs
        for row, report in zip(
            [row for row in detail.epochs if row["replicate"] == own.replicate],
            training.train(detail.record.config, RunSettings(seed=own.seed)),
            strict=True,
        )
    )


def asked(ledger: Ledger) -> Assignment:
    assignment = ledger.ask()
    assert assignment is not None
    return assignment


@pytest.mark.parametrize(("pruner", "alone"), [("none", 0), ("median", 1), ("asha", 1), ("wilcoxon", 5)])
def test_what_may_end_a_trial_is_trained_by_itself(sqlite_url: str, pruner: str, alone: int) -> None:
    """Pruners of epochs watch the first seed; wilcoxon judges after each."""
    text = space_text(Behaviour.IMPROVES, epochs=9, replicates=5, pruner=pruner)
    with new_ledger(sqlite_url, parse_space(text)) as ledger:
        assert asked(ledger).alone == alone


def test_seeds_whose_time_is_optimised_are_trained_by_themselves(sqlite_url: str) -> None:
    text = space_text(Behaviour.IMPROVES, replicates=5)
    text = text.replace("search: {", "search: {objective: {minimize: epoch_seconds}, ")
    with new_ledger(sqlite_url, parse_space(text)) as ledger:
        assert asked(ledger).alone == 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, r"resources.fuse always fuses nothing: each trial begins with one seed. Raise search.replicates\."),
        ({"replicates": 2, "pruner": "asha"}, r"nothing: asha watches the first of 2 seeds. Write pruner: none"),
        ({"replicates": 6, "pruner": "wilcoxon"}, "nothing: wilcoxon judges after each seed. Write another"),
        ({"replicates": 3, "objective.minimize": "epoch_seconds"}, "nothing: a fused seed has no time of its own"),
        ({"replicates": 3, "pruner": "asha"}, None),
        ({"replicates": {"race": [2, 5]}, "pruner": "none"}, None),
    ],
)
def test_a_space_in_which_nothing_can_be_fused_is_told(changes: dict[str, object], said: str | None) -> None:
    own = {f"search.{name}": value for name, value in changes.items()} | {"resources.fuse": "always"}
    found = [each for each in notes(parse_space(edited(space_text(Behaviour.IMPROVES), own))) if "fuse" in each]
    assert len(found) == (said is not None)
    assert not found or re.search(str(said), found[0])


def scripted(config: TrialConfig, runs: Sequence[RunSettings]) -> Iterator[Told]:
    """Train runs in step, as fused ones are."""
    together = tuple(range(len(runs)))
    streams = [train(config, each) for each in runs]
    for reports in zip(*streams, strict=True):
        yield Told(run=0, report=StepCount(epoch=reports[0].epoch, done=1, of=2), together=together)
        for index, report in enumerate(reports):
            yield Told(run=index, report=report, together=together, more=index + 1 < len(runs))


def setup(folder: Path) -> WorkerSetup:
    return WorkerSetup(
        trainer=train,
        checkpoints=str(folder),
        data_folder=None,
        device="cpu",
        threads=1,
        report_timeout_s=None,
        runs_trainer=scripted,
    )


def seen(message: object) -> tuple[int, int, tuple[int, ...]]:
    assert isinstance(message, Progress)
    return message.replicate, message.report.epoch, message.fused


def test_the_seeds_behind_a_judged_one_are_fused(sqlite_url: str, tmp_path: Path) -> None:
    text = space_text(Behaviour.IMPROVES, epochs=2, replicates=3, pruner="median")
    with new_ledger(sqlite_url, parse_space(text)) as ledger:
        said = list(messages(asked(ledger), setup(tmp_path), "cpu"))
    assert [seen(each) for each in said if not isinstance(each, Underway)] == [
        (0, 1, ()), (0, 2, ()), (1, 1, (1, 2)), (2, 1, (1, 2)), (1, 2, (1, 2)), (2, 2, (1, 2))
    ]  # fmt: skip
    assert {each.replicate for each in said if isinstance(each, Underway)} == {1}


def test_a_stopped_study_records_an_epoch_of_all_seeds_and_goes_on_from_it(sqlite_url: str, tmp_path: Path) -> None:
    """What a worker killed between two reports leaves is continued seed by seed."""
    text = space_text(Behaviour.IMPROVES, epochs=4, replicates=3, trials=1, pruner="none")
    with new_ledger(sqlite_url, parse_space(text)) as ledger, Interrupt(lambda: None) as interrupt:
        assignment = asked(ledger)
        interrupt.request()
        took = []
        for message in messages(assignment, setup(tmp_path), "cpu"):
            took.append(handle_message(ledger, assignment, message, interrupt))
            if not took[-1]:
                break
        assert took == [True, True, True, False]
    with resumed_ledger(sqlite_url) as ledger:
        assignment = asked(ledger)
        assert [len(each.resume_from) for each in assignment.runs] == [1, 1, 1]
        (_, second, *_) = (each for each in messages(assignment, setup(tmp_path), "cpu") if isinstance(each, Progress))
        assert (second.replicate, second.report.epoch) == (1, 2)
    database = Database.open(sqlite_url)
    assert queries.trial_detail(database, "scripted", 0).attempts[0].fused == (0, 1, 2)
    database.close()


def test_a_fused_trainer_that_ends_early_fails_its_trial(sqlite_url: str, tmp_path: Path) -> None:
    text = space_text(Behaviour.ENDS_EARLY, epochs=4, replicates=2)
    with new_ledger(sqlite_url, parse_space(text)) as ledger:
        *_, last = messages(asked(ledger), setup(tmp_path), "cpu")
    assert "the trainer ended after epoch 2 of 4" in str(last)
