"""The ledger: the only writer of a study.

Each step (asking for a trial, taking an epoch in, closing) is one transaction in which the driver's lease
is asserted first. A trial ends in exactly one state, and the report that decides about its end is stored
together with that end, so there is no moment in which a trial has ended in memory but not on disk.
"""

import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, insert, update

from qpsearch.architecture import Infeasible, TrialConfig, resolve
from qpsearch.errors import StorageError, Superseded, UserError
from qpsearch.records import Assignment, Failed, Progress, Run
from qpsearch.seeds import derive_seed
from qpsearch.space import Space, settle
from qpsearch.study import lease
from qpsearch.study.checkpoints import KEEP, CheckpointFolder
from qpsearch.study.events import Closed, Event, Interrupted, Reported, Started
from qpsearch.study.heartbeat import Heartbeat
from qpsearch.study.mirror import Mirror, OptunaChooser
from qpsearch.study.open_trial import History, OpenTrial
from qpsearch.study.opening import Opened
from qpsearch.study.optuna_rows import (
    close_trial,
    delete_empty_study,
    insert_attrs,
    insert_intermediate,
    insert_trial,
    next_number,
)
from qpsearch.study.storage import Database
from qpsearch.study.tables import attempts, configs, epochs, infeasible, runs, system_attrs, user_attrs
from qpsearch.vocabulary import Ending

MAX_INFEASIBLE: Final = 1000

Listener = Callable[[Event], None]


class Ledger:
    """A study that this driver holds.

    Used from one thread, inside ``with``: a second thread keeps the lease alive, and leaving releases it.
    Made by ``qpsearch.study.opening.create`` and ``resume``.

    Every method raises ``StorageError`` when the database fails and ``Superseded`` when another driver
    has taken the study over; after either the ledger must not be used any more.
    """

    def __init__(
        self, opened: Opened, listener: Listener = lambda event: None, clock: Callable[[], float] = time.time
    ) -> None:
        self._database: Database = opened.database
        self._space: Space = opened.space
        self._study_id, self._lease_id = opened.study_id, opened.lease_id
        self._mirror: Mirror = opened.mirror
        self._made, self._asked = opened.made, opened.asked
        self._let_go = 0
        self._waiting: list[OpenTrial] = list(opened.waiting)
        self._running: dict[int, OpenTrial] = {}
        self._listener, self._clock = listener, clock
        self.name: str = opened.name
        self.checkpoints: CheckpointFolder = opened.checkpoints
        self._heart = Heartbeat(self._database, self._lease_id)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heart.stop()
        try:
            if not isinstance(error, Superseded | StorageError):
                self.interrupt_all()
                self._database.write(lambda c: lease.end(c, self._lease_id, lease.RELEASED, self._clock()))
        finally:
            self._database.close()

    @property
    def space(self) -> Space:
        """The space that is searched."""
        return self._space

    @property
    def asked(self) -> int:
        """The budget in trials."""
        return self._asked

    @property
    def running(self) -> list[int]:
        """Numbers of the trials that are handed out."""
        return sorted(self._running)

    @property
    def finished(self) -> bool:
        """Whether the budget is spent and every trial has ended."""
        return not self._running and not self._waiting and not self._let_go and self._made >= self._asked

    def ask(self) -> Assignment | None:
        """Hand out the next attempt: first the open trials of a dead driver, then new ones.

        Returns:
            None where everything is handed out: the budget is spent, though trials may still run.

        Raises:
            UserError: A thousand draws in a row fit no network.
        """
        if self._waiting:
            trial = self._waiting.pop(0)
            trial.attempt += 1
            trial.placed = False
            self._write(lambda c: self._insert_attempt(c, trial))
        elif self._made < self._asked:
            trial = self._new_trial()
        else:
            return None
        self._running[trial.number] = trial
        self._listener(
            Started(
                number=trial.number,
                attempt=trial.attempt,
                blocks=tuple(stage.block.value for stage in trial.config.network.stages),
                epochs=trial.config.recipe.epochs * len(trial.histories),
                resumed_at=sum(history.last_epoch for history in trial.histories),
            )
        )
        return trial.assignment()

    def report(self, number: int, attempt: int, progress: Progress) -> bool:
        """Take an epoch in.

        Returns:
            Whether the attempt shall go on. False when its trial has just ended (all runs are complete, or
            the pruner stopped it), and for a message of an attempt that has ended already.
        """
        trial = self._running.get(number)
        if trial is None or trial.attempt != attempt:
            return False
        report, replicate = progress.report, progress.replicate
        history = trial.histories[replicate]
        value = report.metric(self._space.search.objective.metric)
        is_new = report.epoch > history.last_epoch
        if is_new and report.epoch != history.last_epoch + 1:
            raise ValueError(f"trial {number} reported epoch {report.epoch} after epoch {history.last_epoch}")
        history.record(report.epoch, value, report.checkpoint, KEEP)
        stop, attrs = self._mirror.report(number, report.epoch, value) if is_new and replicate == 0 else (False, {})
        done = trial.is_done()
        state = TrialState.COMPLETE if done else TrialState.PRUNED if stop else None
        result = trial.value(self._space.search.score, self._space.search.objective) if done else trial.last_value

        def step(connection: Connection) -> None:
            self._place(connection, trial, progress)
            self._insert_epoch(connection, trial, progress, is_new)
            if is_new and replicate == 0:
                insert_intermediate(connection, trial.trial_id, report.epoch, value)
                insert_attrs(connection, system_attrs, trial.trial_id, attrs)
            if trial.run_is_done(replicate):
                score = history.score(self._space.search.score, self._space.search.objective)
                connection.execute(
                    update(runs)
                    .where(runs.c.trial_id == trial.trial_id, runs.c.replicate == replicate)
                    .values(score=score)
                )
            if state is not None:
                self._end_attempt(connection, trial, Ending.FINISHED if done else Ending.PRUNED)
                close_trial(connection, trial.trial_id, state, result, self._clock())

        self._write(step)
        trial.placed = True
        ended = None if state is None else self._forget(trial, state, result, None)
        if ended is None:
            self.checkpoints.keep(number, replicate, history.checkpoints, report.epoch)
        self._listener(
            Reported(
                number=number,
                replicate=replicate,
                epoch=report.epoch,
                value=value,
                seconds=report.seconds,
                place=progress.place,
            )
        )
        if ended is not None:
            self._listener(ended)
        return ended is None

    def fail(self, number: int, attempt: int, failed: Failed) -> None:
        """End a trial as FAIL. A message of an attempt that has ended already changes nothing."""
        trial = self._running.get(number)
        if trial is None or trial.attempt != attempt:
            return

        def step(connection: Connection) -> None:
            self._end_attempt(connection, trial, Ending.FAILED, failed)
            close_trial(connection, trial.trial_id, TrialState.FAIL, None, self._clock())
            # for Optuna's own tools, which do not read our tables
            insert_attrs(connection, user_attrs, trial.trial_id, {"reason": failed.reason.value})

        self._write(step)
        self._listener(self._forget(trial, TrialState.FAIL, None, failed))

    def interrupt(self, number: int, attempt: int) -> None:
        """Let an attempt go: its trial stays open, and the next driver goes on from its last checkpoint."""
        trial = self._running.get(number)
        if trial is None or trial.attempt != attempt:
            return
        self._write(lambda c: self._end_attempt(c, trial, Ending.INTERRUPTED))
        del self._running[number]
        self._let_go += 1
        self._listener(Interrupted(number=number))

    def interrupt_all(self) -> None:
        """Let every attempt go."""
        for trial in list(self._running.values()):
            self.interrupt(trial.number, trial.attempt)

    def discard(self) -> None:
        """Take a study back that has no trial yet, since it could not be started."""
        self._write(lambda c: delete_empty_study(c, self._study_id))

    def _new_trial(self) -> OpenTrial:
        """Draw until something can be built, then store the draw with all that was rejected before it."""
        number = self._database.read(lambda c: next_number(c, self._study_id))
        rejected: list[tuple[FrozenTrial, str]] = []
        while True:
            proposal = self._mirror.ask(number, len(rejected))
            draw = settle(self._space, OptunaChooser(proposal))
            frozen = self._mirror.frozen(proposal)
            try:
                config = resolve(self._space, draw)
                break
            except Infeasible as error:
                self._mirror.reject(proposal)
                rejected.append((frozen, str(error)))
            if len(rejected) >= MAX_INFEASIBLE:
                last = rejected[-1][1]
                raise UserError(
                    f"study {self.name!r}: {MAX_INFEASIBLE} draws in a row fit no network; the last: {last}."
                )
        trial: OpenTrial = self._write(lambda c: self._insert_trial(c, number, frozen, config, rejected))
        self._mirror.accept(proposal, number, trial.stratum)
        self._made += 1
        return trial

    def _insert_trial(
        self,
        connection: Connection,
        number: int,
        frozen: FrozenTrial,
        config: TrialConfig,
        rejected: list[tuple[FrozenTrial, str]],
    ) -> OpenTrial:
        for drawn, reason in rejected:
            row = insert(infeasible).values(
                study_id=self._study_id, number=number, params_json=_draw_json(drawn), reason=reason
            )
            connection.execute(row)
        if next_number(connection, self._study_id) != number:
            raise StorageError(
                f"another program added trial {number} to study {self.name!r} just now; resume the study."
            )
        trial_id = insert_trial(connection, self._study_id, number, frozen, self._clock())
        connection.execute(
            insert(configs).values(trial_id=trial_id, config_json=config.to_json(), fingerprint=config.fingerprint)
        )
        seeds = [
            derive_seed(self._space.search.seed, "run", number, replicate)
            for replicate in range(self._space.search.replicates)
        ]
        connection.execute(
            insert(runs),
            [{"trial_id": trial_id, "replicate": replicate, "seed": seed} for replicate, seed in enumerate(seeds)],
        )
        histories = [History(run=Run(replicate=replicate, seed=seed)) for replicate, seed in enumerate(seeds)]
        trial = OpenTrial(number=number, trial_id=trial_id, config=config, attempt=1, histories=histories)
        self._insert_attempt(connection, trial)
        return trial

    def _insert_attempt(self, connection: Connection, trial: OpenTrial) -> None:
        row = insert(attempts).values(
            trial_id=trial.trial_id, number=trial.attempt, lease_id=self._lease_id, began=self._clock()
        )
        connection.execute(row)

    def _place(self, connection: Connection, trial: OpenTrial, progress: Progress) -> None:
        """Record where an attempt runs, which its first report tells."""
        if trial.placed:
            return
        place = progress.place
        trial.threads, trial.memory_format = place.threads, place.memory_format
        connection.execute(
            update(attempts)
            .where(attempts.c.trial_id == trial.trial_id, attempts.c.number == trial.attempt)
            .values(host=place.host, device=place.device, threads=place.threads, memory_format=place.memory_format)
        )

    def _insert_epoch(self, connection: Connection, trial: OpenTrial, progress: Progress, is_new: bool) -> None:
        """Write the epoch's row; one that is repeated, its checkpoint lost, only gets its new checkpoint.

        Later epochs' checkpoints were lost too, else this one would not be trained again.
        """
        report, key = (
            progress.report,
            {"trial_id": trial.trial_id, "replicate": progress.replicate, "epoch": progress.report.epoch},
        )
        if not is_new:
            of_run = update(epochs).where(epochs.c.trial_id == trial.trial_id, epochs.c.replicate == progress.replicate)
            connection.execute(of_run.where(epochs.c.epoch > report.epoch).values(checkpoint=""))
            connection.execute(of_run.where(epochs.c.epoch == report.epoch).values(checkpoint=report.checkpoint))
            return
        row = {column.name: getattr(report, column.name) for column in epochs.c if hasattr(report, column.name)}
        connection.execute(insert(epochs).values(**(row | key), attempt=trial.attempt, reported=self._clock()))

    def _end_attempt(
        self, connection: Connection, trial: OpenTrial, ending: Ending, failed: Failed | None = None
    ) -> None:
        connection.execute(
            update(attempts)
            .where(
                attempts.c.trial_id == trial.trial_id,
                attempts.c.number == trial.attempt,
                attempts.c.ending.is_(None),  # it ends once
            )
            .values(
                ended=self._clock(),
                ending=ending.value,
                reason=failed.reason.value if failed else None,
                detail=failed.detail if failed else None,
            )
        )

    def _forget(self, trial: OpenTrial, state: TrialState, value: float | None, failed: Failed | None) -> Closed:
        """After the transaction: the trial has ended. Returns what to tell the listener."""
        self._mirror.close(trial.number, state, value)
        del self._running[trial.number]
        if state is TrialState.COMPLETE:
            self.checkpoints.keep_only(trial.number, tuple(name for h in trial.histories for name in h.checkpoints[:1]))
        else:
            self.checkpoints.drop(trial.number)
        reason, detail = (failed.reason.value, failed.detail) if failed else (None, None)
        return Closed(number=trial.number, state=state.name, value=value, reason=reason, detail=detail)

    def _write(self, step: Callable[[Connection], Any]) -> Any:
        def held(connection: Connection) -> Any:
            lease.hold(connection, self._lease_id)
            return step(connection)

        return self._database.write(held)


def _draw_json(drawn: FrozenTrial) -> str:
    return json.dumps(
        {
            name: [distribution.to_internal_repr(drawn.params[name]), distribution_to_json(distribution)]
            for name, distribution in drawn.distributions.items()
        }
    )
