"""How often a study's pruner was wrong, where some of its trials were audited.

With ``{asha: {audit: 0.05}}`` a random twentieth of the trials is never paused. Of those that end, a rung *would have
stopped* one whose value there was outside the best third. That was *wrong* where the trial ended better than at least
half of the trials of its kind that the rungs let through to the end. The expert's guess is not among those, nor at any
rung, where the search trained it to its end whatever its rungs said.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from optuna.trial import TrialState
from sqlalchemy import Connection, select

from qpsearch.architecture.blocks import slowest
from qpsearch.architecture.config import TrialConfig
from qpsearch.registry.options import Options
from qpsearch.registry.pruners import PrunerKind
from qpsearch.space import Space
from qpsearch.study.records import AuditedKind
from qpsearch.study.search.audit import is_audited
from qpsearch.study.search.halving import factor_of, rungs_of
from qpsearch.study.storage.optuna_tables import GUESS, read_trials
from qpsearch.study.storage.tables import configs, trials


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
    stratum = {
        row.trial_id: slowest(TrialConfig.from_json(row.config_json).network) for row in connection.execute(query)
    }
    sign = -search.objective.sign
    curves = [
        RungCurve(
            number=trial.number,
            stratum=stratum[trial._trial_id],
            losses={epoch: sign * value for epoch, value in trial.intermediate_values.items()},
            final=sign * trial.values[0] if trial.state is TrialState.COMPLETE and trial.values else None,
            is_guess=GUESS in trial.system_attrs,
        )
        for trial in read_trials(connection, study)
    ]
    heights = rungs_of(options, space.run_epochs, search.fidelity)
    stops = search.pruner is PrunerKind.ASHA_STOP
    return audit(curves, heights, options, search.seed, stops=stops)


@dataclass(frozen=True, slots=True, kw_only=True)
class RungCurve:
    """What an audit reads of a trial.

    Attributes:
        number: Its number.
        stratum: Its slowest kind of block, within which trials are compared.
        losses: Its loss by epoch, smaller is better.
        final: The loss of a complete trial; None for another one.
        is_guess: Whether it is the expert's guess, with which the rungs do not compare any trial.
    """

    number: int
    stratum: str
    losses: Mapping[int, float]
    final: float | None
    is_guess: bool = False


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
        merit = [curve.final for curve in others if curve.final is not None]
        ended = [curve for curve in own if curve.number in chosen and curve.final is not None]
        stopped = [curve for curve in ended if _would_stop(curve, others, rungs, factor, stops=stops)]
        wrong = [curve for curve in stopped if merit and curve.final is not None and curve.final < median(merit)]
        if ended:
            found.append(AuditedKind(stratum=stratum, audited=len(ended), stopped=len(stopped), wrong=len(wrong)))
    return tuple(found)


def _would_stop(
    curve: RungCurve, others: Sequence[RungCurve], rungs: Sequence[int], factor: int, *, stops: bool
) -> bool:
    """Whether a trial's value at some rung is outside the best of those that reached the rung; few decide nothing."""
    for rung in rungs:
        if rung not in curve.losses:
            return False
        there = [each.losses[rung] for each in others if rung in each.losses]
        passing = math.ceil((len(there) + 1) / factor) if stops else len(there) // factor
        if len(there) >= factor and sum(loss < curve.losses[rung] for loss in there) >= passing:
            return True
    return False
