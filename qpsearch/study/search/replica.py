"""The replica: a copy of the study in memory, on which Optuna samples and prunes.

Sampling on the copy gives the same suggestions as on the database in a fraction of the time. The copy also shows the
sampler more than the database: failed trials and infeasible draws appear as pruned with a violated constraint, so that
the sampler learns to avoid them. Pruners see one study for each stratum of block kinds, so that a slow starter competes
only with other slow starters.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, Self

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.pruners import BasePruner
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from qpsearch.registry.pruners import PRUNERS, PrunerKind
from qpsearch.registry.samplers import SAMPLERS, SamplerKind
from qpsearch.seeds import derive_seed
from qpsearch.space.domains.steps import Steps
from qpsearch.study.search.optuna_logging import quiet_optuna
from qpsearch.study.storage.optuna_tables import DIRECTIONS
from qpsearch.vocabulary import Direction, Scalar

VIOLATED: Final = "constraints:feasible"  # how Optuna 5 stores trial.set_constraint("feasible", 1.0)


class Guesses(Protocol):
    """A source of values that the sampler need not draw: priors, or a grid."""

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
        ways: Direction of each objective, the training metric first; the pruner sees only that metric.
        sampler: The sampler.
        pruner: The pruner.
        seed: Seed of the search.
        epochs: The largest number of epochs of a trial.
        guesses: Gives some or all values of some trials in advance; None leaves all values to the sampler.
    """

    def __init__(
        self,
        name: str,
        ways: Sequence[Direction],
        sampler: SamplerKind,
        pruner: PrunerKind,
        seed: int,
        epochs: int,
        guesses: Guesses | None = None,
    ) -> None:
        self._name, self._ways, self._sampler, self._seed = name, tuple(ways), sampler, seed
        self._guesses = guesses
        self._pruner = PRUNERS[pruner](epochs)
        self._storage = _Memory()
        self._study = self._new_study(name, self._storage, self._ways)
        self._ids: dict[int, int] = {}
        self._strata: dict[str, _Stratum] = {}
        self._stratum_of: dict[int, _Stratum] = {}

    def ask(self, number: int, draw: int, params: Mapping[str, Scalar] | None = None) -> optuna.Trial:
        """Begin a draw. The sampler's generator is a function of (seed, number, draw) alone.

        Args:
            number: Number of the trial.
            draw: How many infeasible draws the trial has had.
            params: Values that are fixed; None takes the values of ``guesses``.
        """
        self._study.sampler = SAMPLERS[self._sampler].build(derive_seed(self._seed, "sampler", number, draw))
        if params is None and self._guesses is not None:
            params = self._guesses.guess(number, draw)
        if params:
            self._study.enqueue_trial(dict(params))
        return self._study.ask()

    def frozen(self, trial: optuna.Trial) -> FrozenTrial:
        """Return what was suggested so far, with the attributes that the sampler keeps about it."""
        return self._storage.get_trial(trial._trial_id)

    def reject(self, trial: optuna.Trial) -> None:
        """End an infeasible draw."""
        self._violate(trial._trial_id)

    def forget(self, trial: optuna.Trial) -> None:
        """End a draw that does not become a trial, so that the sampler ignores it."""
        self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)

    def knows(self, number: int) -> bool:
        """Whether the replica has that trial."""
        return number in self._ids

    def is_over(self, number: int) -> bool:
        """Whether the replica has that trial, and the trial has ended."""
        return number in self._ids and self._storage.get_trial(self._ids[number]).state.is_finished()

    @property
    def known(self) -> int:
        """How many trials of the study the replica has."""
        return len(self._ids)

    def accept(self, trial: optuna.Trial, number: int, stratum: str) -> None:
        """Make a draw the trial of that number."""
        self._ids[number] = trial._trial_id
        self._join(number, stratum, create_trial(state=TrialState.RUNNING))

    def follow_infeasible(self, drawn: FrozenTrial) -> None:
        """Repeat a rejected draw, from the database."""
        copy = create_trial(state=TrialState.RUNNING, params=drawn.params, distributions=drawn.distributions)
        self._violate(self._add(copy))

    def follow(self, trial: FrozenTrial, stratum: str) -> None:
        """Bring a trial up to the state that it has in the database.

        New trials, with infeasible draws between them, come in the order of their drawing.
        """
        if trial.number not in self._ids:
            if trial.state.is_finished():  # at once, since a study may have thousands
                self._ids[trial.number] = self._add(_for_sampler(trial))
                self._join(trial.number, stratum, _for_pruner(trial))
                return
            self._ids[trial.number] = self._add(_as_running(trial))
            self._join(trial.number, stratum, _as_running(trial))
        copy = self._storage.get_trial(self._ids[trial.number])
        if copy.state.is_finished() and not trial.state.is_finished():  # a failed trial is tried again
            self._ids[trial.number] = self._add(_as_running(trial))
            self._join(trial.number, stratum, _as_running(trial))
            copy = self._storage.get_trial(self._ids[trial.number])
        if copy.state.is_finished():
            return
        own = self._stratum_of[trial.number]
        for step, value in trial.intermediate_values.items():
            if step not in copy.intermediate_values:
                self._storage.set_trial_intermediate_value(copy._trial_id, step, value)
                own.report(trial.number, step, value)
        own.set_attrs(trial.number, trial.system_attrs)
        if trial.state.is_finished():
            self.close(trial.number, trial.state, trial.values or ())

    def report(self, number: int, step: int, value: float) -> tuple[bool, dict[str, Any]]:
        """Record a value and ask the pruner.

        Returns:
            Whether the trial should stop, and the attributes that the pruner wrote about the trial, which belong in
            the database: the pruner compares other trials with them.
        """
        self._storage.set_trial_intermediate_value(self._ids[number], step, value)
        stratum = self._stratum_of[number]
        stratum.report(number, step, value)
        return stratum.judge(number, self._pruner)

    def close(self, number: int, state: TrialState, results: Sequence[float]) -> None:
        """End a trial; a failed one is shown as pruned with a violated constraint."""
        if state is TrialState.FAIL:
            self._violate(self._ids[number])
        else:
            self._storage.set_trial_state_values(self._ids[number], state, list(results) or None)
        self._stratum_of[number].close(number, state, results)

    def _violate(self, trial_id: int) -> None:
        self._storage.set_trial_system_attr(trial_id, VIOLATED, 1.0)
        self._storage.set_trial_state_values(trial_id, TrialState.PRUNED)

    def _add(self, trial: FrozenTrial) -> int:
        return self._storage.create_new_trial(self._study._study_id, template_trial=trial)

    def _join(self, number: int, stratum: str, trial: FrozenTrial) -> None:
        if stratum not in self._strata:
            storage = InMemoryStorage()
            study = self._new_study(f"{self._name}/{stratum}", storage, self._ways[:1])
            self._strata[stratum] = _Stratum(study, storage)
        self._stratum_of[number] = self._strata[stratum]
        self._stratum_of[number].add(number, trial)

    def _new_study(self, name: str, storage: InMemoryStorage, ways: Sequence[Direction]) -> optuna.Study:
        with quiet_optuna():
            return optuna.create_study(storage=storage, study_name=name, directions=[DIRECTIONS[way] for way in ways])


class _Stratum:
    """The trials that a pruner compares with each other."""

    def __init__(self, study: optuna.Study, storage: InMemoryStorage) -> None:
        self._study, self._storage = study, storage
        self._ids: dict[int, int] = {}

    def add(self, number: int, trial: FrozenTrial) -> None:
        self._ids[number] = self._storage.create_new_trial(self._study._study_id, template_trial=trial)

    def report(self, number: int, step: int, value: float) -> None:
        self._storage.set_trial_intermediate_value(self._ids[number], step, value)

    def set_attrs(self, number: int, attrs: dict[str, Any]) -> None:
        """Copy the attributes that another driver's pruner wrote about a trial, since this pruner needs them too."""
        trial_id = self._ids[number]
        known = self._storage.get_trial_system_attrs(trial_id)
        for key, value in attrs.items():
            if key not in known:
                self._storage.set_trial_system_attr(trial_id, key, value)

    def judge(self, number: int, pruner: BasePruner) -> tuple[bool, dict[str, Any]]:
        trial_id = self._ids[number]
        before = dict(self._storage.get_trial_system_attrs(trial_id))
        stop = pruner.prune(self._study, self._storage.get_trial(trial_id))
        after = self._storage.get_trial_system_attrs(trial_id)
        return stop, {key: value for key, value in after.items() if key not in before}

    def close(self, number: int, state: TrialState, results: Sequence[float]) -> None:
        self._storage.set_trial_state_values(self._ids[number], state, list(results[:1]) or None)


class _Memory(InMemoryStorage):
    """A storage that keeps what is drawn in steps as a space file spells it: 0.3, where Optuna computes 3 * 0.1."""

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Keep a value; the database gets it from here."""
        if isinstance(distribution, FloatDistribution) and distribution.step is not None:
            steps = Steps(distribution.low, distribution.high, distribution.step)
            param_value_internal = steps.nearest(param_value_internal)
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)


class _Own(FrozenTrial):
    """A trial that belongs to the storage that it is given to, which need not copy it."""

    def __deepcopy__(self, memo: object) -> Self:
        return self


def _as_running(trial: FrozenTrial) -> FrozenTrial:
    """Return the trial as it was before it reported anything."""
    return _own(trial, TrialState.RUNNING, None, trial.system_attrs, {})


def _for_sampler(trial: FrozenTrial) -> FrozenTrial:
    """Return an ended trial as ``close`` would leave it for the sampler."""
    reported = dict(trial.intermediate_values)
    if trial.state is TrialState.FAIL:
        return _own(trial, TrialState.PRUNED, None, {**trial.system_attrs, VIOLATED: 1.0}, reported)
    return _own(trial, trial.state, trial.values, trial.system_attrs, reported)


def _for_pruner(trial: FrozenTrial) -> FrozenTrial:
    """Return an ended trial as ``close`` would leave it for the pruner."""
    values = trial.values[:1] if trial.values and trial.state is not TrialState.FAIL else None
    return _own(trial, trial.state, values, trial.system_attrs, dict(trial.intermediate_values))


def _own(
    trial: FrozenTrial,
    state: TrialState,
    values: Sequence[float] | None,
    system_attrs: dict[str, Any],
    reported: dict[int, float],
) -> FrozenTrial:
    return _Own(
        number=-1,
        state=state,
        value=None,
        values=values or None,
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={},
        system_attrs=dict(system_attrs),
        intermediate_values=reported,
        trial_id=-1,
    )
