"""A sampler that learns from all trials at once, whatever rung they reached.

Trials stand in one order: who reached a later epoch is before who did not, the better value there decides between
equals, and what failed or cannot be trained comes last. A Gaussian process is fitted to normal scores of that order, so
that values of different epochs, and values that are not finite, need no common scale. Of random points and of
neighbours of the best, the one with the largest expected improvement is proposed. Points that other workers train at
the moment count with the value that the model expects of them.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from threading import Lock
from typing import Any, Final

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.special import log_ndtr, ndtri
from threadpoolctl import ThreadpoolController

from qpsearch.registry.samplers.base import Columns, Matrix
from qpsearch.registry.samplers.gp.process import GaussianProcess, fitted
from qpsearch.registry.samplers.trials.order import VIOLATED, best_first
from qpsearch.vocabulary import Scalar

BEST: Final = 40  # of the order that the model always sees
OTHERS: Final = 60  # drawn from the rest
LEARNED: Final = 60  # of all these, points from which the scales are learned
EVEN: Final = 400  # candidates drawn evenly
NEAR: Final = 200  # candidates near one of the best
PARENTS: Final = 5  # which the best are
STEPS: Final = (0.03, 0.1, 0.2)  # sd of a step to a neighbour, as shares of a range
MOVED: Final = 0.6  # chance that a neighbour differs in a parameter
ANOTHER: Final = 0.3  # chance that it has another word

THREADS: Final = ThreadpoolController()  # looking for the libraries at each proposal would take a millisecond
ONE: Final = Lock()  # how many threads a library uses is the process's: studies of other threads must not set it back


class GPSampler(BaseSampler):
    """Proposes one configuration.

    Args:
        columns: The parameters of the space.
        seed: Seed of the proposal.
        startup: Trials that have reported at a rung, or ended, before results are used.
    """

    def __init__(self, columns: Columns, seed: int, startup: int) -> None:
        self._columns, self._startup = columns, startup
        self._generator = np.random.default_rng(seed)
        self._seed = seed
        self._proposal: dict[str, Scalar] | None = None

    @cached_property
    def _even(self) -> RandomSampler:
        return RandomSampler(seed=self._seed)  # takes as long as a fifth of a proposal, which hardly needs it

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing: the whole proposal is made when the first parameter is asked for."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the proposal's value; a random one of a parameter that the proposal does not have."""
        if self._proposal is None:
            self._proposal = self._propose(study, trial)
        if param_name in self._proposal:
            return self._proposal[param_name]
        return self._even.sample_independent(study, trial, param_name, param_distribution)

    def _propose(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, Scalar]:
        with ONE, THREADS.limit(limits=1, user_api="blas"):  # matrices are small
            return self._proposed(study, trial)

    def _proposed(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, Scalar]:
        known = study._storage.get_all_trials(study._study_id, deepcopy=False)
        ordered = best_first(known, [way is StudyDirection.MAXIMIZE for way in study.directions])
        sound = (each for each in ordered if VIOLATED not in each.system_attrs)
        if len(list(islice(sound, self._startup))) < self._startup or not self._columns.size:
            return {}
        kept = self._some(len(ordered), BEST, OTHERS)
        rows = self._rows([ordered[index] for index in kept])
        points, values = self._columns.features(rows), _scores(len(ordered))[kept]  # the best is the lowest
        learned = self._some(len(points), LEARNED // 2, LEARNED // 2)
        scales = fitted(self._columns.widths, points[learned], values[learned])
        model = GaussianProcess(self._columns.widths, scales, points, values)
        running = [each for each in known if each.state is TrialState.RUNNING and each.number != trial.number]
        if running:
            model.expect(self._columns.features(self._rows(running)))
        candidates = self._candidates(rows)
        mean, sd = model.predict(self._columns.features(candidates))
        ranked = candidates[np.argsort(-_log_improvement((values[0] - mean) / sd, sd), kind="stable")]
        tried = [each.params for each in known]
        return next((point for point in map(self._columns.params, ranked) if point not in tried), {})

    def _some(self, count: int, best: int, others: int) -> Any:
        """Return the first few of ``count`` indices and some of the rest, ascending."""
        if count <= best + others:
            return np.arange(count)
        rest = self._generator.choice(np.arange(best, count), others, replace=False)
        return np.concatenate([np.arange(best), np.sort(rest)])

    def _rows(self, trials: Sequence[FrozenTrial]) -> Matrix:
        return np.array([self._columns.row(each.params) for each in trials]).reshape(-1, self._columns.size)

    def _candidates(self, rows: Matrix) -> Matrix:
        """Return even draws, and neighbours of the best rows."""
        generator, size = self._generator, self._columns.size
        even = generator.random((EVEN, size))
        parents = rows[generator.integers(min(PARENTS, len(rows)), size=NEAR)]
        drawn = generator.random((NEAR, size))
        parents = np.where(np.isnan(parents), drawn, parents)  # what the parent does not have, its neighbour may
        steps = generator.normal(0, 1, (NEAR, size)) * generator.choice(STEPS, (NEAR, 1))
        moves = generator.random((NEAR, size))
        near = np.where(moves < MOVED, np.clip(parents + steps, 0, 1), parents)
        words = self._columns.is_word
        near[:, words] = np.where(moves[:, words] < ANOTHER, drawn[:, words], parents[:, words])
        return self._columns.points(np.vstack([even, near]))


def _scores(count: int) -> Matrix:
    """Return the normal scores of places in an order."""
    return np.asarray(ndtri((np.arange(count) + 0.5) / count))


def _log_improvement(ahead: Matrix, sd: Matrix) -> Matrix:
    """Return the logarithm of the expected improvement, for values that are ``ahead`` standard deviations better.

    The logarithm, since far from the best the improvement itself is too small for a float.
    """
    density = -0.5 * ahead**2 - 0.5 * np.log(2 * np.pi)
    ratio = np.where(ahead < 0, np.exp(np.clip(log_ndtr(ahead) - density, -700, 1)) * ahead, 0.0)
    behind = density + np.log(np.maximum(1 + ratio, 1e-12))
    with np.errstate(divide="ignore"):
        before = np.log(np.maximum(np.exp(density) + ahead * np.exp(log_ndtr(ahead)), 1e-300))
    return np.asarray(np.where(ahead < 0, behind, before) + np.log(sd))
