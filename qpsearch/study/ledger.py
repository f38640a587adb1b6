"""The ledger: a driver writes to a study only through a ledger.

Each step (asking for a trial, taking an epoch in, closing) is one transaction in which the driver's lease
is asserted first. A trial ends in exactly one state, and the report that decides about its end is stored
together with that end, so a trial never has ended in memory but not on disk. Several
drivers may each have a ledger of one study: ``Transactions`` puts their steps in one order, ``Peers`` follows theirs.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from optuna.trial import TrialState
from sqlalchemy import Connection

from qpsearch.errors import StorageError, Superseded, SystematicFailure
from qpsearch.protocol import Assignment, Failed, Progress, Run, Underway
from qpsearch.space import Space
from qpsearch.space.search import Budget, SpentBound
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.endings import Endings
from qpsearch.study.drivers.heartbeat import Heartbeat
from qpsearch.study.drivers.peers import Peers, discard_study, supersede
from qpsearch.study.drivers.racing import Racing
from qpsearch.study.drivers.supply import Supply
from qpsearch.study.drivers.transactions import Transactions
from qpsearch.study.opening import Opened
from qpsearch.study.search.pruning import Judgement, Verdict
from qpsearch.study.search.replica import Replica
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import (
    close_trial,
    insert_attrs,
    insert_intermediate,
)
from qpsearch.study.storage.tables import system_attrs
from qpsearch.study.trials import rows
from qpsearch.study.trials.checkpoints import CheckpointFolder
from qpsearch.study.trials.events import (
    BudgetChanged,
    Event,
    Noted,
    Raced,
    Reported,
    Started,
    Stepped,
    TakenOver,
)
from qpsearch.study.trials.open_trial import OpenTrial, begun
from qpsearch.study.trials.underway import StepsRecord
from qpsearch.vocabulary import Ending, Scalar

REMOVAL_S: Final = 60.0  # how long a driver waits at its end for checkpoints to be removed
LOOK_S: Final = 1.0  # how often an idle driver looks for trials that others have left

Listener = Callable[[Event], None]


class Ledger:
    """A study that this driver works on.

    Used from one thread, inside ``with``: a second thread keeps the lease alive, and leaving ``with`` releases it.

    Every method raises ``StorageError`` when the database fails and ``Superseded`` when another driver has taken
    the study over; the ledger must not be used after either.

    Args:
        opened: The study, as ``opening.create`` or ``resume`` returned it.
        listener: Called with each event.

    Attributes:
        gpus: GPUs, or the share of one, that each attempt holds.
    """

    def __init__(self, opened: Opened, listener: Listener = lambda event: None) -> None:
        self._database: Database = opened.database
        self._space: Space = opened.space
        self._study_id, self._lease_id = opened.study_id, opened.lease_id
        self._replica: Replica = opened.replica
        self._running: dict[int, OpenTrial] = {}
        self._idle_since: float | None = None
        self._listener, self._clock = listener, opened.clock
        self._stopping = opened.stopping
        self._racing = Racing(opened.study_id, opened.space.search)
        self.name: str = opened.name
        self.gpus = 0.0
        self.checkpoints: CheckpointFolder = opened.checkpoints
        self._peers = Peers(
            opened.study_id, opened.replica, opened.space.search, opened.stopping, opened.open, listener
        )
        held = (self._database, self._study_id, opened.uid, self._lease_id)
        self._heart = Heartbeat(*held, self._clock, self._steps)
        self._transactions = Transactions(*held, opened.revision, self._follow, listener, self._clock)
        self._spending = opened.spending
        self._supply = Supply(
            space=opened.space,
            study_id=opened.study_id,
            lease_id=opened.lease_id,
            next_number=opened.next_number,
            replica=opened.replica,
            peers=self._peers,
            running=self._running.keys(),
            spending=opened.spending,
            transactions=self._transactions,
            clock=opened.clock,
            tell=listener,
        )
        self._endings = Endings(
            name=opened.name,
            space=opened.space,
            running=self._running,
            peers=self._peers,
            replica=opened.replica,
            spending=opened.spending,
            stopping=opened.stopping,
            racing=self._racing,
            checkpoints=opened.checkpoints,
            transactions=self._transactions,
            clock=opened.clock,
            tell=listener,
        )
        self._looked = float("-inf")
        self._is_gone = False

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heart.stop()
        self._supply.stop()
        try:
            if not self._is_gone and not isinstance(error, Superseded | StorageError):
                if isinstance(error, KeyboardInterrupt):
                    self._transactions.is_over = lambda: True
                self.interrupt_all()
                is_broken = isinstance(error, SystematicFailure)  # its failures are taken back: the study is not over
                if not is_broken and (self.is_over or self._supply.is_exhausted):
                    open_still = self._peers.paused | self._racing.stopped(self._peers.open)
                    self._endings.close_left(open_still, only_alone=True)
                self._transactions.write(self._leave)
        finally:
            if not self.checkpoints.close(REMOVAL_S):
                left = "the store of checkpoints does not answer: some that are not needed are left there"
                self._listener(Noted(text=f"{left} until the study is opened again"))
            self._database.close()

    def wait_until(self, is_over: Callable[[], bool]) -> None:
        """Wait for an unreachable database, but only until the user stops the study."""
        self._transactions.is_over = is_over

    @property
    def space(self) -> Space:
        """The space that is searched."""
        return self._space

    @property
    def budget(self) -> Budget:
        """The budget, as whichever driver set it last."""
        return self._spending.budget

    @property
    def spent(self) -> SpentBound | None:
        """Which bound of the budget, other than the number of trials, is reached; None if none is reached."""
        return self._spending.over(self._heart.seconds, self._now_running_gpu_s())

    @property
    def stopped(self) -> str | None:
        """Which rule of ``search.stop`` holds, in words; None if none holds."""
        return self._stopping.reason

    @property
    def is_over(self) -> bool:
        """Whether nothing more is handed out, and running attempts end at their next report."""
        return self.spent is not None or self.stopped is not None

    @property
    def running(self) -> list[int]:
        """Numbers of the trials that are handed out."""
        return sorted(self._running)

    @property
    def elsewhere(self) -> int:
        """How many open trials other drivers run."""
        return sum(trial.holder is not None for trial in self._peers.open.values())

    @property
    def finished(self) -> bool:
        """Whether this driver has finished.

        The budget is spent, no trial runs, waits or should continue after a pause, and every open trial is held by a
        driver that has given a sign of life since this driver ran out of work. While trials are paused, this driver
        stays for those that results of other drivers may let continue.
        """
        if self._running:
            return False
        if self.is_over:
            return True
        self._look_around()
        if not self._supply.is_exhausted:
            self._idle_since = None
            return False
        if self._peers.paused and self._peers.holders:
            return False
        self._idle_since = self._idle_since or self._clock.monotonic()
        return all(self._heart.alive(holder, self._idle_since) for holder in self._peers.holders)

    def ask(self, *, is_placed: bool = True) -> Assignment | None:
        """Hand out the next attempt: first trials that wait for a driver, then the best paused ones, then new ones.

        None if no attempt can be handed out now: the budget is spent, though trials may still run, here or elsewhere.

        Args:
            is_placed: Whether the attempt has its cores at once. Else its time begins with ``placed``.

        Raises:
            UserError: Thousands of draws in a row cannot be trained.
        """
        self._look_around()
        if self.is_over:
            return None
        trial = self._supply.take(self.gpus)
        if trial is None:
            return None
        trial.began, trial.steps, trial.gpus = self._clock.monotonic() if is_placed else None, None, self.gpus
        self._running[trial.number] = trial
        self._listener(
            Started(
                number=trial.number,
                attempt=trial.attempt,
                blocks=tuple(stage.block for stage in trial.config.network.stages),
                config=trial.config,
                epochs=trial.epochs,
                resumed_at=trial.epochs_kept,
            )
        )
        return trial.assignment(self._space.search)

    def placed(self, number: int, attempt: int) -> None:
        """Begin an attempt's time: it has got its cores, for which it may have waited behind others of a cluster."""
        trial = self._attempted(number, attempt)
        if trial is not None and trial.began is None:
            trial.began = self._clock.monotonic()

    def params(self, number: int) -> dict[str, Scalar]:
        """Return the parameters of a trial, without asking the database."""
        return self._replica.params(number)

    def prepare(self) -> None:
        """Begin to draw the next new trial in another thread."""
        self._supply.prepare()

    @property
    def ready(self) -> bool:
        """Whether ``ask`` would answer without drawing."""
        return self._supply.is_ready

    def report(self, number: int, attempt: int, progress: Progress) -> bool:
        """Record an epoch.

        Returns:
            Whether the attempt should continue: False when its trial has just ended (complete or pruned) or paused, and
            for a message of an attempt that had already ended.
        """
        trial = self._attempted(number, attempt)
        if trial is None:
            return False
        report, replicate = progress.report, progress.replicate
        history = trial.histories[replicate]
        search = self._space.search
        value, *further = (each.metric.of(report, report.metrics) for each in (search.objective, *search.further))
        is_new = history.record(report.epoch, value, report.checkpoint, tuple(further))
        done = trial.is_done()
        results = trial.results(search) if done else trial.results_so_far(search)
        seconds = trial.held_s(self._clock.monotonic())
        judged: list[Judgement] = []

        def step(connection: Connection, revision: int) -> tuple[TrialState | None, bool, list[Run]]:
            if not judged:  # only now is it known what other drivers have written
                judged.append(self._judge(trial, progress, value, further) if is_new else Judgement(Verdict.CONTINUE))
            verdict, now = judged[0].verdict, self._clock.now()
            state = TrialState.COMPLETE if done else TrialState.PRUNED if verdict is Verdict.PRUNE else None
            place = None if trial.placed else progress.place
            rows.touch(connection, trial.trial_id, revision)
            rows.update_attempt(connection, trial, seconds, 0.0 if is_new else report.seconds, place, now)
            rows.insert_epoch(connection, trial, progress, is_new, now)
            rows.insert_fused(connection, trial, progress)
            if is_new and replicate == 0:
                insert_intermediate(connection, trial.trial_id, report.epoch, value)
            insert_attrs(connection, system_attrs, trial.trial_id, judged[0].attrs)
            if trial.run_is_done(replicate):
                rows.set_score(connection, trial.trial_id, replicate, history.score(search))
            another = list(filter(None, [self._racing.another(connection, trial) if done else None]))
            if state is not None:
                rows.end_attempt(connection, trial, Ending.FINISHED if done else Ending.PRUNED, now, seconds)
            if state is not None and not another:
                close_trial(connection, trial.trial_id, state, results, now)
            elif verdict is Verdict.PAUSE:
                rows.end_attempt(connection, trial, Ending.PAUSED, now, seconds)
            return state, verdict is Verdict.PAUSE, another

        state, is_paused, another = self._transactions.write(step)
        trial.take_place(progress)
        trial.deaths, trial.steps = 0, None
        self._endings.alike.reported()
        if is_new:
            self._spending.add_epoch(report.epoch)
        ends = state is not None and not another
        ended = self._endings.end(trial, state, results, None, seconds) if state is not None and ends else None
        if ended is None and not is_paused and report.checkpoint:
            kept = (*((name,) for name in history.checkpoints), *history.worth_keeping(self._space.search))
            self.checkpoints.keep(number, replicate, kept, report.epoch)
        self._listener(
            Reported(
                number=number, replicate=replicate, value=value, report=report, place=progress.place, is_new=is_new
            )
        )
        if ended is not None:
            self._listener(ended)
        if is_paused:
            self._endings.pause(trial, report.epoch, seconds)
        for run in another:
            self._endings.wait(trial, seconds)
            trial.histories.append(begun(run, self._space.search))
            self._listener(Raced(number=number, value=results[0], seeds=run.replicate))
        return ended is None and not is_paused and not another

    def hear(self, number: int, attempt: int, underway: Underway) -> bool:
        """Tell how far an epoch is, without recording it; return whether the attempt should continue."""
        trial = self._attempted(number, attempt)
        if trial is None:
            return False
        trial.steps = StepsRecord(recorded=trial.epochs_done, replicate=underway.replicate, steps=underway.steps)
        self._listener(Stepped(number=number, replicate=underway.replicate, steps=underway.steps))
        return True

    def fail(self, number: int, attempt: int, failed: Failed) -> None:
        """End a trial as FAIL, or begin it again with fewer images at once where its steps lacked memory.

        A message of an attempt that had already ended is ignored; so it is by ``lose`` and ``interrupt``.

        Raises:
            SystematicFailure: All trials so far ended alike before their first epoch; they are open again.
        """
        if trial := self._attempted(number, attempt):
            self._endings.fail(trial, failed)

    def lose(self, number: int, attempt: int, failed: Failed) -> None:
        """Record that an attempt's worker is gone: the trial continues, but fails at the third death at one epoch."""
        if trial := self._attempted(number, attempt):
            self._endings.lose(trial, failed)

    def interrupt(self, number: int, attempt: int) -> None:
        """Release an attempt: its trial stays open, and the next driver to ask continues from its last checkpoint."""
        if trial := self._attempted(number, attempt):
            self._endings.interrupt(trial)

    def interrupt_all(self) -> None:
        """Release every attempt."""
        for trial in list(self._running.values()):
            self.interrupt(trial.number, trial.attempt)

    def discard(self) -> None:
        """Delete a study that could not be started and does not have a trial or another driver yet."""
        with contextlib.suppress(Superseded):  # already deleted: by us in a commit whose answer was lost, or by others
            if not self._transactions.write(lambda c, revision: discard_study(c, self._study_id, self._lease_id)):
                return
        self._is_gone = True

    def _attempted(self, number: int, attempt: int) -> OpenTrial | None:
        """Return the trial that this attempt runs; None where the attempt has ended."""
        trial = self._running.get(number)
        return trial if trial is not None and trial.attempt == attempt else None

    def _steps(self) -> dict[int, StepsRecord]:
        """Return how far the epochs of the running trials are; called from the heartbeat's thread."""
        running = self._running.copy().values()
        return {trial.number: steps for trial in running if (steps := trial.steps) is not None}

    def _leave(self, connection: Connection, revision: int) -> None:
        """Release the lease; an attempt that an interrupt left half begun must not seem to run forever."""
        rows.end_attempts_of(connection, self._lease_id, self._clock.now(), revision)
        lease.release(connection, self._lease_id, self._heart.seconds, self._clock.now())

    def _judge(self, trial: OpenTrial, progress: Progress, value: float, further: list[float]) -> Judgement:
        """Return what becomes of a trial after a new epoch; one that would be continued at once does not pause."""
        number, replicate, judgement = trial.number, progress.replicate, Judgement(Verdict.CONTINUE)
        if replicate == 0:
            judgement = self._replica.report(number, progress.report.epoch, value, further)
        if judgement.verdict is Verdict.PAUSE and (
            trial.run_is_done(0) or (not self._peers.waiting and self._supply.promotable(number) == number)
        ):
            judgement = replace(judgement, verdict=Verdict.CONTINUE)
        if trial.run_is_done(replicate):
            score = trial.histories[replicate].score(self._space.search)
            judgement = judgement.followed_by(self._replica.run_ended(number, replicate, score))
        return judgement

    def _look_around(self) -> None:
        """Now and then, follow the other drivers, and take over the trials of drivers that are gone."""
        if self._clock.monotonic() - self._looked < LOOK_S:
            return
        self._looked = self._clock.monotonic()
        self._heart.check()
        for holder in self._heart.gone:

            def step(connection: Connection, revision: int, holder: lease.Lease = holder) -> list[int] | None:
                now = self._clock.now()
                return supersede(connection, self._study_id, holder, now, revision, unless_it_moved=True)

            left = self._transactions.write(step)
            if left is not None:
                for trial in self._peers.open.values():
                    trial.holder = None if trial.trial_id in left else trial.holder
                self._listener(TakenOver(driver=str(holder.driver), trials=len(left)))
        self._transactions.catch_up()
        self._supply.look()

    def _follow(self, connection: Connection, since: int) -> None:
        self._peers.follow(connection, since, self._running)
        before = self._spending.budget
        self._spending.follow(connection)
        if (budget := self._spending.budget) != before:
            self._listener(BudgetChanged(budget=budget, left=self._spending.left(trials=0)))

    def _now_running_gpu_s(self) -> float:
        now = self._clock.monotonic()
        return sum(trial.gpus * trial.held_s(now) for trial in self._running.values())
