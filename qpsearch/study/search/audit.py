"""The audit of a pruner: some trials run on whatever their rungs say, and tell how often rungs are wrong.

With ``{asha: {audit: 0.05}}`` a random twentieth of the trials is never paused. Of those that end, a rung *would have
stopped* one whose value there was outside the best third. That was *wrong* where the trial ended better than at least
half of the trials of its kind that the rungs let through to the end.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from qpsearch.registry.options import Options
from qpsearch.seeds import derive_seed
from qpsearch.study.records import AuditedKind


def is_audited(seed: int, number: int, share: float) -> bool:
    """Whether a trial runs on whatever its rungs say: a function of the search's seed and the trial's number."""
    return share > 0 and random.Random(derive_seed(seed, "audit", number)).random() < share


@dataclass(frozen=True, slots=True, kw_only=True)
class RungCurve:
    """What an audit reads of a trial.

    Attributes:
        number: Its number.
        stratum: Its slowest kind of block, within which trials are compared.
        losses: Its loss by epoch, smaller is better.
        final: The loss of a complete trial; None for another one.
    """

    number: int
    stratum: str
    losses: Mapping[int, float]
    final: float | None


def audit(curves: Sequence[RungCurve], rungs: Sequence[int], options: Options, seed: int) -> tuple[AuditedKind, ...]:
    """Return what the audited trials of a study say about its pruner, by kind of block.

    Args:
        curves: The study's trials.
        rungs: The epochs at which they are compared.
        options: Of the pruner.
        seed: Of the search.
    """
    share, factor = options.get("audit") or 0.0, int(options.get("factor") or 3)
    kinds: dict[str, list[RungCurve]] = defaultdict(list)
    for curve in curves:
        kinds[curve.stratum].append(curve)
    found = []
    for stratum, own in sorted(kinds.items()):
        chosen = {curve.number for curve in own if is_audited(seed, curve.number, share)}
        others = [curve for curve in own if curve.number not in chosen]
        merit = [curve.final for curve in others if curve.final is not None]
        ended = [curve for curve in own if curve.number in chosen and curve.final is not None]
        stopped = [curve for curve in ended if _would_stop(curve, others, rungs, factor)]
        wrong = [curve for curve in stopped if merit and curve.final is not None and curve.final < median(merit)]
        if ended:
            found.append(AuditedKind(stratum=stratum, audited=len(ended), stopped=len(stopped), wrong=len(wrong)))
    return tuple(found)


def _would_stop(curve: RungCurve, others: Sequence[RungCurve], rungs: Sequence[int], factor: int) -> bool:
    """Whether a trial's value at some rung is outside the best of those that reached the rung."""
    for rung in rungs:
        there = sorted(each.losses[rung] for each in others if rung in each.losses)
        passing = len(there) // factor
        if rung in curve.losses and there and (passing == 0 or curve.losses[rung] > there[passing - 1]):
            return True
    return False
