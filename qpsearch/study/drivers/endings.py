"""How a driver's attempts and trials end: each in one transaction first, then in memory, then told."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from optuna.trial import TrialState
from sqlalchemy import Connection

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.second_try import at_once
from qpsearch.errors import SystematicFailure, command, gist
from qpsearch.protocol import Failed
from qpsearch.space import Space
from qpsearch.study.drivers.budget import Spending
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.drivers.peers import Peers
from qpsearch.study.drivers.racing import Racing
from qpsearch.study.drivers.stopping import Stopping
from qpsearch.study.drivers.transactions import Transactions
from qpsearch.study.search.replica import Replica
from qpsearch.study.storage.optuna_tables import close_trial, replace_attrs
from qpsearch.study.storage.tables import user_attrs
from qpsearch.study.trials import rows
from qpsearch.study.trials.checkpoints import CheckpointFolder
from qpsearch.study.trials.events import Closed, Event, Interrupted, Lost, Noted, Paused, Retried
from qpsearch.study.trials.failures import Alike, has_failed, reopen, tried_again_as
from qpsearch.study.trials.open_trial import OpenTrial
from qpsearch.vocabulary import Ending, FailReason

PARTS: Final = "training.gradient_accumulation"  # what another recipe changes
MAX_DEATHS: Final = 3  # of workers in a row, at one epoch, before the trial is held to be the cause


class Endings:
    """Ends the attempts of a driver, and trials that no driver will continue.

    The end that a report brings is written with that report (``study.ledger``), which then calls ``pause``, ``wait``
    or ``end``.

    Args:
        name: The study's name.
        space: The space that is searched.
        running: The trials that this driver runs, by number.
        peers: The open trials that it does not run.
        replica: The copy of the study that sampler and pruner see.
        spending: The budget.
        stopping: The rules that end the study before its budget.
        racing: Which trials get further seeds.
        checkpoints: Of the study's trials.
        transactions: Of this driver.
        clock: The time.
        tell: Called with each event.
    """

    def __init__(
        self,
        *,
        name: str,
        space: Space,
        running: dict[int, OpenTrial],
        peers: Peers,
        replica: Replica,
        spending: Spending,
        stopping: Stopping,
        racing: Racing,
        checkpoints: CheckpointFolder,
        transactions: Transactions,
        clock: Clock,
        tell: Callable[[Event], None],
    ) -> None:
        self._name, self._search, self._running, self._peers = name, space.search, running, peers
        self._replica, self._spending, self._stopping, self._racing = replica, spending, stopping, racing
        self._checkpoints, self._transactions, self._clock, self._tell = checkpoints, transactions, clock, tell
        searched = {site.path for site in space.sites if site.domain is not None}
        self._may_change = not space.search.sampler.is_designed and PARTS not in searched
        self.alike = Alike()

    def fail(self, trial: OpenTrial, failed: Failed, *, is_killed: bool = False) -> None:
        """End a trial as FAIL; one that lacked memory may begin again with another recipe (``tried_again_as``).

        Args:
            trial: One that this driver runs.
            failed: Why it failed.
            is_killed: Whether its workers were killed, so that they could not try fewer images at once themselves.

        Raises:
            SystematicFailure: All trials so far ended alike before their first epoch; they are open again.
        """
        another = tried_again_as(trial, failed, is_killed=is_killed) if self._may_change else None
        if another is not None:
            images = at_once(trial.config)
            self._release(trial, Ending.RETRIED, failed, another)
            self._tell(Retried(number=trial.number, images=images, fewer=at_once(another)))
            return
        if trial.is_retried and failed.reason is FailReason.OUT_OF_MEMORY:
            before = f"Before that, {2 * at_once(trial.config)} images at once were tried."
            failed = replace(failed, detail=f"{failed.detail.rstrip('.')}. {before}")
        seconds = trial.held_s(self._clock.monotonic())

        is_first = [not any(history.values for history in trial.histories)]

        def step(connection: Connection, revision: int) -> None:
            is_first[0] = is_first[0] and not has_failed(connection, trial.trial_id)
            rows.touch(connection, trial.trial_id, revision)
            rows.end_attempt(connection, trial, Ending.FAILED, self._clock.now(), seconds, failed)
            close_trial(connection, trial.trial_id, TrialState.FAIL, (), self._clock.now())
            # for Optuna's own tools, which do not read the tables of qpsearch
            replace_attrs(connection, user_attrs, trial.trial_id, {"reason": failed.reason.value})

        self._transactions.write(step)
        self._tell(self.end(trial, TrialState.FAIL, (), failed, seconds))
        if self.alike.failed(trial.trial_id, failed, is_first=is_first[0]):
            self._transactions.write(lambda c, revision: reopen(c, self.alike.trials, revision))
            raise SystematicFailure(
                f"the first {len(self.alike.trials)} trials ended with one error before their first epoch: "
                f"{self.alike.line.rstrip('.')}. They stay open. After the fix: {command('resume', self._name)}. If "
                "the fault is the networks' own, resume too: a trial that fails a second time counts as failed."
            )

    def lose(self, trial: OpenTrial, failed: Failed) -> None:
        """Record that a worker is gone: its trial continues in another, but fails at the third death at one epoch."""
        if trial.deaths + 1 >= MAX_DEATHS:
            self.fail(trial, failed, is_killed=True)
            return
        self._release(trial, Ending.LOST, failed)
        trial.deaths += 1
        self._tell(Lost(number=trial.number, detail=gist(failed.detail)))

    def interrupt(self, trial: OpenTrial) -> None:
        """Release an attempt: its trial stays open, and the next driver to ask continues from its last checkpoint."""
        self._release(trial, Ending.INTERRUPTED)
        self._tell(Interrupted(number=trial.number))

    def pause(self, trial: OpenTrial, epoch: int, seconds: float) -> None:
        """Let a trial wait at a rung, after the transaction; one too many is pruned."""
        self.wait(trial, seconds)
        trial.is_paused = True
        self._stopping.paused(trial.number)
        if trial.histories[0].checkpoints:
            # only up to this epoch: the removal may come late, when the trial has gone on
            self._checkpoints.keep(trial.number, 0, trial.histories[0].worth_keeping(self._search), epoch)
        self._tell(Paused(number=trial.number, epoch=epoch))
        while (least := self._replica.least_promising(self._peers.paused)) is not None:
            self.close_left({least})

    def close_left(self, numbers: Collection[int], *, only_alone: bool = False) -> None:
        """End trials that no driver runs: paused ones as pruned, those that wait for another seed as complete.

        Args:
            numbers: The trials; those that another driver has continued meanwhile are left out.
            only_alone: Do nothing while other drivers run trials, whose results may let paused ones continue.
        """

        def step(connection: Connection, revision: int) -> list[tuple[OpenTrial, float]]:
            if only_alone and self._peers.holders:
                return []
            found = [trial for trial in map(self._peers.open.get, sorted(numbers)) if trial and trial.holder is None]
            for trial in found:
                rows.touch(connection, trial.trial_id, revision)
                if not trial.is_paused:
                    self._racing.give_up(connection, trial)
                state, results = trial.left_as(self._search)
                close_trial(connection, trial.trial_id, state, results, self._clock.now())
            return [(trial, rows.attempted_s(connection, trial.trial_id)) for trial in found]

        if not numbers:
            return
        closed = self._transactions.write(step)
        pruned = sum(trial.is_paused for trial, _ in closed)
        if pruned and only_alone:
            are = "trial that was paused is" if pruned == 1 else "trials that were paused are"
            self._tell(Noted(text=f"{pruned} {are} pruned: the study is over"))
        for trial, seconds in closed:
            del self._peers.open[trial.number]
            trial.earlier_s = seconds
            self._tell(self._close(trial, *trial.left_as(self._search), None, 0.0))

    def wait(self, trial: OpenTrial, seconds: float) -> None:
        """Let a trial wait for the next driver that asks, after the transaction."""
        self._spending.add_attempt(seconds * trial.gpus)
        del self._running[trial.number]
        trial.holder = None
        self._peers.open[trial.number] = trial

    def end(
        self, trial: OpenTrial, state: TrialState, results: tuple[float, ...], failed: Failed | None, seconds: float
    ) -> Closed:
        """Forget a trial of this driver that has ended, after the transaction; return the event for the listener."""
        self._spending.add_attempt(seconds * trial.gpus)
        del self._running[trial.number]
        return self._close(trial, state, results, failed, seconds)

    def _release(
        self, trial: OpenTrial, ending: Ending, failed: Failed | None = None, another: TrialConfig | None = None
    ) -> None:
        """End an attempt whose trial stays open, perhaps with another configuration."""
        seconds = trial.held_s(self._clock.monotonic())

        def step(connection: Connection, revision: int) -> None:
            rows.touch(connection, trial.trial_id, revision)
            rows.end_attempt(connection, trial, ending, self._clock.now(), seconds, failed)
            if another is not None:
                rows.replace_config(connection, trial.trial_id, another)
                # for Optuna's own tools, which do not read the tables of qpsearch
                replace_attrs(connection, user_attrs, trial.trial_id, {ending.value: True})

        self._transactions.write(step)
        if another is not None:
            trial.config, trial.is_retried, trial.deaths = another, True, 0
        self.wait(trial, seconds)

    def _close(
        self, trial: OpenTrial, state: TrialState, results: tuple[float, ...], failed: Failed | None, seconds: float
    ) -> Closed:
        """End a trial in memory, and remove checkpoints; ``seconds`` are those of its last attempt."""
        self._replica.close(trial.number, state, results)
        self._stopping.ended(trial.number, state.name, results[0] if results else None)
        if state is TrialState.PRUNED:
            self._checkpoints.drop(trial.number)
        else:
            self._checkpoints.keep_only(trial.number, trial.worth_keeping(self._search))
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
