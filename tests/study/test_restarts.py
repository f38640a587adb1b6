"""Restarts at any moment do not change suggestions, decisions or what a study holds."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from qpsearch.protocol import Assignment, Failed
from qpsearch.space import parse_space
from qpsearch.study import queries
from qpsearch.study.storage.database import Database
from qpsearch.vocabulary import FailReason
from tests.helpers import abandon, new_ledger, progress, resumed_ledger, rows, train_all
from tests.scripted import Behaviour, space_text

DIVERGED = Failed(reason=FailReason.DIVERGED, detail="training loss nan in epoch 2")


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
@pytest.mark.parametrize("pruner", ["asha", "hyperband", "median"])
def test_restarts_change_neither_suggestions_nor_decisions(tmp_path: Path, sampler: str, pruner: str) -> None:
    """Rungs are kept, and a restarted sampler does not ask the same first points again."""
    trials = 14 if sampler == "gp" else 30
    space = parse_space(space_text(Behaviour.IMPROVES, trials=trials, sampler=sampler, pruner=pruner, epochs=9))

    def run(url: str, restarts: set[tuple[int, int]]) -> list[tuple[object, ...]]:
        ledger = new_ledger(url, space)
        while (assignment := ledger.ask()) is not None:
            done = epochs_of(url, assignment.trial)
            for epoch in sorted(epoch for trial, epoch in restarts if trial == assignment.trial and epoch > done):
                if not train_all(ledger, assignment, done + 1, epoch):
                    break
                done = epoch
                abandon(ledger)
                ledger = resumed_ledger(url)
                again = ledger.ask()
                assert again is not None
                assert again.trial == assignment.trial
                assignment = again
            else:
                if assignment.trial % 7 == 5 and not done:
                    ledger.fail(assignment.trial, assignment.attempt, DIVERGED)
                else:
                    train_all(ledger, assignment, done + 1)
        ledger.__exit__(None, None, None)
        database = Database.open(url)
        found = queries.frozen_trials(database, "scripted")
        database.close()
        return [
            (t.number, t.state, t.value, sorted(t.params.items(), key=str), sorted(t.system_attrs.items()))
            for t in found
        ]

    whole = run(f"sqlite:///{tmp_path}/whole.db", set())
    cut = run(f"sqlite:///{tmp_path}/cut.db", {(2, 1), (2, 3), (7, 2), (11, 8), (13, 1)})
    assert cut == whole
    assert len({str(row[3]) for row in whole}) > trials * 0.8
    assert {"PRUNED", "COMPLETE", "FAIL"} <= {row[1].name for row in whole} or sampler == "gp"


def epochs_of(url: str, number: int) -> int:
    query = "SELECT count(*) FROM qpsearch_epochs JOIN trials USING (trial_id) WHERE number = :n"
    return int(rows(url, query, n=number)[0][0])


class LedgerMachine(RuleBasedStateMachine):
    """Any order of asks, reports, failures, interruptions and crashes keeps the promises."""

    @initialize(
        seed=st.integers(0, 100),
        replicates=st.sampled_from(["1", "2", "{race: [1, 4]}"]),
        pruner=st.sampled_from(["none", "hyperband", "asha"]),
    )
    def start(self, seed: int, replicates: str, pruner: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{self.folder.name}/q.db"
        space = parse_space(
            space_text(
                Behaviour.IMPROVES,
                trials=5,
                epochs=3,
                seed=seed,
                replicates=replicates,
                pruner=pruner,
                sampler="random",
            )
        )
        self.ledger = new_ledger(self.url, space)
        self.open: dict[int, Assignment] = {}
        self.done: dict[tuple[int, int], int] = {}

    @rule()
    def ask(self) -> None:
        assignment = self.ledger.ask()
        if assignment is not None:
            assert assignment.trial not in self.open
            self.open[assignment.trial] = assignment

    @precondition(lambda self: self.open)
    @rule(data=st.data(), value=st.floats(0, 1))
    def report(self, data: st.DataObject, value: float) -> None:
        trial = data.draw(st.sampled_from(sorted(self.open)))
        assignment = self.open[trial]
        run = next(run for run in assignment.runs if self.done.get((trial, run.replicate), 0) < 3)
        epoch = self.done.get((trial, run.replicate), 0) + 1
        go_on = self.ledger.report(trial, assignment.attempt, progress(epoch, value, run.replicate))
        self.done[trial, run.replicate] = epoch
        if not go_on:
            del self.open[trial]

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        trial = data.draw(st.sampled_from(sorted(self.open)))
        self.ledger.fail(trial, self.open.pop(trial).attempt, DIVERGED)

    @rule(softly=st.booleans())
    def restart(self, softly: bool) -> None:
        if softly:
            self.ledger.__exit__(None, None, None)
        else:
            abandon(self.ledger)
        self.ledger = resumed_ledger(self.url)
        self.open.clear()

    @invariant()
    def promises_hold(self) -> None:
        if not hasattr(self, "ledger"):
            return
        trials = rows(self.url, "SELECT number, state FROM trials ORDER BY number")
        assert [number for number, _ in trials] == list(range(len(trials)))
        assert len(trials) <= 5
        twice = "SELECT trial_id, replicate, epoch FROM qpsearch_epochs GROUP BY trial_id, replicate, epoch HAVING count(*) > 1"
        assert rows(self.url, twice) == []
        for number, state in trials:
            endings = [
                row[0]
                for row in rows(
                    self.url,
                    "SELECT ending FROM qpsearch_attempts JOIN trials USING (trial_id) WHERE trials.number = :n ORDER BY qpsearch_attempts.number",
                    n=number,
                )
            ]
            last = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}.get(state)
            races = self.ledger.space.search.race is not None
            before = {"lost", "interrupted", "paused"} | ({"finished"} if races else set())
            assert all(ending in before for ending in endings[:-1])
            if number in self.open:
                assert endings[-1] is None
            elif state == "RUNNING":
                assert endings[-1] in before
            else:
                assert endings[-1] == last or (endings[-1], last) == ("paused", "pruned")

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            abandon(self.ledger)
            self.folder.cleanup()


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=8, stateful_step_count=25, deadline=None)
