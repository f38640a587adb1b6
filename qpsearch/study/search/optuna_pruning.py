"""Optuna's pruners: each stratum of trials is a study of its own, which the pruner sees."""

from collections.abc import Collection

import optuna
from optuna.pruners import BasePruner
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from qpsearch.registry.samplers.trials.copies import copied
from qpsearch.study.search.optuna_logging import quiet_optuna
from qpsearch.study.search.pruning import Judgement, Traits, Verdict
from qpsearch.study.storage.optuna_tables import DIRECTIONS
from qpsearch.vocabulary import Direction


class OptunaPruning:
    """The trials of a study as one of Optuna's pruners sees them.

    Args:
        name: Name of the study; some pruners hash it.
        direction: Whether larger values are better.
        pruner: The pruner.
    """

    def __init__(self, name: str, direction: Direction, pruner: BasePruner) -> None:
        self._name, self._direction, self._pruner = name, direction, pruner
        self._strata: dict[str, _Stratum] = {}
        self._stratum_of: dict[int, _Stratum] = {}

    def follow(self, number: int, traits: Traits, trial: FrozenTrial) -> None:
        """Bring a trial up to the state that it has in the database."""
        stratum = traits.stratum
        if stratum not in self._strata:
            self._strata[stratum] = _Stratum(f"{self._name}/{stratum}", self._direction)
        own = self._stratum_of[number] = self._strata[stratum]
        own.follow(number, trial)

    def report(self, number: int, epoch: int, value: float, further: tuple[float, ...] = ()) -> Judgement:
        """Take a value in and ask the pruner, which compares one objective."""
        return self._stratum_of[number].judge(number, epoch, value, self._pruner)

    def run_ended(self, number: int, replicate: int, score: float) -> Judgement:
        """Return that the trial continues: its first run has decided."""
        return Judgement(Verdict.CONTINUE)

    def close(self, number: int, state: TrialState, value: float | None) -> None:
        """End a trial."""
        self._stratum_of[number].close(number, state, value)

    def promotable(self, paused: Collection[int], *, is_last: bool) -> int | None:
        """Return None: these pruners do not pause."""
        return None

    def least_promising(self, paused: Collection[int]) -> int | None:
        """Return None: these pruners do not pause."""
        return None

    def last_rung(self, epoch: int) -> int:
        """Return 0: these pruners do not have rungs."""
        return 0


class _Stratum:
    """The trials that a pruner compares with each other."""

    def __init__(self, name: str, direction: Direction) -> None:
        self._storage = InMemoryStorage()
        with quiet_optuna():
            self._study = optuna.create_study(storage=self._storage, study_name=name, direction=DIRECTIONS[direction])
        self._ids: dict[int, int] = {}
        self._ended: dict[int, TrialState] = {}

    def follow(self, number: int, trial: FrozenTrial) -> None:
        """Take a trial in, or what is new about it; a failed one that is tried again begins anew."""
        if number not in self._ids or (self._copy(number).state.is_finished() and self._ended[number] != trial.state):
            values = trial.values[:1] if trial.values and trial.state is not TrialState.FAIL else None
            first = copied(trial, trial.state, values, trial.intermediate_values)
            self._ids[number] = self._storage.create_new_trial(self._study._study_id, template_trial=first)
            if trial.state.is_finished():
                self._ended[number] = trial.state
            return
        copy = self._copy(number)
        if copy.state.is_finished():
            return
        for step, value in trial.intermediate_values.items():
            if step not in copy.intermediate_values:
                self._storage.set_trial_intermediate_value(copy._trial_id, step, value)
        for key, attr in trial.system_attrs.items():  # what another driver's pruner wrote, this one needs too
            if key not in copy.system_attrs:
                self._storage.set_trial_system_attr(copy._trial_id, key, attr)
        if trial.state.is_finished():
            self.close(number, trial.state, trial.values[0] if trial.values else None)

    def judge(self, number: int, epoch: int, value: float, pruner: BasePruner) -> Judgement:
        trial_id = self._ids[number]
        self._storage.set_trial_intermediate_value(trial_id, epoch, value)
        before = dict(self._storage.get_trial_system_attrs(trial_id))
        stop = pruner.prune(self._study, self._storage.get_trial(trial_id))
        after = self._storage.get_trial_system_attrs(trial_id)
        written = {key: attr for key, attr in after.items() if key not in before}
        return Judgement(Verdict.PRUNE if stop else Verdict.CONTINUE, written)

    def close(self, number: int, state: TrialState, value: float | None) -> None:
        if not self._copy(number).state.is_finished():
            self._ended[number] = state
            self._storage.set_trial_state_values(self._ids[number], state, None if value is None else [value])

    def _copy(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._ids[number])
