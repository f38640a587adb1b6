"""What a user should know about a space that is valid: settings that do nothing, guesses that no trial can have."""

import math
from collections.abc import Mapping
from typing import Final

from qpsearch.architecture.blocks import custom_blocks
from qpsearch.architecture.candidates import Refusals, candidate, survey
from qpsearch.architecture.levels import rounded_levels
from qpsearch.architecture.paper_points import first_points_of
from qpsearch.errors import Infeasible, counted
from qpsearch.registry.pruners import PrunerKind
from qpsearch.seeds import derive_seed
from qpsearch.space import RandomChooser, Space
from qpsearch.space.domains import Choice, Domain, text_of
from qpsearch.space.leaves import ALWAYS, NEVER
from qpsearch.vocabulary import Fuse, Scalar

TRIED_PRIORS: Final = 200  # draws with a prior before it is taken to be excluded
COUNTED: Final = 30  # draws whose multiply-accumulates at each level are counted


def notes(space: Space) -> list[str]:
    """Return what a user should know about a space that is valid."""
    pruner = space.search.pruner.note(space.search.sampler)
    return [
        *([pruner] if pruner else []),
        *_nothing_fused(space),
        *_too_few_numbers(space),
        *_too_few_complete(space),
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
    """Say that a sampler cannot learn: it needs two numbers that every configuration has, and draws all else evenly."""
    numbers = {
        site.parameter
        for site in space.sites
        if site.domain is not None and site.when == ALWAYS and not isinstance(site.domain, Choice)
    }
    if not space.search.sampler.learns_numbers or len(numbers) > 1:
        return []
    found = f"has {'one' if numbers else 'none'}"
    return [
        f"search.sampler {space.search.sampler} learns about numbers that every configuration has, and needs two of "
        f"them at least. This space {found}, so that all draws are even. Write sampler: gp."
    ]


def _too_few_complete(space: Space) -> list[str]:
    """Say where too few trials are complete for a sampler that learns from a generation of complete ones."""
    search = space.search
    if not search.sampler.learns_complete:
        return []
    population = search.sampler_options["population"] or 0
    learns = f"search.sampler {search.sampler} learns from complete trials alone, {population:g} of them at a time"
    if search.budget.trials <= population:
        few = f"the study has {counted(search.budget.trials, 'trial')}"
        return [f"{learns}, and {few}, so that all draws are even. Write sampler: gp, or set a smaller population."]
    if search.pruner is PrunerKind.NONE:
        return []
    return [f"{learns}, so what {search.pruner} stops teaches it nothing. Write pruner: none, or sampler: gp."]


def lost_guesses(space: Space) -> list[str]:
    """Say which configurations of ``search.first``, and which priors, the space itself rules out, in sentences."""
    points = first_points_of(space)
    papers = len(points) - len(space.search.first)
    names = [f"search.first: papers, point {index}" for index in range(papers)]
    names += [f"search.first.{index}" for index in range(len(space.search.first))]
    lost = [f"{name}: {why}" for name, point in zip(names, points, strict=True) if (why := _lost(space, point))]
    if len(points) > space.search.budget.trials:
        lost.append(
            f"search.first lists {counted(len(points), 'configuration')}, more than the study has trials: "
            f"{space.search.budget.trials}."
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
