"""Points of a space that may be trained: resolved, and allowed by the space's own limits and conditions.

Everything here is arithmetic. Every draw (by a sampler, a seeded generator, or stored) passes through ``candidate``, so
a point that the space rules out is never dispatched.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from qpsearch.architecture.blocks import custom_blocks
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import Cost, cost, try_custom_blocks
from qpsearch.architecture.levels import check_levels, lower_levels
from qpsearch.architecture.plugins import load_everything
from qpsearch.architecture.resolve import resolve
from qpsearch.errors import Infeasible, SpaceError
from qpsearch.seeds import derive_seed
from qpsearch.space import Chooser, Draw, RandomChooser, Space, build_space, draw, load_space
from qpsearch.space.constraints import Limit, lookup_in
from qpsearch.space.domains import Domain
from qpsearch.space.expressions.nodes import ExpressionError
from qpsearch.space.schema.numbers import COUNT, SEED, required
from qpsearch.space.search import Budget
from qpsearch.vocabulary import Scalar

TRIES: Final = 1000  # draws before a space is taken to be empty
TRIED_WITH_CUSTOM: Final = 16  # draws whose custom blocks are tried


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


def sample(space: Space | str | Path | Mapping[str, Any], count: int, seed: int = 0) -> list[Candidate]:
    """Draw feasible points evenly from a space; the same seed gives the same points.

    Args:
        space: The space to draw from, its file, the name of a shipped space, or what a file would say.
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
    if not isinstance(space, Space):
        load_everything()
        space = build_space(space) if isinstance(space, Mapping) else load_space(space)
    seed = required(SEED, seed, "seed")
    return [sampled(space, index, seed) for index in range(required(COUNT, count, "count"))]


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
