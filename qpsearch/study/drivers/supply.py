"""Where a driver's next attempt comes from: a trial that waits, a paused one that should continue, or a new one."""

from collections.abc import Callable, Collection, Iterable
from functools import partial

from optuna.trial import TrialState
from sqlalchemy import Connection

from qpsearch.errors import Infeasible, SamplerError, UserError
from qpsearch.space import Space
from qpsearch.space.file.points import checked_values, with_switches
from qpsearch.study.drivers.budget import Spending
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.drivers.peers import Peers
from qpsearch.study.drivers.transactions import Transactions
from qpsearch.study.search.proposer import Proposer, not_enqueued
from qpsearch.study.search.pruning import traits_of
from qpsearch.study.search.replica import Replica
from qpsearch.study.storage.optuna_tables import begin_enqueued, close_trial, enqueued, next_number, replace_attrs
from qpsearch.study.storage.tables import user_attrs
from qpsearch.study.trials import rows
from qpsearch.study.trials.events import Event, Noted
from qpsearch.study.trials.open_trial import OpenTrial, Proposal
from qpsearch.vocabulary import Scalar


class Supply:
    """Takes or makes the trials that a driver runs, each in a transaction.

    Args:
        space: The space to search.
        study_id: The study.
        lease_id: This driver's lease.
        next_number: Number of the next new trial.
        replica: The copy of the study that sampler and pruner see.
        peers: The open trials that this driver does not run.
        running: Numbers of those that it runs.
        spending: The budget.
        transactions: Of this driver.
        clock: The time.
        tell: Called with an event when what another tool enqueued cannot be trained.
    """

    def __init__(
        self,
        *,
        space: Space,
        study_id: int,
        lease_id: int,
        next_number: int,
        replica: Replica,
        peers: Peers,
        running: Collection[int],
        spending: Spending,
        transactions: Transactions,
        clock: Clock,
        tell: Callable[[Event], None],
    ) -> None:
        self._space, self._tell = space, tell
        self._search, self._study_id, self._lease_id, self._next = space.search, study_id, lease_id, next_number
        self._replica, self._peers, self._running, self._spending = replica, peers, running, spending
        self._transactions, self._clock = transactions, clock
        self._proposer = Proposer(space, replica)
        self._gpus = 0.0
        self._enqueued: dict[int, tuple[int, dict[str, Scalar]]] = {}  # number and values by id

    def take(self, gpus: float) -> OpenTrial | None:
        """Return a trial with a new attempt; None where no attempt can be handed out now.

        Args:
            gpus: GPUs, or the share of one, that the attempt holds.

        Raises:
            UserError: Thousands of draws in a row cannot be trained.
        """
        self._gpus = gpus
        return self._claim(self._peers.waiting) or self._adopt() or self._promote() or self._make()

    def look(self) -> None:
        """Look for trials that other tools have enqueued in the study."""
        self._enqueued = self._transactions.read(lambda connection: enqueued(connection, self._study_id))

    def prepare(self) -> None:
        """Begin to draw the next new trial in another thread, unless a paused one comes first."""
        if self._replica.known < self._asked and self.promotable() is None:
            self._proposer.prepare(self._next)

    @property
    def is_ready(self) -> bool:
        """Whether ``take`` would answer without drawing."""
        has_open = bool(self._peers.waiting) or self.promotable() is not None
        return self._proposer.ready or has_open or self._replica.known >= self._asked

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing is left to hand out: no new trial, none that waits, none that should continue."""
        return self._replica.known >= self._asked and not self._peers.waiting and self.promotable() is None

    def promotable(self, *more: int) -> int | None:
        """Return the paused trial that should continue next; ``more`` are taken to be paused, too."""
        others = set(self._running) - set(more)
        is_last = self._replica.known >= self._asked and not (others or self._peers.holders)
        return self._replica.promotable(self._peers.paused.union(more), is_last=is_last)

    def stop(self) -> None:
        """Wait for a draw that is under way."""
        self._proposer.stop()

    @property
    def _asked(self) -> int:
        return self._spending.budget.trials

    def _promote(self) -> OpenTrial | None:
        """Take the paused trial that should continue next; None where none should."""
        while (number := self.promotable()) is not None:
            trial = self._claim([number])
            if trial is not None:
                return trial
        return None

    def _claim(self, numbers: Iterable[int]) -> OpenTrial | None:
        """Take one of some open trials that no driver runs; None where there is none or other drivers were quicker."""
        for number in numbers:

            def step(connection: Connection, revision: int, number: int = number) -> OpenTrial | None:
                trial = self._peers.open.get(number)  # as followed up to this transaction
                if trial is None or trial.holder is not None:
                    return None
                if trial.is_paused and self.promotable() != number:  # others have reported, or promoted another
                    return None
                rows.touch(connection, trial.trial_id, revision)
                trial.earlier_s = rows.attempted_s(connection, trial.trial_id)
                self._insert_attempt(connection, trial.trial_id, trial.attempt + 1)
                return trial

            trial = self._transactions.write(step)
            if trial is not None:
                del self._peers.open[number]
                trial.attempt, trial.placed, trial.holder = trial.attempt + 1, False, self._lease_id
                trial.is_paused = False
                return trial
        return None

    def _adopt(self) -> OpenTrial | None:
        """Begin a trial that another tool has enqueued; None where there is none, or the budget is spent."""
        while self._enqueued and self._replica.known < self._asked:
            trial_id, (number, given) = next(iter(self._enqueued.items()))
            del self._enqueued[trial_id]
            try:
                if problem := not_enqueued(self._space):
                    raise UserError(problem)
                values = checked_values(self._space, given)
                proposal = self._proposer.draw_with(number, with_switches(self._space, values), needed=values)
            except SamplerError:
                raise
            except (UserError, Infeasible) as refused:
                self._refuse(trial_id, number, str(refused))
                continue
            trial = self._transactions.write(partial(self._begin_enqueued, trial_id, proposal))
            if trial is not None:
                self._replica.accept(proposal.trial, number, traits_of(trial.config, self._search), is_enqueued=True)
                return trial
            self._proposer.drop(proposal)
        return None

    def _begin_enqueued(
        self, trial_id: int, proposal: Proposal, connection: Connection, revision: int
    ) -> OpenTrial | None:
        """Write that an enqueued trial begins; None where another driver was quicker."""
        if trial_id not in enqueued(connection, self._study_id) or self._replica.known >= self._asked:
            return None
        begin_enqueued(connection, trial_id, proposal.frozen, self._clock.now())
        trial = rows.insert_own_rows(connection, self._study_id, trial_id, proposal, self._search, revision)
        self._insert_attempt(connection, trial_id, 1)
        trial.holder = self._lease_id
        return trial

    def _refuse(self, trial_id: int, number: int, why: str) -> None:
        """End an enqueued trial that cannot be trained; it does not count in the study."""

        def step(connection: Connection, revision: int) -> bool:
            if trial_id not in enqueued(connection, self._study_id):
                return False
            close_trial(connection, trial_id, TrialState.FAIL, (), self._clock.now())
            replace_attrs(connection, user_attrs, trial_id, {"reason": why})
            return True

        if self._transactions.write(step):
            self._tell(Noted(text=f"trial {number}, which another tool enqueued, is refused: {why}"))

    def _make(self) -> OpenTrial | None:
        """Make a new trial; None where the budget is spent."""
        proposal: Proposal | None = None
        while self._replica.known < self._asked:
            rejected = self._proposer.drop(proposal) if proposal is not None else ()
            proposal = self._proposer.take(self._next, rejected)
            trial = self._transactions.write(partial(self._insert_trial, proposal))
            if trial is not None:
                self._replica.accept(proposal.trial, trial.number, traits_of(trial.config, self._search))
                self._next = trial.number + 1
                return trial
        if proposal is not None:
            self._proposer.drop(proposal)
        return None

    def _insert_trial(self, proposal: Proposal, connection: Connection, revision: int) -> OpenTrial | None:
        """Write a proposal; None where another driver took its number, or the last trial of the budget."""
        self._next = next_number(connection, self._study_id)
        if self._next != proposal.number or self._replica.known >= self._asked:
            return None
        trial = rows.insert_new_trial(connection, self._study_id, proposal, self._search, revision, self._clock.now())
        self._insert_attempt(connection, trial.trial_id, 1)
        trial.holder = self._lease_id
        return trial

    def _insert_attempt(self, connection: Connection, trial_id: int, number: int) -> None:
        rows.insert_attempt(connection, trial_id, number, self._lease_id, self._gpus, self._clock.now())
