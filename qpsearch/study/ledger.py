"""The ledger: a driver writes to a study only through a ledger.

Each step (asking for a trial, taking an epoch in, closing) is one transaction in which the driver's lease
is asserted first. A trial ends in exactly one state, and the report that decides about its end is stored
together with that end, so a trial never has ended in memory but not on disk. Several
drivers may each have a ledger of one study: ``Transactions`` puts their steps in one order, ``Peers`` follows theirs.
"""

import contextlib
from collections.abc import Callable, Collection
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from optuna.trial import TrialState
from sqlalchemy import Connection

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.second_try import at_once
from qpsearch.errors import StorageError, Superseded, SystematicFailure, command, gist
from qpsearch.protocol import Assignment, Failed, Progress, Run, Underway
from qpsearch.space import Space
from qpsearch.space.search import Budget, SpentBound
from qpsearch.study.drivers import lease
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
    replace_attrs,
)
from qpsearch.study.storage.tables import system_attrs, user_attrs
from qpsearch.study.trials import rows
from qpsearch.study.trials.checkpoints import CheckpointFolder
from qpsearch.study.trials.events import (
    Closed,
    Event,
    Interrupted,
    Lost,
    Noted,
    Paused,
    Raced,
    Reported,
    Retried,
    Started,
    Stepped,
    TakenOver,
)
from qpsearch.study.trials.failures import Alike, has_failed, reopen, tried_again_as
from qpsearch.study.trials.open_trial import OpenTrial, begun
from qpsearch.study.trials.underway import StepsRecord
from qpsearch.vocabulary import Ending, FailReason, Scalar

PARTS: Final = "training.gradient_accumulation"  # what another recipe changes
MAX_DEATHS: Final = 3  # of workers in a row, at one epoch, before the trial is held to be the cause
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
        searched = {site.path for site in opened.space.sites if site.domain is not None}
        self._may_change = not opened.space.search.sampler.is_designed and PARTS not in searched
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
        self._looked = float("-inf")
        self._is_gone = False
        self._alike = Alike()

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
                    self._close_left(open_still, only_alone=True)
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

    def ask(self) -> Assignment | None:
        """Hand out the next attempt: first trials that wait for a driver, then the best paused ones, then new ones.

        None if no attempt can be handed out now: the budget is spent, though trials may still run, here or elsewhere.

        Raises:
            UserError: Thousands of draws in a row cannot be trained.
        """
        self._look_around()
        if self.is_over:
            return None
        trial = self._supply.take(self.gpus)
        if trial is None:
            return None
        trial.began, trial.steps = self._clock.monotonic(), None
        self._running[trial.number] = trial
        self._listener(
            Started(
                number=trial.number,
                attempt=trial.attempt,
                blocks=tuple(stage.block for stage in trial.config.network.stages),
                config=trial.config,
                epochs=trial.epochs,
                resumed_at=trial.epochs_done,
            )
        )
        return trial.assignment(self._space.search)

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
        trial = self._running.get(number)
        if trial is None or trial.attempt != attempt:
            return False
        report, replicate = progress.report, progress.replicate
        history = trial.histories[replicate]
        search = self._space.search
        value, *further = (each.metric.of(report, report.metrics) for each in (search.objective, *search.further))
        is_new = history.record(report.epoch, value, report.checkpoint, tuple(further))
        done = trial.is_done()
        results = trial.results(search) if done else trial.results_so_far(search)
        seconds = self._clock.monotonic() - trial.began
        judged: list[Judgement] = []

        def step(connection: Connection, revision: int) -> tuple[TrialState | None, bool, list[Run]]:
            if not judged:  # only now is it known what other drivers have written
                judged.append(self._judge(trial, progress, value, further) if is_new else Judgement(Verdict.CONTINUE))
            verdict, now = judged[0].verdict, self._clock.now()
            state = TrialState.COMPLETE if done else TrialState.PRUNED if verdict is Verdict.PRUNE else None
            place = None if trial.placed else progress.place
            rows.touch(connection, trial.trial_id, revision)
            rows.update_attempt(connection, trial, seconds, 0.0 if is_new else report.seconds, place)
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
        self._alike.reported()
        if is_new:
            self._spending.add_epoch(report.epoch)
        ends = state is not None and not another
        ended = self._forget(trial, state, results, None, seconds) if state is not None and ends else None
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
            self._pause(trial, report.epoch, seconds)
        for run in another:
            self._wait(trial, seconds)
            trial.histories.append(begun(run, self._space.search))
            self._listener(Raced(number=number, value=results[0], seeds=run.replicate))
        return ended is None and not is_paused and not another

    def hear(self, number: int, attempt: int, underway: Underway) -> bool:
        """Tell how far an epoch is, without recording it; return whether the attempt should continue."""
        trial = self._running.get(number)
        if trial is None or trial.attempt != attempt:
            return False
        trial.steps = StepsRecord(recorded=trial.epochs_done, replicate=underway.replicate, steps=underway.steps)
        self._listener(Stepped(number=number, replicate=underway.replicate, steps=underway.steps))
        return True

    def fail(self, number: int, attempt: int, failed: Failed) -> None:
        """End a trial as FAIL; one whose steps lacked memory may begin again with another recipe (``tried_again_as``).

        A message of an attempt that had already ended is ignored.

        Raises:
            SystematicFailure: All trials so far ended alike before their first epoch; they are open again.
        """
        trial = self._running.get(number)
        if trial is None or trial.attempt != attempt:
            return
        another = tried_again_as(trial, failed) if self._may_change else None
        if another is not None:
            images = at_once(trial.config)
            self._release(trial, Ending.RETRIED, failed, another)
            self._listener(Retried(number=number, images=images, fewer=at_once(another)))
            return
        if trial.is_retried and failed.reason is FailReason.OUT_OF_MEMORY:
            before = f"Before that, {2 * at_once(trial.config)} images at once were tried."
            failed = replace(failed, detail=f"{failed.detail.rstrip('.')}. {before}")
        seconds = self._clock.monotonic() - trial.began

        is_first = [not any(history.values for history in trial.histories)]

        def step(connection: Connection, revision: int) -> None:
            is_first[0] = is_first[0] and not has_failed(connection, trial.trial_id)
            rows.touch(connection, trial.trial_id, revision)
            rows.end_attempt(connection, trial, Ending.FAILED, self._clock.now(), seconds, failed)
            close_trial(connection, trial.trial_id, TrialState.FAIL, (), self._clock.now())
            # for Optuna's own tools, which do not read the tables of qpsearch
            replace_attrs(connection, user_attrs, trial.trial_id, {"reason": failed.reason.value})

        self._transactions.write(step)
        self._listener(self._forget(trial, TrialState.FAIL, (), failed, seconds))
        if self._alike.failed(trial.trial_id, failed, is_first=is_first[0]):
            self._transactions.write(lambda c, revision: reopen(c, self._alike.trials, revision))
            raise SystematicFailure(
                f"the first {len(self._alike.trials)} trials ended with one error before their first epoch: "
                f"{self._alike.line.rstrip('.')}. They stay open. After the fix: {command('resume', self.name)}. If "
                "the fault is the networks' own, resume too: a trial that fails a second time counts as failed."
            )

    def lose(self, number: int, attempt: int, failed: Failed) -> None:
        """Record that an attempt's worker is gone: the trial continues, but fails at the third death at one epoch."""
        trial = self._running.get(number)
        if trial is None or trial.attempt != attempt:
            return
        if trial.deaths + 1 >= MAX_DEATHS:
            self.fail(number, attempt, failed)
            return
        self._release(trial, Ending.LOST, failed)
        trial.deaths += 1
        self._listener(Lost(number=number, detail=gist(failed.detail)))

    def interrupt(self, number: int, attempt: int) -> None:
        """Release an attempt: its trial stays open, and the next driver to ask continues from its last checkpoint."""
        trial = self._running.get(number)
        if trial is None or trial.attempt != attempt:
            return
        self._release(trial, Ending.INTERRUPTED)
        self._listener(Interrupted(number=number))

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

    def _pause(self, trial: OpenTrial, epoch: int, seconds: float) -> None:
        """Let a trial wait at a rung, after the transaction; one too many is pruned."""
        self._spending.add_attempt(seconds * self.gpus)
        del self._running[trial.number]
        trial.holder, trial.is_paused = None, True
        self._peers.open[trial.number] = trial
        self._stopping.paused(trial.number)
        if trial.histories[0].checkpoints:
            # only up to this epoch: the removal may come late, when the trial has gone on
            self.checkpoints.keep(trial.number, 0, trial.histories[0].worth_keeping(self._space.search), epoch)
        self._listener(Paused(number=trial.number, epoch=epoch))
        while (least := self._replica.least_promising(self._peers.paused)) is not None:
            self._close_left({least})

    def _close_left(self, numbers: Collection[int], *, only_alone: bool = False) -> None:
        """End trials that no driver runs: paused ones as pruned, those that wait for another seed as complete.

        Args:
            numbers: The trials; those that another driver has continued meanwhile are left out.
            only_alone: Do nothing while other drivers run trials, whose results may let paused ones continue.
        """
        search = self._space.search

        def step(connection: Connection, revision: int) -> list[tuple[OpenTrial, float]]:
            if only_alone and self._peers.holders:
                return []
            found = [trial for trial in map(self._peers.open.get, sorted(numbers)) if trial and trial.holder is None]
            for trial in found:
                rows.touch(connection, trial.trial_id, revision)
                if not trial.is_paused:
                    self._racing.give_up(connection, trial)
                state, results = trial.left_as(search)
                close_trial(connection, trial.trial_id, state, results, self._clock.now())
            return [(trial, rows.attempted_s(connection, trial.trial_id)) for trial in found]

        if not numbers:
            return
        closed = self._transactions.write(step)
        pruned = sum(trial.is_paused for trial, _ in closed)
        if pruned and only_alone:
            are = "trial that was paused is" if pruned == 1 else "trials that were paused are"
            self._listener(Noted(text=f"{pruned} {are} pruned: the study is over"))
        for trial, seconds in closed:
            del self._peers.open[trial.number]
            trial.earlier_s = seconds
            self._listener(self._end(trial, *trial.left_as(search), None, 0.0))

    def _release(
        self, trial: OpenTrial, ending: Ending, failed: Failed | None = None, another: TrialConfig | None = None
    ) -> None:
        """End an attempt whose trial stays open, perhaps with another configuration."""
        seconds = self._clock.monotonic() - trial.began

        def step(connection: Connection, revision: int) -> None:
            rows.touch(connection, trial.trial_id, revision)
            rows.end_attempt(connection, trial, ending, self._clock.now(), seconds, failed)
            if another is not None:
                rows.replace_config(connection, trial.trial_id, another)

        self._transactions.write(step)
        if another is not None:
            trial.config, trial.is_retried = another, True
        self._wait(trial, seconds)

    def _wait(self, trial: OpenTrial, seconds: float) -> None:
        """Let a trial wait for the next driver that asks, after the transaction."""
        self._spending.add_attempt(seconds * self.gpus)
        del self._running[trial.number]
        trial.holder = None
        self._peers.open[trial.number] = trial

    def _forget(
        self, trial: OpenTrial, state: TrialState, results: tuple[float, ...], failed: Failed | None, seconds: float
    ) -> Closed:
        """Forget a trial of this driver that has ended, after the transaction; return the event for the listener."""
        self._spending.add_attempt(seconds * self.gpus)
        del self._running[trial.number]
        return self._end(trial, state, results, failed, seconds)

    def _end(
        self, trial: OpenTrial, state: TrialState, results: tuple[float, ...], failed: Failed | None, seconds: float
    ) -> Closed:
        """End a trial in memory, and remove checkpoints; ``seconds`` are those of its last attempt."""
        self._replica.close(trial.number, state, results)
        self._stopping.ended(trial.number, state.name, results[0] if results else None)
        if state is TrialState.COMPLETE:
            self.checkpoints.keep_only(trial.number, trial.worth_keeping(self._space.search))
        else:
            self.checkpoints.drop(trial.number)
        reason, detail = (failed.reason.value, gist(failed.detail)) if failed else (None, None)
        value = results[0] if results else None
        return Closed(
            number=trial.number,
            state=state.name,
            value=value,
            reason=reason,
            detail=detail,
            seconds=trial.earlier_s + seconds,
        )

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
        self._spending.follow(connection)

    def _now_running_gpu_s(self) -> float:
        now = self._clock.monotonic()
        return self.gpus * sum(now - trial.began for trial in self._running.values())
