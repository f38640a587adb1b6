"""How often a study's pruner was wrong, where some of its trials were audited.

With ``{asha: {audit: 0.05}}`` a random twentieth of the trials is never paused. Of those that end, a rung *would have
stopped* one whose place there was outside the best third, in the order in which the pruner compares trials: of several
objectives it is that of ``study.search.rung``, and a trial that failed is the last. That was *wrong* where the trial
ended ahead of at least half of the trials of its kind that the rungs let through to the end, in the same order. The
expert's guess is not among those, nor at any rung, where the search trained it to its end whatever its rungs said.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, select

from qpsearch.architecture.config import TrialConfig
from qpsearch.registry.options import Options
from qpsearch.registry.pruners import PrunerKind
from qpsearch.registry.samplers.trials.order import FURTHER
from qpsearch.space import Space
from qpsearch.space.search import Search
from qpsearch.study.records import AuditedKind
from qpsearch.study.search.audit import is_audited
from qpsearch.study.search.halving import factor_of, rungs_of
from qpsearch.study.search.pruning import Traits, traits_of
from qpsearch.study.search.rung import Rung
from qpsearch.study.storage.optuna_tables import GUESS, read_trials
from qpsearch.study.storage.tables import configs, trials

ObjectiveLosses = tuple[float, ...]
"""One for each objective, smaller is better; the first is infinite for a trial that failed."""


def audited_kinds(connection: Connection, study: int, space: Space) -> tuple[AuditedKind, ...]:
    """Return what audited trials say about the pruner, by kind of block; nothing where none were audited."""
    search = space.search
    options = search.pruner_options
    if not options.get("audit"):
        return ()
    query = (
        select(configs.c.trial_id, configs.c.config_json)
        .join(trials, trials.c.trial_id == configs.c.trial_id)
        .where(trials.c.study_id == study)
    )
    traits = {
        row.trial_id: traits_of(TrialConfig.from_json(row.config_json), search) for row in connection.execute(query)
    }
    curves = [_curve(trial, traits[trial._trial_id], search) for trial in read_trials(connection, study)]
    heights = rungs_of(options, space.run_epochs, search.fidelity)
    stops = search.pruner is PrunerKind.ASHA_STOP
    return audit(curves, heights, options, search.seed, stops=stops)


@dataclass(frozen=True, slots=True, kw_only=True)
class RungCurve:
    """What an audit reads of a trial.

    Attributes:
        number: Its number.
        stratum: Its slowest kind of block, within which trials are compared.
        losses: Its losses by epoch.
        final: The losses of a complete trial; None for another one.
        is_guess: Whether it is the expert's guess, with which the rungs do not compare any trial.
    """

    number: int
    stratum: str
    losses: Mapping[int, ObjectiveLosses]
    final: ObjectiveLosses | None
    is_guess: bool = False


def _curve(trial: FrozenTrial, traits: Traits, search: Search) -> RungCurve:
    unknown, losses = [math.inf] * traits.further, dict[int, ObjectiveLosses]()
    for epoch, value in trial.intermediate_values.items():
        further = trial.system_attrs.get(f"{FURTHER}{epoch}", unknown)
        is_sound = trial.state is not TrialState.FAIL and not math.isnan(value) and all(map(math.isfinite, further))
        losses[epoch] = (-search.objective.sign * value if is_sound else math.inf, *further, *traits.costs)
    final = None
    if trial.state is TrialState.COMPLETE and trial.values:
        final = tuple(-each.sign * value for each, value in zip(search.objectives, trial.values, strict=True))
    return RungCurve(
        number=trial.number,
        stratum=traits.stratum,
        losses=losses,
        final=final,
        is_guess=GUESS in trial.system_attrs,
    )


def audit(
    curves: Sequence[RungCurve], rungs: Sequence[int], options: Options, seed: int, *, stops: bool = False
) -> tuple[AuditedKind, ...]:
    """Return what the audited trials of a study say about its pruner, by kind of block.

    Args:
        curves: The study's trials.
        rungs: The epochs at which they are compared.
        options: Of the pruner.
        seed: Of the search.
        stops: Whether the pruner stops trials at once (``asha_stop``), which lets a larger share go on.
    """
    share, factor = options.get("audit") or 0.0, factor_of(options)
    kinds: dict[str, list[RungCurve]] = defaultdict(list)
    for curve in curves:
        kinds[curve.stratum].append(curve)
    found = []
    for stratum, own in sorted(kinds.items()):
        chosen = {curve.number for curve in own if is_audited(seed, curve.number, share)}
        others = [curve for curve in own if curve.number not in chosen and not curve.is_guess]
        merit = {curve.number: curve.final for curve in others if curve.final is not None}
        ended = [curve for curve in own if curve.number in chosen and curve.final is not None]
        stopped = [curve for curve in ended if _would_stop(curve, others, rungs, factor, stops=stops)]
        wrong = [curve for curve in stopped if merit and curve.final and 2 * _ahead(curve.final, merit) <= len(merit)]
        if ended:
            found.append(AuditedKind(stratum=stratum, audited=len(ended), stopped=len(stopped), wrong=len(wrong)))
    return tuple(found)


def _would_stop(
    curve: RungCurve, others: Sequence[RungCurve], rungs: Sequence[int], factor: int, *, stops: bool
) -> bool:
    """Whether a trial's place at some rung is outside the best of those that reached the rung; few decide nothing."""
    for rung in rungs:
        if rung not in curve.losses:
            return False
        there = {each.number: each.losses[rung] for each in others if rung in each.losses}
        passing = math.ceil((len(there) + 1) / factor) if stops else len(there) // factor
        place = Rung.of({**there, curve.number: curve.losses[rung]}).place(curve.number)
        if len(there) >= factor and place >= passing:
            return True
    return False


def _ahead(final: ObjectiveLosses, others: Mapping[int, ObjectiveLosses]) -> int:
    """Return how many of some trials ended ahead of a trial, or as well."""
    behind_equals = max(others) + 1
    return Rung.of({**others, behind_equals: final}).place(behind_equals)
