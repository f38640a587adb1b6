"""A search before anything is trained: sizes, feasibility and cost.

Sizes come from arithmetic, the share of epochs that pruning leaves from a simulation, seconds from the caller.
"""

import contextlib
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from optuna.trial import TrialState

from qpsearch.architecture.candidates import (
    Candidate,
    Refusals,
    candidate,
    every_candidate,
    nothing_feasible,
    on_the_grid,
    survey,
)
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import Cost, cost
from qpsearch.errors import Infeasible, SpaceError
from qpsearch.registry.pruners import PrunerKind
from qpsearch.registry.samplers.random_draws import RANDOM
from qpsearch.seeds import derive_seed
from qpsearch.space import Space
from qpsearch.space.counting import count_points
from qpsearch.space.domains import Domain
from qpsearch.space.leaves import sites
from qpsearch.space.search import Search
from qpsearch.study.search.priors import Priors
from qpsearch.study.search.pruning import Verdict, traits_of
from qpsearch.study.search.replica import Replica
from qpsearch.study.trials.open_trial import costs_of
from qpsearch.vocabulary import Scalar

DRAWS: Final = 1000
FEW_DRAWS: Final = 100
ENUMERATED: Final = 2000  # the most points that are looked at one by one
CORNERS: Final = 100
SIMULATED_TRIALS: Final = 100
SIMULATED_EPOCHS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A network of the space.

    Attributes:
        config: The network's configuration, with its recipe.
        cost: Parameters, multiply-accumulates and activation bytes of one image.
        training_bytes: Estimated memory of training at the configuration's batch size.
    """

    config: TrialConfig
    cost: Cost
    training_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is known about a search before it starts.

    Attributes:
        networks: Distinct networks, before conditions; infinity if a rule is continuous.
        shapes: Distinct networks with continuous rules left out.
        looked_at: Points that were drawn, or all points of a small space.
        allowed: How many of these points can be trained.
        refusals: Why the other points cannot be trained.
        smallest: The smallest network by parameters, of these points and of points in the corners of the space.
        median: The median network of these points.
        largest: The largest network; see ``smallest``.
        epochs: Mean epochs of an unpruned trial, all its replicates together; those of lower levels of fidelity count
            by their cost.
        epochs_at_most: The same with as many replicates as a race may train.
        kept: Simulated share of these epochs that pruning leaves; 1 without pruning.
        points: The points drawn, for estimates over the space.
        trials: The budget; at most the number of points for a grid.
    """

    networks: float
    shapes: float
    looked_at: int
    allowed: int
    refusals: Refusals
    smallest: Size
    median: Size
    largest: Size
    epochs: float
    epochs_at_most: float
    kept: float
    points: Sequence[Candidate]
    trials: int

    @property
    def sizes(self) -> tuple[Size, Size, Size]:
        """Smallest, median, largest."""
        return self.smallest, self.median, self.largest

    @property
    def batch_size(self) -> int:
        """The middle batch size of the points: seconds at different batch sizes cannot be compared."""
        return sorted(point.config.recipe.batch_size for point in self.points)[len(self.points) // 2]

    @property
    def timed(self) -> tuple[TrialConfig, ...]:
        """The networks of ``sizes``, all at one batch size."""
        return tuple(
            replace(size.config, recipe=replace(size.config.recipe, batch_size=self.batch_size)) for size in self.sizes
        )


def make_plan(space: Space) -> Plan:
    """Look at a space.

    Raises:
        SpaceError: None of the points can be trained.
    """
    space = space.with_search(budget=on_the_grid(space, space.search.budget))
    networks = count_points(sites(space.network))
    points, refusals = _looked_at(space)
    if not points:
        raise SpaceError([nothing_feasible(space, refusals)])
    sized = sorted((_size(point.config) for point in points), key=lambda size: size.cost.parameters)
    ends = [_size(point.config) for point in _corners(space)] + [sized[0], sized[-1]]
    return Plan(
        networks=networks,
        shapes=count_points(sites(space.network), continuous=1),
        looked_at=refusals.draws,
        allowed=len(points),
        refusals=refusals,
        smallest=min(ends, key=lambda size: size.cost.parameters),
        median=sized[len(sized) // 2],
        largest=max(ends, key=lambda size: size.cost.parameters),
        epochs=_mean_epochs(space, points, space.search.replicates),
        epochs_at_most=_mean_epochs(space, points, space.search.most_replicates),
        kept=kept_share(space, points),
        points=points,
        trials=space.search.budget.trials,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a search costs in epochs, estimated in less than a second.

    Attributes:
        epochs: Mean epochs of an unpruned trial, all its replicates together.
        kept: Simulated share of these epochs that pruning leaves; 1 without pruning.
    """

    epochs: float
    kept: float


def outlook(space: Space) -> Outlook:
    """Look at a few points of a space; if none of them can be trained, the effect of pruning is unknown."""
    points, _ = survey(space, FEW_DRAWS, derive_seed(space.search.seed, "plan"))
    if not points:
        return Outlook(epochs=space.search.trial_cost(space.most_epochs, space.search.replicates), kept=1.0)
    return Outlook(epochs=_mean_epochs(space, points, space.search.replicates), kept=kept_share(space, points))


def _mean_epochs(space: Space, points: Sequence[Candidate], seeds: int) -> float:
    """Return the mean cost of an unpruned trial with a number of seeds, in epochs."""
    return float(np.mean([space.search.trial_cost(point.config.recipe.epochs, seeds) for point in points]))


def mean_seconds(plan: Plan, measured: Sequence[float]) -> float:
    """Estimate the mean seconds of an unpruned trial's epochs, over the points of a plan.

    Args:
        plan: The plan of the space.
        measured: Seconds per epoch of each timed network; interpolated linearly in multiply-accumulates,
            constant beyond the timed networks, and averaged over networks with equal multiply-accumulates.
    """
    of_macs: dict[int, list[float]] = {}
    for size, seconds in zip(plan.sizes, measured, strict=True):
        of_macs.setdefault(size.cost.macs, []).append(seconds)
    known = sorted((macs, float(np.mean(seconds))) for macs, seconds in of_macs.items())
    macs = [cost(point.config.network).macs for point in plan.points]
    epoch_s = np.interp(macs, [x for x, _ in known], [y for _, y in known])
    return float(np.mean(epoch_s)) * plan.epochs


def kept_share(space: Space, points: Sequence[Candidate]) -> float:
    """Simulate how many epochs the pruner leaves of a search.

    Up to a hundred trials with the blocks of the given points learn along saturating curves of random height, speed
    and noise, one after another, and the study's own pruner judges them within its strata.
    """
    search = space.search
    if search.pruner is PrunerKind.NONE:
        return 1.0
    trials = min(search.budget.trials, SIMULATED_TRIALS)
    search, at_each = _shortened(search.using(RANDOM, search.pruner), space.most_epochs)
    epochs = search.run_epochs(at_each)
    replica = Replica("plan", search, epochs, space.sites, Priors.of(space))
    curves = _curves(random.Random(derive_seed(search.seed, "plan")), trials, epochs)
    reached: dict[int, int] = {}  # epochs of the trials that are paused

    def config_of(trial: int) -> TrialConfig:
        return points[trial % len(points)].config

    number: int | None = 0
    begun, spent = 0, 0.0
    while number is not None:
        if number not in reached:
            replica.accept(replica.ask(number, 0), number, traits_of(config_of(number), search))
            begun += 1
        verdict, epoch = Verdict.CONTINUE, reached.pop(number, 0)
        before = search.cost_up_to(epoch)
        while verdict is Verdict.CONTINUE and epoch < epochs:
            epoch += 1
            value, *further = _in_all(curves[number][epoch - 1], search)
            verdict = replica.report(number, epoch, value, further).verdict
        spent += search.cost_up_to(epoch) - before
        if epoch == epochs:
            spent += at_each * (search.replicates - 1)  # the first replicate decides for all
            replica.close(
                number,
                TrialState.COMPLETE,
                (*_in_all(curves[number][-1], search), *costs_of(config_of(number), search)),
            )
        elif verdict is Verdict.PAUSE:
            reached[number] = epoch
        else:
            replica.close(
                number,
                TrialState.PRUNED,
                (*_in_all(curves[number][epoch - 1], search), *costs_of(config_of(number), search)),
            )
        number = replica.promotable(reached, is_last=begun == trials)
        if number is None and begun < trials:
            number = begun
    return spent / (trials * search.trial_cost(at_each, search.replicates))


def _shortened(search: Search, epochs: int) -> tuple[Search, int]:
    """Return a search of runs that are short enough to simulate, and their epochs, at each level of fidelity."""
    if search.fidelity is None:
        return search, min(epochs, SIMULATED_EPOCHS)
    at_each = min(epochs, max(SIMULATED_EPOCHS // len(search.fidelity.levels), 1))
    return replace(search, fidelity=replace(search.fidelity, epochs=at_each)), at_each


def _in_all(value: float, search: Search) -> tuple[float, ...]:
    """Return the value of a simulated curve, and the same for each further metric of training, as far as known."""
    return (value, *(each.sign * value for each in search.further))


def _curves(generator: random.Random, trials: int, epochs: int) -> list[list[float]]:
    """Return learning curves that saturate, of random height, speed and noise."""
    found = []
    for _ in range(trials):
        height, speed = generator.gauss(0.8, 0.1), generator.uniform(0.05, 0.4) * epochs
        found.append(
            [height * (1 - math.exp(-epoch / speed)) + generator.gauss(0, 0.02) for epoch in range(1, epochs + 1)]
        )
    return found


def _looked_at(space: Space) -> tuple[list[Candidate], Refusals]:
    """Return every point of a small finite space, or the points of a thousand draws."""
    if count_points(space.sites) > ENUMERATED:
        return survey(space, DRAWS, derive_seed(space.search.seed, "plan"))
    found, refusals = [], Refusals()
    for each in every_candidate(space):
        refusals.draws += 1
        if isinstance(each, Infeasible):
            refusals.add(each)
        else:
            found.append(each)
    return found, refusals


class _Corner:
    """Chooses one end of every range, and words at random."""

    def __init__(self, seed: int, end: Callable[..., float]) -> None:
        self._random, self._end = random.Random(seed), end

    def choose(self, name: str, domain: Domain) -> Scalar:
        """Return a value."""
        return domain.draw(self._random) if domain.bounds is None else self._end(*domain.bounds)


def _corners(space: Space) -> Iterator[Candidate]:
    for index in range(CORNERS):
        for end in (min, max):
            with contextlib.suppress(Infeasible):
                yield candidate(space, _Corner(derive_seed(space.search.seed, "corner", index), end))


def _size(config: TrialConfig) -> Size:
    found = cost(config.network)
    return Size(config=config, cost=found, training_bytes=found.training_bytes(config.recipe.batch_size))
