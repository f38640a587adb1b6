"""What each choice does to the objective, in its own unit: differences to a reference level, with intervals.

The differences are those of the fitted ANOVA, over even draws of everything else. They are shrunk: a difference that
the trials do not show is drawn towards 0. Means of the trials with a choice are no substitute: a sampler that adapts
pairs a choice with what suits it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from qpsearch.analysis.anova.forecast import ALARM
from qpsearch.analysis.anova.model import Analysis
from qpsearch.analysis.anova.parameters import Floats, Parameter
from qpsearch.analysis.anova.posterior import Posterior
from qpsearch.analysis.anova.shares import Estimate
from qpsearch.analysis.importance import Nothing, analysis_of, at_sentence, nothing_of, place_of, trials_text, why_there
from qpsearch.analysis.subject import Goal, Subject
from qpsearch.space.domains import as_written
from qpsearch.vocabulary import BlockKind, Direction, Scalar

SURE: Final = 0.005  # a pair whose share may be smaller is not told as an interaction
PLACES: Final = (0.1, 0.5, 0.9)  # of a number's range, at which an interaction with it is told
BLOCK: Final = "block"  # last word of the name of a parameter that chooses a stage's block


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A difference in the objective.

    Attributes:
        parameter: The parameter.
        level: The choice.
        reference: The choice to which it is compared: of blocks the additive one, of a switch off, else the first.
        effect: The mean of the posterior, in the objective's unit.
        low: 5th percentile.
        high: 95th percentile.
        trials: Used trials that have the choice.
        is_shown: Whether the effect is told from nothing: the interval does not hold 0, and neither does that of the
            analysis in which most parameters are expected to do nothing. Of many intervals some miss the truth by
            chance; of effects that are not there, less than one in a hundred is shown.
    """

    parameter: str
    level: Scalar
    reference: Scalar
    effect: float
    low: float
    high: float
    trials: int
    is_shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """An effect where another parameter has a certain value; attributes as of ``Effect``.

    Attributes:
        given: The other parameter.
        value: Its value.
    """

    parameter: str
    level: Scalar
    reference: Scalar
    given: str
    value: Scalar
    effect: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectTable:
    """Effects with everything needed to read them.

    Attributes:
        study: The study's name.
        objective: The objective that was analysed, the first.
        n: Trials with a finite value: complete ones, or those that reached ``at``.
        pruned: Pruned trials without such a value that were used.
        at: Where values were compared: ``epoch 3``; None for final values.
        why: Why they were not compared later, a clause; None for final values.
        total: All trials of the study.
        effects: A row for each choice but the reference, parameter by parameter.
        across: Of each block, the difference between its effects at two stages.
        interactions: Effects by the value of another parameter, where the pair explains something.
        design: How the points were chosen, a sentence.
        nothing: Whether anything is there at all.
        doubts: What speaks against reading the effects as they stand, a sentence each.
        untried: Options that no trial has, a sentence for each parameter.
    """

    study: str
    objective: Goal
    n: int
    pruned: int
    total: int
    effects: tuple[Effect, ...]
    across: tuple[Interaction, ...]
    interactions: tuple[Interaction, ...]
    design: str
    nothing: Nothing
    doubts: tuple[str, ...]
    untried: tuple[str, ...]
    at: str | None
    why: str | None

    @property
    def of(self) -> str:
        """What is analysed: ``val_accuracy after epoch 3``, or final values, ``val_accuracy``."""
        return self.objective.metric if self.at is None else f"{self.objective.metric} after {self.at}"

    @property
    def title(self) -> str:
        """One line that says how the table was computed."""
        basis = trials_text(self.n, self.pruned, self.at)
        return f"{self.study}: effects on {self.objective.metric} (Bayesian ANOVA; {basis})"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, a sentence each."""
        better = "more" if self.objective.direction is Direction.MAXIMIZE else "less"
        return (
            *((at_sentence(self.objective.metric, self.n, self.at, self.why),) if self.at else ()),
            self.nothing.sentence,
            *self.doubts,
            *self.untried,
            f"Effects are in the unit of {self.objective.metric}, {better} is better. They are shrunk: what the trials "
            "do not show is drawn towards 0. One in ten such intervals misses the truth.",
            self.design,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the table as ``--json`` prints it."""
        return asdict(self)


def effects(subject: Subject, *, seed: int = 0) -> EffectTable:
    """Return what each choice of a study does to its objective.

    Args:
        subject: The study.
        seed: Seed of the sampler of the posterior.

    Raises:
        UserError: Too few trials can be used, or the study does not search any parameter.
    """
    return effects_of(subject, analysis_of(subject, "effects", seed=seed))


def effects_of(subject: Subject, analysis: Analysis) -> EffectTable:
    """Return the effects of a fitted ANOVA."""
    complete = analysis.observations.complete
    choices = [each for each in analysis.parameters if each.is_category]
    return EffectTable(
        study=subject.study,
        objective=subject.objective,
        n=int(complete.sum()),
        pruned=int((~complete).sum()),
        total=len(subject.trials),
        effects=tuple(row for each in choices for row in _effects(analysis, each)),
        across=tuple(_across(analysis, [each for each in choices if each.name.split(".")[-1] == BLOCK])),
        interactions=tuple(_interactions(analysis, choices)) if analysis.nothing < ALARM else (),
        design=subject.design,
        nothing=nothing_of(analysis.nothing),
        doubts=analysis.doubts,
        untried=tuple(_untried(analysis, choices)),
        at=place_of(subject, analysis.observations.at),
        why=why_there(subject, analysis.observations.beyond),
    )


def _effects(analysis: Analysis, parameter: Parameter) -> Iterator[Effect]:
    codes = analysis.observations.codes[parameter.name]
    reference, others = _levels(analysis, parameter)
    for level in others:
        draws = _contrast(analysis, parameter, level, reference)
        sparse = _contrast(analysis, parameter, level, reference, analysis.posterior)
        yield Effect(
            parameter=parameter.name,
            level=_value(parameter, level),
            reference=_value(parameter, reference),
            **_interval(draws),
            trials=int((codes == level).sum()),
            is_shown=_is_apart(draws) and _is_apart(sparse),
        )


def _across(analysis: Analysis, stages: Sequence[Parameter]) -> Iterator[Interaction]:
    """Compare the effects of a block at two stages; both must have it, and the same reference."""
    for one, two in combinations(stages, 2):
        (first, others), (second, known) = _levels(analysis, one), _levels(analysis, two)
        for level in others:
            value = _value(one, level)
            same = next((other for other in known if _value(two, other) == value), None)
            if same is None or _value(one, first) != _value(two, second):
                continue
            draws = _contrast(analysis, one, level, first) - _contrast(analysis, two, same, second)
            yield Interaction(
                parameter=one.name,
                level=value,
                reference=_value(one, first),
                given=two.name,
                value=value,
                **_interval(draws),
            )


def _interactions(analysis: Analysis, choices: Sequence[Parameter]) -> Iterator[Interaction]:
    """Return each choice's effect at some values of a partner, for each pair that surely explains something."""
    by_name = {each.name: each for each in analysis.parameters}
    pairs = sorted(analysis.shares.pairs.items(), key=lambda item: -item[1].mean)
    for names, share in pairs:
        choosing = [name for name in names if by_name[name] in choices]
        if share.low < SURE or not choosing:
            continue
        parameter = by_name[min(choosing, key=lambda name: name.split(".")[-1] != BLOCK)]
        partner = by_name[names[1] if names[0] == parameter.name else names[0]]
        reference, others = _levels(analysis, parameter)
        for level in others:
            alone = _contrast(analysis, parameter, level, reference)
            for code in _places(analysis, partner):
                draws = alone + _joint(analysis, parameter, level, reference, partner, code)
                yield Interaction(
                    parameter=parameter.name,
                    level=_value(parameter, level),
                    reference=_value(parameter, reference),
                    given=partner.name,
                    value=_value(partner, code),
                    **_interval(draws),
                )


def _tried(analysis: Analysis, parameter: Parameter) -> list[int]:
    """Return the indices of the levels that a trial has; of others nothing is known but what was assumed."""
    codes = analysis.observations.codes[parameter.name]
    return [index for index in range(len(parameter.levels or ())) if (codes == index).any()]


def _levels(analysis: Analysis, parameter: Parameter) -> tuple[int, list[int]]:
    """Return the index of the reference, and those of the other levels; each was tried."""
    levels, tried = list(parameter.levels or ()), _tried(analysis, parameter)
    known = (index for index in tried if levels[index] is False or levels[index] == BlockKind.ADDITIVE)
    reference = next(known, tried[0] if tried else 0)
    return reference, [index for index in tried if index != reference]


def _untried(analysis: Analysis, choices: Sequence[Parameter]) -> Iterator[str]:
    """Say which options no trial has."""
    for each in choices:
        tried = _tried(analysis, each)
        if missing := [
            as_written(_value(each, index)) for index in range(len(each.levels or ())) if index not in tried
        ]:
            yield f"No trial has {each.name} {' or '.join(missing)}: nothing is known of it."


def _contrast(
    analysis: Analysis, parameter: Parameter, level: int, reference: int, posterior: Posterior | None = None
) -> Floats:
    """Return draws of the difference of two levels where the parameter is active, over even draws of all others."""
    index = [group.names for group in analysis.design.groups].index((parameter.name,))
    codes = {parameter.name: np.array([float(level), float(reference)])}
    return _difference(analysis, index, codes, posterior)


def _joint(
    analysis: Analysis, parameter: Parameter, level: int, reference: int, partner: Parameter, code: float
) -> Floats:
    """Return draws of what a pair adds to the difference of two levels where the partner has a value."""
    names = {parameter.name, partner.name}
    index = next(index for index, group in enumerate(analysis.design.groups) if set(group.names) == names)
    codes = {parameter.name: np.array([float(level), float(reference)]), partner.name: np.array([code, code])}
    return _difference(analysis, index, codes)


def _difference(
    analysis: Analysis, index: int, codes: Mapping[str, Floats], posterior: Posterior | None = None
) -> Floats:
    """Return draws of the difference of two points in one group of features; None draws from ``differences``."""
    rows = analysis.design.groups[index].features(codes)
    return np.asarray((posterior or analysis.differences).of_group(index) @ (rows[0] - rows[1]))


def _is_apart(draws: Floats) -> bool:
    found = Estimate.of(draws)
    return found.low > 0 or found.high < 0


def _places(analysis: Analysis, parameter: Parameter) -> list[float]:
    if parameter.is_category:
        return [float(index) for index in _tried(analysis, parameter)]
    return sorted({parameter.at(place) for place in PLACES})


def _value(parameter: Parameter, code: float) -> Scalar:
    """Return the value of a code."""
    value: Scalar = parameter.value(code)
    return value


def _interval(draws: Floats) -> dict[str, float]:
    found = Estimate.of(draws)
    return {"effect": found.mean, "low": found.low, "high": found.high}
