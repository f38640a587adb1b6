"""Several drivers of one study, in any order of steps: each promise holds after every one, and all see the same."""

import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from optuna.trial import TrialState

from qpsearch.errors import Superseded
from qpsearch.protocol import Assignment, Failed
from qpsearch.space import Space, edited, parse_space
from qpsearch.study.ledger import Ledger
from qpsearch.study.search.halving import Halving
from qpsearch.study.search.optuna_pruning import OptunaPruning
from qpsearch.study.search.pruning import Pruning
from qpsearch.study.search.replica import Replica
from qpsearch.vocabulary import FailReason
from tests.helpers import new_ledger, progress, resumed_ledger, rows, train_all
from tests.scripted import Behaviour, space_text

TRIALS, EPOCHS = 7, 3
DIVERGED = Failed(reason=FailReason.DIVERGED, detail="training loss nan in epoch 2")
LOST = Failed(reason=FailReason.WORKER_LOST, detail="the worker process died")


def die(ledger: Ledger) -> None:
    """Leave one ledger as a killed driver does."""
    query = f"UPDATE qpsearch_leases SET process_started = process_started - 1000 WHERE lease_id = {ledger._lease_id}"
    ledger._database.write(lambda c: c.exec_driver_sql(query))
    ledger._database.close()


def seen_by(replica: Replica) -> dict[int, tuple[object, ...]]:
    """What a replica says about each trial, which failures are shown as pruned in."""
    found = {}
    for number, trial_id in replica._ids.items():
        trial = replica._storage.get_trial(trial_id)
        judged = judged_by(replica._pruning, number)
        found[number] = (trial.params, trial.state, trial.values, trial.intermediate_values, judged)
    return found


def judged_by(pruning: Pruning, number: int) -> object:
    """What a pruner knows about a trial."""
    if isinstance(pruning, Halving):
        return {epoch: rung.loss.get(number) for epoch, rung in pruning._strata[pruning._stratum_of[number]].items()}
    assert isinstance(pruning, OptunaPruning)
    own = pruning._stratum_of[number]
    twin = own._storage.get_trial(own._ids[number])
    return twin.state, {key: value for key, value in twin.system_attrs.items() if key.startswith("completed_rung")}


class Drivers(RuleBasedStateMachine):
    """Up to three drivers ask, report, fail, lose workers, stop, die, join, and are taken over."""

    @initialize(
        seed=st.integers(0, 100),
        pruner=st.sampled_from(["none", "asha", "hyperband", "median"]),
        replicates=st.sampled_from(["1", "{race: [1, 3]}"]),
    )
    def start(self, seed: int, pruner: str, replicates: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{self.folder.name}/q.db"
        text = space_text(
            Behaviour.IMPROVES,
            trials=TRIALS,
            epochs=EPOCHS,
            seed=seed,
            pruner=pruner,
            sampler="random",
            replicates=replicates,
        )
        self.ledgers: list[Ledger] = [new_ledger(self.url, parse_space(text))]
        self.open: list[dict[int, Assignment]] = [{}]
        self.superseded: list[Ledger] = []

    def epochs(self, number: int) -> int:
        query = "SELECT count(*) FROM qpsearch_epochs JOIN trials USING (trial_id) WHERE number = :n"
        return int(rows(self.url, query, n=number)[0][0])

    def pick(self, data: st.DataObject) -> int:
        return int(data.draw(st.integers(0, len(self.ledgers) - 1)))

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        driver = self.pick(data)
        self.ledgers[driver]._looked = float("-inf")
        assignment = self.ledgers[driver].ask()
        if assignment is not None:
            assert all(assignment.trial not in held for held in self.open)
            self.open[driver][assignment.trial] = assignment

    @precondition(lambda self: any(self.open))
    @rule(data=st.data(), value=st.floats(0, 1))
    def report(self, data: st.DataObject, value: float) -> None:
        driver = data.draw(st.sampled_from([index for index, held in enumerate(self.open) if held]))
        number = data.draw(st.sampled_from(sorted(self.open[driver])))
        replicate, done = divmod(self.epochs(number), EPOCHS)
        epoch = done + 1
        attempt = self.open[driver][number].attempt
        told = progress(epoch, value, replicate, checkpoint=f"c{epoch}.pt")
        go_on = self.ledgers[driver].report(number, attempt, told)
        assert not (go_on and epoch == EPOCHS)
        if not go_on:
            del self.open[driver][number]

    @precondition(lambda self: any(self.open))
    @rule(data=st.data(), how=st.sampled_from(["fail", "lose", "interrupt"]))
    def end(self, data: st.DataObject, how: str) -> None:
        driver = data.draw(st.sampled_from([index for index, held in enumerate(self.open) if held]))
        number = data.draw(st.sampled_from(sorted(self.open[driver])))
        assignment = self.open[driver].pop(number)
        if how == "interrupt":
            self.ledgers[driver].interrupt(number, assignment.attempt)
        else:
            getattr(self.ledgers[driver], how)(number, assignment.attempt, DIVERGED if how == "fail" else LOST)

    @precondition(lambda self: len(self.ledgers) < 3)
    @rule()
    def join(self) -> None:
        self.ledgers.append(resumed_ledger(self.url))
        self.open.append({})

    @precondition(lambda self: self.ledgers)
    @rule(data=st.data(), softly=st.booleans())
    def leave(self, data: st.DataObject, softly: bool) -> None:
        driver = self.pick(data)
        ledger = self.ledgers.pop(driver)
        self.open.pop(driver)
        ledger.__exit__(None, None, None) if softly else die(ledger)
        if not self.ledgers:
            self.join()

    @rule()
    def take_over(self) -> None:
        """One driver takes everything; the others wake up later and must not write."""
        taker = resumed_ledger(self.url, take_over=True)
        self.superseded += self.ledgers
        for ledger, held in zip(self.ledgers, self.open, strict=True):
            before = rows(self.url, "SELECT revision FROM qpsearch_studies")
            for number, assignment in held.items():
                try:
                    replicate, done = divmod(self.epochs(number), EPOCHS)
                    ledger.report(number, assignment.attempt, progress(done + 1, 0.5, replicate))
                    raise AssertionError("a superseded driver wrote")
                except Superseded:
                    break
            assert rows(self.url, "SELECT revision FROM qpsearch_studies") == before
            ledger._database.close()
        self.ledgers, self.open = [taker], [{}]

    @invariant()
    def promises_hold(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        trials = rows(self.url, "SELECT number, state, trial_id FROM trials ORDER BY number")
        assert [number for number, *_ in trials] == list(range(len(trials)))
        assert len(trials) <= TRIALS
        held = rows(
            self.url,
            "SELECT number, lease_id FROM (SELECT trial_id, lease_id FROM qpsearch_attempts WHERE ending IS NULL) JOIN trials USING (trial_id)",
        )
        assert len({number for number, _ in held}) == len(held)
        assert {number for open_ in self.open for number in open_} <= {number for number, _ in held}
        for number, state, _ in trials:
            epochs = rows(
                self.url,
                "SELECT epoch FROM qpsearch_epochs JOIN trials USING (trial_id) WHERE number = :n ORDER BY replicate, epoch",
                n=number,
            )
            assert [epoch for (epoch,) in epochs] == [done % EPOCHS + 1 for done in range(len(epochs))]
            is_whole = len(epochs) > 0 and len(epochs) % EPOCHS == 0
            raced = self.ledgers[0].space.search.race is not None and state in ("RUNNING", "FAIL")
            assert raced or (state == "COMPLETE") == is_whole

    @invariant()
    def all_drivers_see_what_the_database_says(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        fresh = resumed_ledger(self.url)
        truth = seen_by(fresh._replica)
        fresh._transactions.write(lambda c, revision: None)
        query = f"DELETE FROM qpsearch_leases WHERE lease_id = {fresh._lease_id}"
        fresh._database.write(lambda c: c.exec_driver_sql(query))
        fresh._database.close()
        for ledger in self.ledgers:
            ledger._transactions.catch_up()
            assert seen_by(ledger._replica) == truth

    def teardown(self) -> None:
        if hasattr(self, "ledgers"):
            for ledger in self.ledgers:
                die(ledger)
            self.folder.cleanup()


TestDrivers = Drivers.TestCase
TestDrivers.settings = settings(max_examples=3, stateful_step_count=25, deadline=None)


FIRST = [
    {"network.stages.0.block": "quotient", "network.stages.0.depth": 3},  # which the space forbids
    {"network.stages.0.block": "product_unit", "network.stages.0.depth": 2, "training.optimizer.sgd.lr": 0.05},
    {"network.stages.0.block": "additive", "network.stages.0.depth": 2, "training.optimizer.sgd.lr": 0.07},
]


def test_drivers_that_draw_at_once_try_every_listed_configuration(sqlite_url: str) -> None:
    """Refused draws of a number that the other one took counted as draws of the next, whose own point was passed over."""
    forbidden = ["network.stages.0.block == quotient and network.stages.0.depth == 3"]
    text = space_text(Behaviour.IMPROVES, trials=8, sampler="random", pruner="none")
    listed = parse_space(edited(text, {"search.forbid": forbidden, "search.first": FIRST}))
    with new_ledger(sqlite_url, listed) as first, resumed_ledger(sqlite_url) as second:
        first.prepare()
        second.prepare()
        asked = [ledger.ask() for ledger in (first, second, first, second)]
        rates = [each.config.recipe.optimizer.lr for each in asked if each is not None]
    assert rates[1:3] == [0.05, 0.07]


def test_two_drivers_share_a_budget_and_ask_no_point_twice(url: str, space: Space) -> None:
    """With Optuna alone two workers popped one trial; workers of one seed asked the same first points."""
    with new_ledger(url, space) as first, resumed_ledger(url) as second:
        first.prepare()
        second.prepare()  # both draw for number 0
        got: list[Assignment] = []
        for ledger in (first, second) * 6:
            ledger._looked = float("-inf")
            assignment = ledger.ask()
            if assignment is not None:
                got.append(assignment)
                train_all(ledger, assignment)
                ledger.prepare()
        assert sorted(assignment.trial for assignment in got if assignment.attempt == 1) == list(range(6))
        assert len({(assignment.trial, assignment.attempt) for assignment in got}) == len(got)
        assert len({assignment.config for assignment in got}) == 6
        assert len({assignment.runs[0].seed for assignment in got}) == 6
        assert first._replica.known == 6
    states = [state for (state,) in rows(url, "SELECT state FROM trials")]
    promoted = [assignment.trial for assignment in got if assignment.attempt == 2]
    assert promoted
    assert set(states) == {TrialState.COMPLETE.name, TrialState.PRUNED.name}
    assert states.count(TrialState.COMPLETE.name) >= len(promoted)  # others went on without a pause


def test_a_driver_sees_what_the_other_asked_before_it_draws(url: str, space: Space) -> None:
    with new_ledger(url, space) as first, resumed_ledger(url) as second:
        for _ in range(3):
            assert first.ask() is not None
        third = second.ask()
        assert third is not None
        assert third.trial == 3
        assert len(second._replica._study.get_trials(states=(TrialState.RUNNING,))) == 4


def test_a_trial_whose_workers_keep_dying_fails_at_the_third_death(url: str, space: Space) -> None:
    with new_ledger(url, space) as ledger:
        assert ledger.ask() is not None
        for attempt in (1, 2):
            ledger.lose(0, attempt, LOST)
            again = ledger.ask()
            assert again is not None
            assert (again.trial, again.attempt) == (0, attempt + 1)
        ledger.report(0, 3, progress(1, 0.5))  # progress: the count begins anew
        for attempt in (3, 4):
            ledger.lose(0, attempt, LOST)
            assert ledger.ask().attempt == attempt + 1  # type: ignore[union-attr]
        ledger.lose(0, 5, LOST)
        with resumed_ledger(url) as other:
            assert other.ask().trial == 1  # type: ignore[union-attr]
    found = rows(url, "SELECT number, ending, reason FROM qpsearch_attempts WHERE trial_id = 1 ORDER BY number")
    assert found == [*((n, "lost", "worker_lost") for n in (1, 2, 3, 4)), (5, "failed", "worker_lost")]
