"""Points of a space that may be trained: resolved, and allowed by the space's own limits and conditions.

Everything here is arithmetic. Every draw (by a sampler, a seeded generator, or stored) passes through ``candidate``, so
a point that the space rules out is never dispatched.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from qpsearch.architecture.blocks import custom_blocks
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import Cost, cost, try_custom_blocks
from qpsearch.architecture.levels import check_levels, lower_levels, rounded_levels
from qpsearch.architecture.paper_points import first_points_of
from qpsearch.architecture.resolve import resolve
from qpsearch.errors import Infeasible, SpaceError
from qpsearch.registry.samplers import SamplerKind
from qpsearch.seeds import derive_seed
from qpsearch.space import Chooser, Draw, RandomChooser, Space, draw, load_space
from qpsearch.space.constraints import Limit, lookup_in
from qpsearch.space.domains import Choice, Domain, text_of
from qpsearch.space.expressions.nodes import ExpressionError
from qpsearch.space.leaves import ALWAYS, NEVER
from qpsearch.space.schema.numbers import COUNT, SEED, checked
from qpsearch.space.search import Budget
from qpsearch.vocabulary import Fuse, Scalar

TRIES: Final = 1000  # draws before a space is taken to be empty
TRIED_WITH_CUSTOM: Final = 16  # draws whose custom blocks are tried
TRIED_PRIORS: Final = 200  # draws with a prior before it is taken to be excluded
COUNTED: Final = 30  # draws whose multiply-accumulates at each level are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A draw with the configuration that the draw resolves to."""

    draw: Draw
    config: TrialConfig


@dataclass(slots=True)
class Refusals:
    """Why draws were refused, counted by the rule that they broke."""

    draws: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    nearest: dict[str, float] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, refused: Infeasible) -> None:
        """Count a refusal and keep the first of each rule as an example; for a limit, keep the nearest value."""
        self.counts[refused.rule] += 1
        self.examples.setdefault(refused.rule, str(refused))
        if refused.value is not None:
            known = self.nearest.get(refused.rule, refused.value)
            nearer = min if "<=" in refused.rule else max
            self.nearest[refused.rule] = nearer(known, refused.value)

    @property
    def parts(self) -> list[str]:
        """A text for each rule, the most frequent first."""
        parts = []
        for rule, count in self.counts.most_common():
            example = "" if self.examples[rule] == rule else f", such as {self.examples[rule]!r}"
            near = f", the nearest had {self.nearest[rule]:,.0f}" if rule in self.nearest else example
            parts.append(f"{rule} ({count} of {self.draws} draws{near})")
        return parts

    def __str__(self) -> str:
        return "; ".join(self.parts)


def candidate(space: Space, chooser: Chooser) -> Candidate:
    """Draw a point.

    Raises:
        Infeasible: The point cannot be built, or a limit or condition of the space rules it out.
    """
    drawn = draw(space, chooser)
    config = resolve(space, drawn)
    check_levels(config, space.search.fidelity)
    check_allowed(space, drawn, config)
    return Candidate(draw=drawn, config=config)


def check_allowed(space: Space, drawn: Draw, config: TrialConfig) -> None:
    """Check a configuration against limits and conditions.

    Raises:
        Infeasible: A limit or condition does not hold.
    """

    @cache
    def costs() -> Cost:
        return cost(config.network)

    for limit in space.search.limits:
        _check_limit(limit, float(getattr(costs(), limit.metric)))
    lookup = lookup_in(drawn.facts, lambda name: float(getattr(costs(), name)))
    for condition in space.search.conditions:
        try:
            allowed = condition.allows(lookup)
        except ExpressionError as error:
            raise Infeasible(f"{condition}: {error}", str(condition)) from None
        if not allowed:
            raise Infeasible(str(condition), str(condition))


def sample(space: Space | str | Path, count: int, seed: int = 0) -> list[Candidate]:
    """Draw feasible points evenly from a space; the same seed gives the same points.

    Args:
        space: The space to draw from, its file, or the name of a shipped space.
        count: How many points.
        seed: The seed of the draws.

    Returns:
        Points with their ``config`` and their ``draw``, whose ``params`` are what was chosen.

    Raises:
        SpaceError: A thousand draws in a row are refused, or there is no such space.
        UserError: ``count`` or ``seed`` is not a whole number from 0.

    Example:
        >>> import qpsearch
        >>> for point in qpsearch.sample(qpsearch.load_space("smoke"), 3):
        ...     print(point.config.network.stages[0].block, round(point.draw.params["training.optimizer.sgd.lr"], 3))
        product_unit 0.055
        quotient 0.134
        quotient 0.021
    """
    loaded = space if isinstance(space, Space) else load_space(space)
    seed = checked(SEED, seed, "seed")
    return [sampled(loaded, index, seed) for index in range(checked(COUNT, count, "count"))]


def sampled(space: Space, index: int, seed: int = 0) -> Candidate:
    """Draw one of the points that ``sample`` returns, by its place from 0, without those before it.

    Raises:
        SpaceError: A thousand draws in a row are refused.
    """
    return _first_feasible(space, derive_seed(seed, "sample", index))


def check_feasible(space: Space) -> None:
    """Look for one point that can be trained, and try the custom blocks, if any, of a few points.

    Raises:
        SpaceError: A thousand draws are all refused; the message counts the rules that refused them.
        UserError: A custom block cannot be built or does not accept its input.
    """
    _first_feasible(space, derive_seed(space.search.seed, "feasible"))
    for found in sample(space, TRIED_WITH_CUSTOM if custom_blocks() else 0, space.search.seed):
        try_custom_blocks(found.config.network)
        for _, lower in lower_levels(found.config, space.search.fidelity):
            try_custom_blocks(lower.network)


def notes(space: Space) -> list[str]:
    """Return what a user should know about a space that is valid."""
    pruner = space.search.pruner.note
    return [
        *([pruner] if pruner else []),
        *_nothing_fused(space),
        *_too_few_numbers(space),
        *_no_target(space),
        *_rounded_levels(space),
        *lost_guesses(space),
    ]


def _nothing_fused(space: Space) -> list[str]:
    """Say where ``resources.fuse`` does nothing: fewer than two seeds of a trial may be trained at once, or blocks."""
    fuse, search = space.resources.fuse, space.search
    if fuse is Fuse.NEVER:
        return []
    if search.most_fused > 1:
        return [
            f"resources.fuse {fuse} fuses no seeds of networks with the block {own}: whether it treats each channel "
            "for itself is not known."
            for own in custom_blocks()
            if any(each.keys == ("block",) and own in (each.leaf.options or ()) for each in space.sites)
        ]
    if search.replicates == 1:
        why = "each trial begins with one seed. Raise search.replicates"
    elif search.pruner.judges(search.replicates - 1):
        why = f"{search.pruner} judges after each seed. Write another search.pruner"
    elif any(each.metric.is_timed for each in search.objectives):
        why = "a fused seed has no time of its own, which search.objective asks for"
    else:
        why = f"{search.pruner} watches the first of 2 seeds. Write pruner: none, or raise search.replicates"
    return [f"resources.fuse {fuse} fuses nothing: {why}."]


def _rounded_levels(space: Space) -> list[str]:
    """Say which levels of fidelity cost other multiply-accumulates than an epoch of theirs counts."""
    if space.search.fidelity is None:
        return []
    found, _ = survey(space, COUNTED)
    return rounded_levels([each.config for each in found], space.search.fidelity)


def _no_target(space: Space) -> list[str]:
    """Say that ``stop.target`` is outside of the metric's range: 93 for an accuracy of 0.93."""
    metric, target = space.search.objective.metric, space.search.stop.target
    if target is None or metric.kind.low <= target <= metric.kind.high:
        return []
    most = "" if math.isinf(metric.kind.high) else f" and at most {metric.kind.high:g}"
    return [f"search.stop.target: {metric} is never {target:g}: it is at least {metric.kind.low:g}{most}."]


def _too_few_numbers(space: Space) -> list[str]:
    """Say that CMA-ES cannot learn: it needs two numbers that every configuration has, and draws all else evenly."""
    numbers = {
        site.parameter
        for site in space.sites
        if site.domain is not None and site.when == ALWAYS and not isinstance(site.domain, Choice)
    }
    if space.search.sampler is not SamplerKind.CMAES or len(numbers) > 1:
        return []
    found = f"has {'one' if numbers else 'none'}"
    return [
        "search.sampler cmaes learns about numbers that every configuration has, and needs two of them at least. This "
        f"space {found}, so that all draws are even. Write sampler: gp."
    ]


def lost_guesses(space: Space) -> list[str]:
    """Say which configurations of ``search.first``, and which priors, the space itself rules out, in sentences."""
    points = first_points_of(space)
    papers = len(points) - len(space.search.first)
    names = [f"search.first: papers, point {index}" for index in range(papers)]
    names += [f"search.first.{index}" for index in range(len(space.search.first))]
    lost = [f"{name}: {why}" for name, point in zip(names, points, strict=True) if (why := _lost(space, point))]
    if len(points) > space.search.budget.trials:
        lost.append(
            f"search.first lists {len(points)} configurations, more than the {space.search.budget.trials} trials."
        )
    return [*lost, *lost_priors(space)]


def _lost(space: Space, point: Mapping[str, Scalar]) -> str | None:
    """Say why no draw of 200 has all values of a configuration; None where one has."""
    refusals, ever = Refusals(), set[str]()
    for attempt in range(TRIED_PRIORS):
        chooser = _Guesser(point, derive_seed(space.search.seed, "first", attempt))
        try:
            candidate(space, chooser)
        except Infeasible as refused:
            refusals.draws += 1
            refusals.add(refused)
        else:
            ever |= chooser.guessed
            if chooser.guessed == point.keys():
                return None
    if refusals.draws == TRIED_PRIORS:
        return f"no trial can have these values. Refused by: {refusals}."
    unused = ", ".join(name for name in point if name not in ever) or "some of them"
    return f"these values are never used together. Without effect: {unused}."


def lost_priors(space: Space) -> list[str]:
    """Say which of an expert's guesses the space itself rules out, in sentences; the first trial is then not the guess.

    A prior is lost where a limit, a condition or the shape of the network refuses all of 200 draws that have it. Where
    each prior can be had alone, but not all of them together, they exclude each other.
    """
    drawn = [(site.parameter, site.domain) for site in space.sites if site.domain is not None and site.when != NEVER]
    guesses = {name: domain.prior.value for name, domain in drawn if domain.prior is not None}
    together = _excluded(space, guesses)
    if together is None:
        return []
    alone = {name: _excluded(space, {name: value}) for name, value in guesses.items()}
    lost = [
        f"{name}: no trial can have its prior, {text_of(guesses[name])}, so the first trial is not the guess. "
        f"Refused by: {refusals}."
        for name, refusals in alone.items()
        if refusals is not None
    ]
    return lost or [f"the priors exclude each other, so the first trial is not the guess. Refused by: {together}."]


def _excluded(space: Space, guesses: Mapping[str, Scalar]) -> Refusals | None:
    """Return why no draw with some guesses can be trained; None where one can, or where no draw has them."""
    refusals = Refusals()
    for attempt in range(TRIED_PRIORS if guesses else 0):
        chooser = _Guesser(guesses, derive_seed(space.search.seed, "prior", attempt))
        try:
            candidate(space, chooser)
            if chooser.guessed:
                return None
        except Infeasible as refused:
            if chooser.guessed:
                refusals.draws += 1
                refusals.add(refused)
    return refusals if refusals.draws else None


class _Guesser:
    """Takes guesses where there are any, and draws other values evenly."""

    def __init__(self, guesses: Mapping[str, Scalar], seed: int) -> None:
        self.guessed: set[str] = set()
        self._guesses, self._others = guesses, RandomChooser(seed)

    def choose(self, name: str, domain: Domain) -> Scalar:
        """Return the guess, or a value of the domain."""
        if name not in self._guesses:
            return self._others.choose(name, domain)
        self.guessed.add(name)
        return domain.member(self._guesses[name])


def survey(space: Space, count: int, seed: int = 0) -> tuple[list[Candidate], Refusals]:
    """Draw ``count`` times; return the points that can be trained, and why the others cannot."""
    found, refusals = [], Refusals(draws=count)
    for index in range(count):
        try:
            found.append(candidate(space, RandomChooser(derive_seed(seed, "survey", index))))
        except Infeasible as refused:
            refusals.add(refused)
    return found, refusals


def every_candidate(space: Space) -> Iterator[Candidate | Infeasible]:
    """Yield each point of a finite space once, in the order of its domains, or why it cannot be trained.

    Raises:
        ValueError: A domain is continuous.
    """
    places: list[tuple[int, int]] = []
    while True:
        chooser = _Odometer(places)
        try:
            yield candidate(space, chooser)
        except Infeasible as refused:
            yield refused
        places = chooser.places
        while places and places[-1][0] + 1 == places[-1][1]:
            places.pop()
        if not places:
            return
        places[-1] = (places[-1][0] + 1, places[-1][1])


def on_the_grid(space: Space, budget: Budget) -> Budget:
    """Return a budget with at most as many trials as a grid has trainable points; unchanged without a grid."""
    if not space.search.is_grid:
        return budget
    allowed = sum(isinstance(each, Candidate) for each in every_candidate(space))
    return budget.updated(trials=min(budget.trials, allowed))


class _Odometer:
    """Takes the values of a space in turn: ``places`` holds, for each decision, the index and the number of values."""

    def __init__(self, places: list[tuple[int, int]]) -> None:
        self.places = list(places)
        self._next = 0

    def choose(self, name: str, domain: Domain) -> Scalar:
        """Return the value at this decision's place."""
        values = domain.values
        if values is None:
            raise ValueError(f"{name} is continuous")
        if self._next == len(self.places):
            self.places.append((0, len(values)))
        place, _ = self.places[self._next]
        self._next += 1
        return values[place]


def _first_feasible(space: Space, seed: int) -> Candidate:
    refusals = Refusals(draws=TRIES if space.searched else 1)
    for attempt in range(refusals.draws):
        try:
            return candidate(space, RandomChooser(derive_seed(seed, attempt)))
        except Infeasible as refused:
            refusals.add(refused)
    raise SpaceError([nothing_feasible(space, refusals)])


def nothing_feasible(space: Space, refusals: Refusals) -> str:
    """Say that a space seems to be empty, and why; of a single network, which rule it breaks."""
    if not space.searched:
        broken = next(iter(refusals.examples.values())).rstrip(".")
        return f"study {space.study!r}: its network cannot be trained: {broken}. Change a setting, or loosen this rule."
    none = f"study {space.study!r}: none of {refusals.draws} draws can be trained."
    return (
        f"{none} Refused by: {refusals}. Loosen {'this rule' if len(refusals.counts) == 1 else 'one of these rules'}."
    )


def _check_limit(limit: Limit, value: float) -> None:
    broken = limit.broken_by(value)
    if broken is not None:
        rule = f"limit {limit.metric} {broken}"
        raise Infeasible(f"{rule}: the network has {value:,.0f}", rule, value)
