"""The replica: a copy of the study in memory, on which samplers and pruners work.

Sampling on the copy gives the same suggestions as on the database in a fraction of the time. The copy also shows the
sampler more than the database: failed trials and infeasible draws appear as pruned with a violated constraint, so that
the sampler learns to avoid them; a trial that has passed a rung appears as pruned at that rung, though it may go on.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from qpsearch.registry.samplers.trials.copies import copied
from qpsearch.registry.samplers.trials.order import COSTS, FURTHER, NUMBER, VIOLATED
from qpsearch.seeds import derive_seed
from qpsearch.space.domains.steps import Steps
from qpsearch.space.leaves import Site
from qpsearch.space.search import Search
from qpsearch.study.search.optuna_logging import quiet_optuna
from qpsearch.study.search.pruners import pruning
from qpsearch.study.search.pruning import Judgement, Traits
from qpsearch.study.search.samplers import Samplers
from qpsearch.study.storage.optuna_tables import DIRECTIONS, ENQUEUED, GUESS, IMPORTED
from qpsearch.vocabulary import Scalar


class Guesses(Protocol):
    """A source of values that the sampler need not draw: priors, or a grid."""

    def expected(self, number: int) -> Mapping[str, Scalar]:
        """Return the values with which a trial is the expert's guess; nothing for a trial that cannot be the guess."""

    def needed(self, number: int) -> Collection[str]:
        """Return the parameters that a trial should have: a draw without one of them is repeated some times."""

    def guess(self, number: int, draw: int) -> Mapping[str, Scalar]:
        """Return values for parameters of a trial; the sampler draws the others."""


class Replica:
    """The copy of a study that sampler and pruner see.

    One thread may draw (``ask``, ``frozen``, ``reject``) while another follows the study: Optuna's storage in memory,
    which the sampler reads, allows that.

    Trials are named by their number in the database. The replica's own numbers are larger, since the sampler also sees
    infeasible draws as trials.

    Args:
        name: Name of the study.
        search: Sampler, pruner, seed and objectives; only pruners with rungs see more than the first.
        epochs: The largest number of epochs of a trial.
        sites: The leaves of the space.
        guesses: Gives some or all values of some trials in advance; None leaves all values to the sampler.
    """

    def __init__(
        self, name: str, search: Search, epochs: int, sites: Sequence[Site], guesses: Guesses | None = None
    ) -> None:
        self._seed, self._guesses = search.seed, guesses
        self._samplers = Samplers(search.sampler, search.sampler_options, sites)
        self._pruning = pruning(
            search.pruner,
            search.pruner_options,
            epochs,
            search.objective.direction,
            name,
            seed=search.seed,
            fidelity=search.fidelity,
        )
        self._storage = _Memory()
        ways = [DIRECTIONS[each.direction] for each in search.objectives]
        with quiet_optuna():
            self._study = optuna.create_study(storage=self._storage, study_name=name, directions=ways)
        self._ids: dict[int, int] = {}
        self._over: dict[int, TrialState] = {}
        self._given: set[int] = set()  # trials that users enqueued, or that were imported
        self._values: dict[int, dict[int, float]] = {}  # of open trials, by epoch
        self._costs: dict[int, tuple[float, ...]] = {}
        self._signs = [-each.sign for each in search.further]
        self._further: dict[int, tuple[float, ...]] = {}  # losses of further metrics at the last rung
        self._shows_rungs = len(search.objectives) == 1 or search.sampler.compares_rungs

    def ask(self, number: int, draw: int, params: Mapping[str, Scalar] | None = None) -> optuna.Trial:
        """Begin a draw. The sampler's generator is a function of (seed, number, draw) alone.

        Args:
            number: Number of the trial.
            draw: How many infeasible draws the trial has had.
            params: Values that are fixed; None takes the values of ``guesses``.
        """
        seed = derive_seed(self._seed, "sampler", number, draw)
        self._study.sampler = self._samplers.of_draw(seed)
        if params is None and self._guesses is not None:
            params = self._guesses.guess(self._drawn_before(number), draw)
        if params:
            self._study.enqueue_trial(dict(params))
        return self._study.ask()

    def needed(self, number: int) -> Collection[str]:
        """Return the parameters that a trial of that number should have."""
        return () if self._guesses is None else self._guesses.needed(self._drawn_before(number))

    def frozen(self, trial: optuna.Trial) -> FrozenTrial:
        """Return what was suggested so far, with the attributes that the sampler keeps about it."""
        return self._storage.get_trial(trial._trial_id)

    def proposed(self, trial: optuna.Trial, number: int) -> FrozenTrial:
        """Return a draw that is to be the trial of that number, with an attribute if it is the expert's guess.

        The attribute alone tells later which trial was the guess: studies of earlier versions do not have it, and
        their first trial is compared with the others as it was.
        """
        drawn = self.frozen(trial)
        expected = {} if self._guesses is None else self._guesses.expected(self._drawn_before(number))
        own = expected.keys() & drawn.params.keys()
        if own and all(drawn.params[name] == expected[name] for name in own):
            self._storage.set_trial_system_attr(trial._trial_id, GUESS, value=True)
            drawn = self.frozen(trial)
        return drawn

    def reject(self, trial: optuna.Trial) -> None:
        """End an infeasible draw; as in the database, what the sampler kept about it is gone."""
        refused = copied(self.frozen(trial), TrialState.FAIL, None, {}, {})
        self._storage.revise(trial._trial_id, _for_sampler(refused, TrialState.FAIL, None, {}))

    def forget(self, trial: optuna.Trial) -> None:
        """End a draw that does not become a trial, so that the sampler ignores it."""
        self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)

    def knows(self, number: int) -> bool:
        """Whether the replica has that trial."""
        return number in self._ids

    def ended_as(self, number: int) -> TrialState | None:
        """Return how a trial has ended, as far as the replica knows; None where it does not know that it has."""
        return self._over.get(number)

    @property
    def known(self) -> int:
        """How many trials of the study the replica has."""
        return len(self._ids)

    def params(self, number: int) -> dict[str, Scalar]:
        """Return the parameters of a trial."""
        return self._copy(number).params

    def accept(self, trial: optuna.Trial, number: int, traits: Traits, *, is_enqueued: bool = False) -> None:
        """Make a draw the trial of that number; one that a user enqueued does not take the place of a guess."""
        if is_enqueued:
            self._given.add(number)
        self._ids[number], self._values[number] = trial._trial_id, {}
        self._costs[number] = traits.costs
        self._pruning.follow(number, _traits(traits, self.frozen(trial)), create_trial(state=TrialState.RUNNING))

    def follow_infeasible(self, drawn: FrozenTrial) -> None:
        """Repeat a rejected draw, from the database."""
        self._add(_for_sampler(drawn, TrialState.FAIL, None, {}))

    def follow(self, trial: FrozenTrial, traits: Traits) -> None:
        """Bring a trial up to the state that it has in the database; a failed one may be open, or have ended, again.

        New trials, with infeasible draws between them, come in the order of their drawing.
        """
        number = trial.number
        again = number in self._over  # to the sampler, a trial that is tried again is a new one
        if again:
            if trial.state is self._over[number]:
                return
            del self._over[number]
        if not {ENQUEUED, IMPORTED}.isdisjoint(trial.system_attrs):
            self._given.add(number)
        self._values[number], self._costs[number] = dict(trial.intermediate_values), traits.costs
        self._take_further(number, trial)
        self._pruning.follow(number, _traits(traits, trial), trial)
        self._show(number, trial, trial.state, trial.values, trial.intermediate_values, is_new=again)
        if trial.state.is_finished():
            del self._values[number]
            self._over[number] = trial.state

    def report(self, number: int, epoch: int, value: float, further: Sequence[float] = ()) -> Judgement:
        """Record a value, with those of further metrics of training, and ask the pruner what becomes of the trial."""
        self._values[number][epoch] = value
        losses = tuple(sign * each for sign, each in zip(self._signs, further, strict=True))
        judgement = self._pruning.report(number, epoch, value, losses)
        if self._pruning.last_rung(epoch) == epoch:
            if losses:
                self._further[number] = losses
                judgement = replace(judgement, attrs={**judgement.attrs, f"{FURTHER}{epoch}": losses})
            self._show(number, self._copy(number), TrialState.RUNNING, None, self._values[number])
        return judgement

    def run_ended(self, number: int, replicate: int, score: float) -> Judgement:
        """Record the score of a run and ask the pruner what becomes of the trial."""
        return self._pruning.run_ended(number, replicate, score)

    def close(self, number: int, state: TrialState, results: Sequence[float]) -> None:
        """End a trial; a failed one is shown as pruned with a violated constraint."""
        self._show(number, self._copy(number), state, results, self._values.pop(number))
        self._pruning.close(number, state, results[0] if results else None)
        self._over[number] = state

    def promotable(self, paused: Collection[int], *, is_last: bool) -> int | None:
        """Return the paused trial that should continue next; None where none should.

        Args:
            paused: Numbers of the trials that are paused.
            is_last: Whether no trial runs, and no new one will come.
        """
        return self._pruning.promotable(paused, is_last=is_last)

    def least_promising(self, paused: Collection[int]) -> int | None:
        """Return the paused trial that should be pruned where too many are paused; None where there is room."""
        return self._pruning.least_promising(paused)

    def _drawn_before(self, number: int) -> int:
        """Return how many trials before a number were drawn by the study itself; guesses are counted by it.

        Numbers of trials that users enqueued, that were imported, or that other tools took, do not count.
        """
        known = list(self._ids)  # another thread may add trials meanwhile
        return sum(other < number and other not in self._given for other in known)

    def _take_further(self, number: int, trial: FrozenTrial) -> None:
        """Look up the losses of further metrics at the last rung that a trial has reached."""
        rungs = [name for name in trial.system_attrs if name.startswith(FURTHER)]
        if rungs:
            last = max(rungs, key=lambda name: int(name.removeprefix(FURTHER)))
            self._further[number] = tuple(trial.system_attrs[last])

    def _copy(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._ids[number])

    def _add(self, trial: FrozenTrial) -> int:
        return self._storage.create_new_trial(self._study._study_id, template_trial=trial)

    def _show(
        self,
        number: int,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
        reported: Mapping[int, float],
        *,
        is_new: bool = False,
    ) -> None:
        """Show a trial to the sampler; of one that runs or is paused what it reported up to its last rung.

        Where ``is_new`` is set, what was shown of it stays, and it is shown as another one. A draw may look meanwhile
        which trials there are, so their numbers never lack it.
        """
        if not state.is_finished():
            rung = self._pruning.last_rung(max(reported, default=0))
            state = TrialState.PRUNED if rung else TrialState.RUNNING
            reported = {epoch: value for epoch, value in reported.items() if epoch <= rung}
        if state is not TrialState.COMPLETE and not self._shows_rungs:
            reported, values = {}, None  # Optuna's samplers cannot compare unfinished trials in several objectives
        further = self._further.get(number, (math.inf,) * len(self._signs))
        shown = _for_sampler(trial, state, values, reported, (*further, *self._costs[number]), number)
        if number in self._ids and not is_new:
            self._storage.revise(self._ids[number], shown)
        else:
            self._ids[number] = self._add(shown)


class _Memory(InMemoryStorage):
    """A storage whose trials can be revised, and which keeps steps as a space file spells them: 0.3, not 3 * 0.1."""

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Keep a value; the database gets it from here."""
        if isinstance(distribution, FloatDistribution) and distribution.step is not None:
            steps = Steps(distribution.low, distribution.high, distribution.step)
            param_value_internal = steps.nearest(param_value_internal)
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)

    def revise(self, trial_id: int, trial: FrozenTrial) -> None:
        """Put a trial in the place of another, also of one that has ended."""
        with self._lock:
            trial.number, trial._trial_id = self._get_trial(trial_id).number, trial_id
            self._set_trial(trial_id, trial)
            self._update_cache(trial_id, self._trial_id_to_study_id_and_number[trial_id][0])


def _traits(known: Traits, trial: FrozenTrial) -> Traits:
    """Return the traits of a trial, with whether it is the expert's guess."""
    return replace(known, is_guess=GUESS in trial.system_attrs)


def _for_sampler(
    trial: FrozenTrial,
    state: TrialState,
    values: Sequence[float] | None,
    reported: Mapping[int, float],
    costs: tuple[float, ...] = (),
    number: int | None = None,
) -> FrozenTrial:
    """Return a trial in another state; a failed one as pruned with a violated constraint."""
    attrs: dict[str, Any] = {name: attr for name, attr in trial.system_attrs.items() if name != VIOLATED}
    if costs:
        attrs[COSTS] = costs
    if number is not None:
        attrs[NUMBER] = number
    if state is not TrialState.FAIL:
        return copied(trial, state, values, reported, attrs)
    return copied(trial, TrialState.PRUNED, None, reported, attrs | {VIOLATED: 1.0})
