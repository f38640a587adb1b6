"""Pruning between the runs of a trial: its scores are compared with those of the best trial on the same seeds.

The scores of a trial stand in its attributes in the database, one for each run that is complete. Values at the end of
a training do not depend on how fast it began, so all kinds of block are compared with each other.
"""

import math
from collections.abc import Collection
from typing import Final

import optuna
from optuna.pruners import BasePruner
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from qpsearch.registry.samplers.trials.copies import copied
from qpsearch.study.search.optuna_logging import quiet_optuna
from qpsearch.study.search.pruning import Judgement, Traits, Verdict
from qpsearch.study.storage.optuna_tables import DIRECTIONS
from qpsearch.vocabulary import Direction

SCORE: Final = "qpsearch:score:"  # attribute of a trial, with the replicate


class RunPruning:
    """The trials of a study as one of Optuna's pruners sees them whose steps are runs.

    Args:
        direction: Whether larger values are better.
        pruner: The pruner.
    """

    def __init__(self, direction: Direction, pruner: BasePruner) -> None:
        self._pruner = pruner
        self._storage = InMemoryStorage()
        with quiet_optuna():
            self._study = optuna.create_study(storage=self._storage, direction=DIRECTIONS[direction])
        self._ids: dict[int, int] = {}
        self._ended: dict[int, TrialState] = {}

    def follow(self, number: int, traits: Traits, trial: FrozenTrial) -> None:
        """Bring a trial up to the state that it has in the database; a failed one that is tried again begins anew."""
        scores = {
            int(key.removeprefix(SCORE)): value for key, value in trial.system_attrs.items() if key.startswith(SCORE)
        }
        if number in self._ids:
            is_over = self._copy(number).state.is_finished()
            if is_over and self._ended[number] is trial.state:
                return
            if not is_over:  # another driver has written: what was known of it counts no longer
                self._storage.set_trial_state_values(self._ids[number], TrialState.FAIL)
        self._ids[number] = self._storage.create_new_trial(
            self._study._study_id, template_trial=copied(trial, TrialState.RUNNING, None, scores, {})
        )
        if trial.state.is_finished():
            self.close(number, trial.state, trial.values[0] if trial.values else None)

    def report(self, number: int, epoch: int, value: float, further: tuple[float, ...] = ()) -> Judgement:
        """Return that the trial continues: epochs are not compared."""
        return Judgement(Verdict.CONTINUE)

    def run_ended(self, number: int, replicate: int, score: float) -> Judgement:
        """Take the score of a run in and ask the pruner."""
        trial_id = self._ids[number]
        self._storage.set_trial_intermediate_value(trial_id, replicate, score)
        trial = self._storage.get_trial(trial_id)
        stop = all(map(math.isfinite, trial.intermediate_values.values())) and self._pruner.prune(self._study, trial)
        return Judgement(Verdict.PRUNE if stop else Verdict.CONTINUE, {f"{SCORE}{replicate}": score})

    def close(self, number: int, state: TrialState, value: float | None) -> None:
        """End a trial; only a complete one whose scores are all finite may be the best."""
        scores = list(self._copy(number).intermediate_values.values())  # an imported trial does not have any
        self._ended[number] = state
        is_sound = state is TrialState.COMPLETE and value is not None and scores and all(map(math.isfinite, scores))
        state, values = (TrialState.COMPLETE, [value]) if is_sound else (TrialState.FAIL, None)
        self._storage.set_trial_state_values(self._ids[number], state, values)  # type: ignore[arg-type]  # not None

    def promotable(self, paused: Collection[int], *, is_last: bool) -> int | None:
        """Return None: this pruner does not pause."""
        return None

    def least_promising(self, paused: Collection[int]) -> int | None:
        """Return None: this pruner does not pause."""
        return None

    def last_rung(self, epoch: int) -> int:
        """Return 0: this pruner does not have rungs."""
        return 0

    def _copy(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._ids[number])
