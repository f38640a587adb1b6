"""Asynchronous successive halving (Li et al., "A system for massively parallel hyperparameter tuning", 2020).

Trials are compared at rungs: the epochs f, f * 3, f * 9, ... below the epochs of a whole training, or the ends of the
levels of fidelity. ``asha`` pauses every trial at each rung; a free worker continues the best trial that is among the
best third of its rung, and begins a new one where there is none. ``asha_stop`` continues a trial that is among the best
third of those that were there before, and stops it otherwise. Everything is a function of the values at the rungs,
which the database holds.

Never more than a third of those that reached a rung go on from it, though a sampler that learns makes each new trial
the best so far; without that bound, searches of tables ended with half as much regret again. While other trials train
or are still to come, a third is rounded down, so that nothing is promoted too early. When all are paused it is rounded
up, and at least ``complete`` trials go on, so that each stratum that has a sound trial ends with a complete one.
Audited trials and the expert's guess run on to their end, and the others are compared without them.
"""

import math
from collections import defaultdict
from collections.abc import Collection

from optuna.trial import FrozenTrial, TrialState

from qpsearch.registry.fidelity import Fidelity
from qpsearch.registry.options import Options
from qpsearch.registry.samplers.trials.order import FURTHER
from qpsearch.study.search.audit import is_audited
from qpsearch.study.search.pruning import Judgement, Traits, Verdict
from qpsearch.study.search.rung import Rung
from qpsearch.vocabulary import Direction


def rungs_of(options: Options, epochs: int, fidelity: Fidelity | None = None) -> tuple[int, ...]:
    """Return the epochs at which trials are compared: the ends of levels of fidelity, if there are any, but the last.

    Args:
        options: Of the pruner.
        epochs: The largest number of epochs of a trial.
        fidelity: The levels at which runs train; None for the whole training alone.
    """
    first = options.get("first")
    return fidelity.rungs if fidelity else rungs(epochs, None if first is None else int(first), factor_of(options))


def factor_of(options: Options) -> int:
    """Return of how many trials at a rung one goes on."""
    return int(options.get("factor") or 3)


def rungs(epochs: int, first: int | None, factor: int) -> tuple[int, ...]:
    """Return the epochs f, f * factor, ... of a training; None for f is a fifteenth of all epochs, at least 1."""
    rung, found = first or max(1, epochs // 15), []
    while rung < epochs:
        found.append(rung)
        rung *= factor
    return tuple(found)


class Halving:
    """The rungs of a study.

    Args:
        rungs: The epochs at which trials are compared, ascending.
        direction: Whether larger values of the metric of training are better; with several objectives, trials are
            ordered by all of them.
        options: ``factor``, ``first``, ``audit`` and, where trials are paused, ``complete`` and ``paused``.
        pauses: Whether trials pause at rungs; else those outside the best are stopped.
        seed: Chooses the trials that are audited: they run on, and the others are compared without them.
    """

    def __init__(
        self, rungs: tuple[int, ...], direction: Direction, options: Options, *, pauses: bool, seed: int = 0
    ) -> None:
        self._rungs, self._factor = rungs, factor_of(options)
        most = options.get("paused")
        self._complete = int(options.get("complete") or 1)
        self._most_paused = math.inf if most is None else most
        self._sign = -1.0 if direction is Direction.MAXIMIZE else 1.0
        self._pauses = pauses
        self._seed, self._audit = seed, options.get("audit") or 0.0
        self._strata: dict[str, dict[int, Rung]] = {}
        self._stratum_of: dict[int, str] = {}
        self._guesses: set[int] = set()
        self._costs: dict[int, tuple[float, ...]] = {}
        self._further: dict[tuple[int, int], tuple[float, ...]] = {}  # by trial and rung
        self._tops: dict[int, int] = {}  # the highest rung that each trial has reached
        self._stopped: dict[tuple[str, int], set[int]] = defaultdict(set)  # trials that were pruned at each rung

    def follow(self, number: int, traits: Traits, trial: FrozenTrial) -> None:
        """Take in what a trial has reported so far."""
        self._stratum_of[number], self._costs[number] = traits.stratum, traits.costs
        if traits.is_guess:
            self._guesses.add(number)
        self._strata.setdefault(traits.stratum, {rung: Rung() for rung in self._rungs})
        for epoch, value in trial.intermediate_values.items():
            unknown = [math.inf] * traits.further  # of a trial that another tool has trained
            self._put(number, epoch, value, tuple(trial.system_attrs.get(f"{FURTHER}{epoch}", unknown)))
        if trial.state.is_finished():
            self.close(number, trial.state, None)

    def report(self, number: int, epoch: int, value: float, further: tuple[float, ...] = ()) -> Judgement:
        """Take a value in; at a rung the trial pauses, or stops unless it is among the best."""
        if epoch not in self._rungs or self._runs_on(number):
            return Judgement(Verdict.CONTINUE)
        self._put(number, epoch, value, further)
        if self._pauses:
            return Judgement(Verdict.PAUSE)
        rung = self._strata[self._stratum_of[number]][epoch]
        is_among = rung.place(number) < max(math.ceil(len(rung.order) / self._factor), 1)
        return Judgement(Verdict.CONTINUE if is_among else Verdict.PRUNE)

    def run_ended(self, number: int, replicate: int, score: float) -> Judgement:
        """Return that the trial continues: its first run has decided."""
        return Judgement(Verdict.CONTINUE)

    def close(self, number: int, state: TrialState, value: float | None) -> None:
        """Move a failed trial to the end of its rungs; note where a pruned one stopped."""
        if state is TrialState.PRUNED:
            self._stopped[self._stratum_of[number], self._top(number)].add(number)
        if state is TrialState.FAIL:
            for epoch, rung in self._strata[self._stratum_of[number]].items():
                if number in rung.loss:
                    rung.put(number, math.inf, (*self._further.get((number, epoch), ()), *self._costs[number]))

    def promotable(self, paused: Collection[int], *, is_last: bool) -> int | None:
        """Return the best paused trial of the highest rung that is among the best of its rung."""
        waiting: dict[tuple[str, int], set[int]] = defaultdict(set)
        for number in paused:
            waiting[self._stratum_of[number], self._top(number)].add(number)
        for epoch in reversed(self._rungs):
            found = [
                next_up
                for stratum, own in self._strata.items()
                if (next_up := self._next_up(stratum, own[epoch], epoch, waiting[stratum, epoch], is_last=is_last))
            ]
            if found:
                return min(found)[1]
        return None

    def _next_up(
        self, stratum: str, rung: Rung, epoch: int, waiting: set[int], *, is_last: bool
    ) -> tuple[int, int] | None:
        """Return place and number of the trial that should go on from a rung; None where none should."""
        count, stopped = len(rung.order), self._stopped[stratum, epoch]
        if not is_last:
            passing = count // self._factor
            if count - len(waiting) - len(stopped) >= passing:
                return None
            best = rung.order[:passing]
        else:  # in place of what can no longer go on, the next ones do
            every = [each for own in self._strata[stratum].values() for each in own.order]
            lost = stopped | {number for loss, number in every if math.isinf(loss)}
            left = [each for each in rung.order if each[1] not in lost]
            best = left[: max(math.ceil(len(left) / self._factor), self._complete)]
        for place, (loss, number) in enumerate(best):
            if number in waiting and not math.isinf(loss):
                return place, number
        return None

    def least_promising(self, paused: Collection[int]) -> int | None:
        """Return, where too many are paused, the one that is furthest behind at the lowest rung."""
        if len(paused) <= self._most_paused:
            return None
        return max(paused, key=lambda number: (-self._top(number), self._share_ahead(number), number))

    def last_rung(self, epoch: int) -> int:
        """Return the last rung up to an epoch; 0 for none."""
        return max((rung for rung in self._rungs if rung <= epoch), default=0)

    def _put(self, number: int, epoch: int, value: float, further: tuple[float, ...]) -> None:
        if epoch in self._rungs and not self._runs_on(number):
            loss = self._sign * value
            is_sound = not math.isnan(loss) and all(map(math.isfinite, further))
            self._further[number, epoch] = further
            self._tops[number] = max(epoch, self._top(number))
            self._strata[self._stratum_of[number]][epoch].put(
                number, loss if is_sound else math.inf, (*further, *self._costs[number])
            )

    def _runs_on(self, number: int) -> bool:
        """Whether a trial is trained to its end whatever its rungs say; the others are compared without it."""
        return number in self._guesses or is_audited(self._seed, number, self._audit)

    def _top(self, number: int) -> int:
        """Return the highest rung that a trial has reached; 0 for none."""
        return self._tops.get(number, 0)

    def _share_ahead(self, number: int) -> float:
        """Return which share of its highest rung is ahead of a trial."""
        rung = self._strata[self._stratum_of[number]].get(self._top(number))
        if rung is None:
            return 0.0
        return rung.place(number) / len(rung.order)
