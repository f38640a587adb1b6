"""Which trials of a study that some other program made are trials of a space, and why the others are not.

A trial that does not fit is left out and counted by its reason. A trial that violates its constraints is left out as
well: a space has its own limits and conditions, and could not say of a stored trial that it must not become the best.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from qpsearch.architecture.candidates import Candidate, candidate
from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import Infeasible, UserError
from qpsearch.space import Space
from qpsearch.space.domains import Domain, text_of
from qpsearch.study.optuna_import.foreign import Foreign
from qpsearch.study.optuna_import.matching import Matching
from qpsearch.study.trials.open_trial import costs_of
from qpsearch.vocabulary import Scalar

EXAMPLES: Final = 3  # trials that are named for a reason
SAME_COST: Final = 1e-6  # relative; a cost is a whole number


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A trial that fits.

    Attributes:
        origin: The trial's number in its own study.
        trial: The trial as it is in the new study, with the space's parameters; it has a number but no id there.
        config: The configuration that was trained.
    """

    origin: int
    trial: FrozenTrial
    config: TrialConfig


@dataclass(slots=True, kw_only=True)
class Fit:
    """What fits, and what does not.

    Attributes:
        study: The study's name.
        total: How many trials the study has.
        fitted: The trials that fit, in order.
        left_out: For each reason, numbers of the trials that are left out, each with what was found there or "".
        unused: Numbers of fitted trials with a value for a parameter that the space does not draw for them.
    """

    study: str
    total: int
    fitted: list[Fitted] = field(default_factory=list)
    left_out: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    unused: dict[str, list[int]] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """Sentences about what is left out, the most frequent reason first; empty if nothing is."""
        lines = [f"left out are {self.total - len(self.fitted)} of {self.total} trials:"] if self.left_out else []
        for reason, found in sorted(self.left_out.items(), key=lambda item: -len(item[1])):
            lines.append(
                f"  {len(found)}: {reason} ({_some([f'{n}: {what}' if what else f'{n}' for n, what in found])})"
            )
        lines += [
            f"not used is {name} where the space does not draw it: {_some([str(number) for number in found])}"
            for name, found in self.unused.items()
        ]
        return lines


class _Misfit(Exception):
    """A trial does not fit: the reason, which other trials may share, and what was found in this one."""

    def __init__(self, reason: str, found: str = "") -> None:
        self.reason, self.found = reason, found
        super().__init__(reason)


def fit(space: Space, study: Foreign, matching: Matching) -> Fit:
    """Find the trials that fit a space.

    A trial fits if it has ended, kept its constraints, has values that the metric can have, and every parameter that
    the space would draw for it, with a value that the space allows. A value for what is a constant in the space must
    be that constant. A grid has each point once: of several trials with one point the first complete one is taken.

    Raises:
        UserError: No trial fits, a trial's value of a further objective is not the cost that the space computes, or
            two parameters have one name.
    """
    found = Fit(study=study.name, total=len(study.trials))
    distributions: dict[str, BaseDistribution] = {}
    for trial in study.trials:
        try:
            _check_worth(space, trial, matching)
            params = matching.params(trial)
            recorder = _Recorder(params, distributions)
            point = _point(space, recorder)
            unused = _unused(point, params)
        except _Misfit as misfit:
            found.left_out.setdefault(misfit.reason, []).append((trial.number, misfit.found))
            continue
        for name in unused:
            found.unused.setdefault(name, []).append(trial.number)
        results = _results(space, study, trial, matching, point.config)
        frozen = _as_drawn(trial, len(found.fitted), results, point.draw.params, recorder.distributions)
        found.fitted.append(Fitted(origin=trial.number, trial=frozen, config=point.config))
    if space.search.sampler.is_exhaustive:
        _leave_out_repeated(found)
    if not found.fitted:
        reasons = found.lines or ["The study does not have trials."]
        raise UserError("\n".join([f"study {study.name!r}: no trial fits the space.", *reasons]))
    return found


def _leave_out_repeated(found: Fit) -> None:
    """Keep one trial of each point: the first complete one, or the first."""
    kept: dict[frozenset[tuple[str, Scalar]], Fitted] = {}
    for each in sorted(found.fitted, key=lambda fitted: fitted.trial.state is not TrialState.COMPLETE):
        if kept.setdefault(frozenset(each.trial.params.items()), each) is not each:
            found.left_out.setdefault("another trial has the same point of the grid", []).append((each.origin, ""))
    found.fitted = sorted(kept.values(), key=lambda fitted: fitted.origin)
    for number, each in enumerate(found.fitted):
        each.trial.number = number


def _check_worth(space: Space, trial: FrozenTrial, matching: Matching) -> None:
    """Check what is known of a trial beside its parameters."""
    if not trial.state.is_finished():
        raise _Misfit("has not ended")
    for name, value in trial.constraints.items():
        if not value <= 0:
            raise _Misfit("violates its constraints", f"{name} = {value:g}")
    metric, further = space.search.objective.metric, [each.metric for each in space.search.further]
    trained = [metric] if matching.objective is not None else [metric, *further]
    given = trial.values[matching.objective or 0 :] if trial.values else []
    reported = [(metric, value) for value in trial.intermediate_values.values()]
    for own, value in [*zip(trained, given, strict=False), *reported]:
        if not own.may_be(value):
            raise _Misfit(f"a value that {own} cannot have", f"{value:g}")


def _point(space: Space, recorder: "_Recorder") -> Candidate:
    try:
        return candidate(space, recorder)
    except Infeasible as error:
        raise _Misfit(f"the space rules it out: {error.rule}", "" if str(error) == error.rule else str(error)) from None
    except ValueError as error:
        raise _Misfit(str(error)) from None


def _unused(point: Candidate, params: Mapping[str, Scalar]) -> list[str]:
    """Return the parameters that the point does not have; those that are constants there must be equal."""
    facts, unused = point.draw.facts, []
    for name, value in params.items():
        if name in point.draw.params:
            continue
        if name not in facts:
            unused.append(name)
        elif text_of(facts[name]) != text_of(value) and facts[name] != value:
            raise _Misfit(f"{name} is {text_of(facts[name])} in the space", text_of(value))
    return unused


def _results(
    space: Space, study: Foreign, trial: FrozenTrial, matching: Matching, config: TrialConfig
) -> list[float] | None:
    """Return a value for each objective of the space; None for a trial without values."""
    if not trial.values:
        return None
    costs = costs_of(config, space.search)
    further = space.search.further
    if further and matching.objective is not None:
        raise UserError(
            f"--objective: the space has another metric of training, {further[0].metric}, whose values only study "
            f"{study.name!r} could have. Leave it out of the space's objective, or leave --objective out."
        )
    trained = trial.values[1 : 1 + len(further)]
    theirs = trial.values[1 + len(further) :] if matching.objective is None else costs
    for number, (cost, value) in enumerate(zip(costs, theirs, strict=False), 2 + len(further)):
        if not math.isclose(cost, value, rel_tol=SAME_COST):
            metric = space.search.objectives[number - 1].metric
            raise UserError(
                f"study {study.name!r}: objective {number} of trial {trial.number} is {value:g}, but {metric} of the "
                f"network is {cost:g}, so the study did not optimise {metric}. To take over the first objective alone, "
                f"and compute {metric}: --objective 1."
            )
    return [trial.values[matching.objective or 0], *trained, *costs]


def _as_drawn(
    trial: FrozenTrial,
    number: int,
    results: list[float] | None,
    params: Mapping[str, Scalar],
    distributions: Mapping[str, BaseDistribution],
) -> FrozenTrial:
    """Return the trial as qpsearch's sampler would have drawn it."""
    began = trial.datetime_start or trial.datetime_complete or datetime.now()
    return FrozenTrial(
        number=number,
        state=trial.state,
        value=None,
        values=results,
        datetime_start=began,
        datetime_complete=trial.datetime_complete or began,
        params=dict(params),
        distributions=dict(distributions),
        user_attrs={},
        system_attrs={},
        intermediate_values=trial.intermediate_values,
        trial_id=-1,
    )


def _some(texts: Sequence[str]) -> str:
    shown = [*texts[:EXAMPLES], *(["..."] if len(texts) > EXAMPLES else [])]
    return f"trial{'s' if len(texts) > 1 else ''} {', '.join(shown)}"


class _Recorder:
    """Repeats a draw and notes each parameter's distribution, as qpsearch's sampler would store it."""

    def __init__(self, params: Mapping[str, Scalar], known: dict[str, BaseDistribution]) -> None:
        self._params, self._known = params, known
        self.distributions: dict[str, BaseDistribution] = {}

    def choose(self, name: str, domain: Domain) -> Scalar:
        """Return the value of the trial."""
        if name not in self._params:
            raise _Misfit(f"no value for {name}")
        value = self._params[name]
        if value not in domain:
            raise _Misfit(f"{name} is not in {domain}", text_of(value))
        if name not in self._known:
            self._known[name] = domain.distribution()
        self.distributions[name] = self._known[name]
        return domain.member(value)
