"""Drawing the next trial, in advance if workers must not wait."""

from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

import optuna

from qpsearch.architecture.candidates import Refusals, candidate, nothing_feasible
from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import Infeasible, UserError
from qpsearch.seeds import derive_seed
from qpsearch.space import RandomChooser, Space
from qpsearch.space.file.points import without_effect
from qpsearch.study.search.chooser import OptunaChooser
from qpsearch.study.search.first import TRIED
from qpsearch.study.search.replica import Replica
from qpsearch.study.trials.open_trial import Proposal, Rejected
from qpsearch.vocabulary import Scalar

MAX_INFEASIBLE: Final = 300  # draws of the sampler in a row
MAX_EVEN: Final = 5000  # draws after that


def not_enqueued(space: Space) -> str | None:
    """Say why configurations of the user's own cannot be added to a search; None where they can."""
    if not space.search.sampler.is_designed:
        return None
    return f"search.sampler is {space.search.sampler}, which has a place for each of its trials. Make another study."


class Proposer:
    """Draws from a replica; at most one draw at a time, in the calling thread or in a separate one.

    A prepared draw does not know later reports, as if it had been made for one more worker.
    """

    def __init__(self, space: Space, replica: Replica) -> None:
        self._space, self._replica = space, replica
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qpsearch-proposer")
        self._prepared: Future[Proposal] | None = None

    def prepare(self, number: int) -> None:
        """Begin to draw the trial of that number, unless a draw is under way or waits to be taken."""
        if self._prepared is None:
            self._prepared = self._thread.submit(self._draw, number, ())

    @property
    def ready(self) -> bool:
        """Whether ``take`` would not have to draw or wait."""
        return self._prepared is not None and self._prepared.done()

    def take(self, number: int, rejected: Rejected = ()) -> Proposal:
        """Return a draw for that number, the prepared one where it fits.

        Args:
            number: Number of the new trial.
            rejected: Infeasible draws of an earlier proposal.

        Raises:
            UserError: Thousands of draws in a row cannot be trained.
        """
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            proposal = prepared.result()
            if proposal.number == number and not rejected:
                return proposal
            rejected += self.drop(proposal)
        return self._draw(number, rejected)

    def draw_with(self, number: int, values: Mapping[str, Scalar], *, needed: Collection[str]) -> Proposal:
        """Return a draw for that number some of whose values are given; a prepared draw stays.

        Args:
            number: Number of the new trial.
            values: The values, by parameter.
            needed: Parameters that the draw must have; the values of others may not apply.

        Raises:
            Infeasible: Twenty draws in a row cannot be trained.
            UserError: A parameter that the draw must have is switched off, by another value or in each of twenty draws.
        """
        if why := next(filter(None, (without_effect(self._space, name, values) for name in sorted(needed))), ""):
            raise UserError(why)
        if self._prepared is not None:
            wait([self._prepared])  # for its end alone: take() raises its error
        refused: Infeasible | UserError | None = None
        for draw in range(TRIED):
            trial = self._ask(number, draw, values)
            try:
                config = self._configured(trial)
            except Infeasible as error:
                self._replica.forget(trial)  # the sampler did not choose the values
                refused = error
                continue
            frozen = self._replica.frozen(trial)
            if unused := sorted(set(needed) - set(frozen.params)):
                self._replica.forget(trial)
                refused = refused or UserError(without_effect(self._space, unused[0], frozen.params))
                continue
            return Proposal(number=number, trial=trial, frozen=frozen, config=config, rejected=())
        assert refused is not None
        raise refused

    def drop(self, proposal: Proposal) -> Rejected:
        """Forget a draw whose number another driver took; return its infeasible draws, which stay valid."""
        self._replica.forget(proposal.trial)
        return proposal.rejected

    def stop(self) -> None:
        """Wait for a draw that is under way."""
        self._thread.shutdown()

    def _draw(self, number: int, before: Rejected) -> Proposal:
        """Draw a trial; ``before`` are refused draws of a number that another driver took, which are kept beside it."""
        rejected, refusals = list(before), Refusals(draws=MAX_INFEASIBLE)
        needed = set(self._replica.needed(number))
        draw = 0
        while refusals.counts.total() < MAX_INFEASIBLE:
            trial = self._ask(number, draw)
            draw += 1
            try:
                config = self._configured(trial)
                if draw < TRIED and not needed <= self._replica.frozen(trial).params.keys():
                    self._replica.forget(trial)  # a value that was drawn switches off one that is listed
                    continue
                frozen = self._replica.proposed(trial, number)
                return Proposal(number=number, trial=trial, frozen=frozen, config=config, rejected=tuple(rejected))
            except Infeasible as refused:
                rejected.append((self._replica.frozen(trial), str(refused)))
                self._replica.reject(trial)
                refusals.add(refused)
        return self._draw_evenly(number, tuple(rejected), refusals, draw)

    def _ask(self, number: int, draw: int, values: Mapping[str, Scalar] | None = None) -> optuna.Trial:
        with self._space.search.sampler.blamed():
            return self._replica.ask(number, draw, values)

    def _configured(self, trial: optuna.Trial) -> TrialConfig:
        """Let the sampler choose a configuration; raises Infeasible where it cannot be trained."""
        with self._space.search.sampler.blamed():
            return candidate(self._space, OptunaChooser(trial)).config

    def _draw_evenly(self, number: int, rejected: Rejected, refusals: Refusals, draw: int) -> Proposal:
        """Look for a point without the sampler, which did not find one: allowed points may be rare."""
        for index in range(MAX_EVEN):
            try:
                seed = derive_seed(self._space.search.seed, "even", number, index)
                found = candidate(self._space, RandomChooser(seed))
            except Infeasible as refused:
                refusals.add(refused)
                continue
            trial = self._ask(number, draw, found.draw.params)
            config = self._configured(trial)
            frozen = self._replica.proposed(trial, number)
            return Proposal(number=number, trial=trial, frozen=frozen, config=config, rejected=rejected)
        refusals.draws += MAX_EVEN
        raise UserError(nothing_feasible(self._space, refusals))
