"""What ``importance`` and ``effects`` say about planted studies, against the truth and beside Optuna's evaluators.

``python -m tests.benchmarks.truth [--studies 6] [--trials 60 200] [--quick] [--json] [--kept FOLDER]``. A search by TPE
takes seconds; with ``--kept``, studies are read from a folder where they are there, and written where they are not.
"""

import argparse
import json
import logging
import pickle
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from qpsearch.analysis.effects import effects_of
from qpsearch.analysis.importance import analysis_of, importance, importance_of
from qpsearch.analysis.optuna_evaluators import FEWEST
from qpsearch.analysis.subject import Goal, Subject
from qpsearch.vocabulary import Direction, Evaluator
from tests.planted.studies import search, search_in_a_study
from tests.planted.truths import BLOCKS, STAGES, TRUTHS, Truth

DEFAULTS = "gp, asha"  # by a study of our own, which stops trials, too
CELLS = {
    "random": ("random", False),
    "tpe": ("tpe", False),
    "random, pruned": ("random", True),
    "tpe, pruned": ("tpe", True),
    DEFAULTS: ("gp", True),
}
MOST = 200  # trials of a study; smaller ones are its beginning
REAL = 0.03  # a total share above which an effect is real
NONE = 0.003  # and below which there is none
TOLD = 0.01  # the lower end of an interval above which a parameter is told as an effect
CLOSE = 0.02  # parameters whose totals differ by less are both first
OWN = "anova"
CROWDED = "too close together"  # in a doubt that says what could not be looked for


@dataclass
class Judged:
    """What was said about one study; shares are of all variance, the noise included."""

    truth: str
    cell: str
    trials: int
    first: dict[str, bool] = field(default_factory=dict)
    in_first: list[bool] = field(default_factory=list)
    in_total: list[bool] = field(default_factory=list)
    in_effect: list[bool] = field(default_factory=list)
    shown: list[bool] = field(default_factory=list)
    none_shown: list[bool] = field(default_factory=list)
    told: list[bool] = field(default_factory=list)
    is_something: bool = False
    doubts: int = 0
    crowded: bool = False
    seconds: float = 0.0


def study_of(truth: Truth, cell: str, seed: int, count: int, kept: Path | None) -> list[FrozenTrial]:
    """Search a planted objective, or read the search that was kept; return its first trials, ``count`` of them."""
    own = str(count) if cell == DEFAULTS else ""  # the beginning of a longer one has other paused trials
    file = None if kept is None else kept / f"{truth.name}-{cell.replace(', ', '-')}{own}-{seed}.pkl"
    if file is not None and file.exists():
        return list(pickle.loads(file.read_bytes()))[:count]
    sampler, pruned = CELLS[cell]
    if cell == DEFAULTS:
        with tempfile.TemporaryDirectory() as folder:
            found = search_in_a_study(truth, Path(folder), trials=count, seed=seed)
    else:
        found = search(truth, sampler, pruned=pruned, trials=MOST, seed=seed)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps(found))
    return found[:count]


def judge(
    name: str, cell: str, seed: int, counts: Sequence[int], kept: Path | None = None, *, beside: bool = True
) -> list[Judged]:
    """Judge one study at several numbers of trials, also by Optuna's evaluators where they are wanted ``beside``."""
    optuna.logging.set_verbosity(logging.ERROR)
    warnings.simplefilter("ignore")
    truth = TRUTHS[name]
    return [_judge(truth, cell, study_of(truth, cell, seed, count, kept), beside=beside) for count in counts]


def _judge(truth: Truth, cell: str, trials: list[FrozenTrial], *, beside: bool) -> Judged:
    subject = Subject(study="s", objectives=(Goal(metric="value", direction=Direction.MAXIMIZE),), trials=trials)
    found = Judged(truth=truth.name, cell=cell, trials=len(trials))
    began = time.process_time()
    analysis = analysis_of(subject, "truth")
    table = importance_of(subject, analysis)
    found.seconds = time.process_time() - began
    top = max(total for _, total in truth.shares.values())
    found.first[OWN] = truth.shares[table.importances[0].parameter][1] >= top - CLOSE
    for row in table.importances:
        assert row.first is not None
        assert row.low is not None
        assert row.high is not None
        first, total = truth.shares[row.parameter]
        alone = analysis.shares.first[row.parameter]
        found.in_first.append(alone.low - TOLD <= first <= alone.high + TOLD)
        if total > REAL:
            found.in_total.append(row.low - TOLD <= total <= row.high + TOLD)
        if total < NONE:
            found.told.append(row.low > TOLD)
    found.is_something = table.nothing is not None and table.nothing.p < 0.05
    found.doubts = len(table.doubts)
    found.crowded = any(CROWDED in doubt for doubt in table.doubts)
    for effect in effects_of(subject, analysis).effects:
        if effect.parameter in STAGES:
            true = truth.effect(STAGES.index(effect.parameter), BLOCKS.index(str(effect.level)))
            if abs(true) > TOLD:
                found.in_effect.append(effect.low <= true <= effect.high)
                found.shown.append(effect.is_shown)
            elif truth.shares[effect.parameter][1] < NONE:
                found.none_shown.append(effect.is_shown)
    for evaluator in (each for each in Evaluator if each is not Evaluator.ANOVA):
        if beside and len(subject.complete) >= FEWEST:
            theirs = importance(subject, evaluator=evaluator).importances[0].parameter
            found.first[evaluator.value] = truth.shares[theirs][1] >= top - CLOSE
    return found


def share(found: Iterable[bool]) -> float | None:
    """Return the percentage that holds; None of nothing."""
    every = list(found)
    return 100 * sum(every) / len(every) if every else None


COLUMNS: dict[str, Callable[[list[Judged]], float | None]] = {
    "first is first": lambda them: share(each.first[OWN] for each in them if _is_plain(each)),
    "fANOVA": lambda them: share(each.first["fanova"] for each in them if _is_plain(each) and "fanova" in each.first),
    "MDI": lambda them: share(each.first["mdi"] for each in them if _is_plain(each) and "mdi" in each.first),
    "PED-ANOVA": lambda them: share(
        each.first["ped-anova"] for each in them if _is_plain(each) and "ped-anova" in each.first
    ),
    "intervals hold: alone": lambda them: share(
        held for each in them if TRUTHS[each.truth].fits for held in each.in_first
    ),
    "in total, real": lambda them: share(held for each in them if TRUTHS[each.truth].fits for held in each.in_total),
    "effects, real": lambda them: share(held for each in them if TRUTHS[each.truth].fits for held in each.in_effect),
    "of them shown": lambda them: share(shown for each in them if TRUTHS[each.truth].fits for shown in each.shown),
    "effects of nothing shown": lambda them: share(
        shown for each in them if TRUTHS[each.truth].fits for shown in each.none_shown
    ),
    "no effect, told as one": lambda them: share(
        held for each in them if TRUTHS[each.truth].fits for held in each.told
    ),
    "null called null": lambda them: share(not each.is_something for each in them if each.truth == "nothing"),
    "something seen": lambda them: share(each.is_something for each in them if _is_plain(each)),
    "doubt, fitting": lambda them: share(each.doubts > each.crowded for each in them if TRUTHS[each.truth].fits),
    "doubt, not fitting": lambda them: share(each.doubts > 0 for each in them if not TRUTHS[each.truth].fits),
    "too close together": lambda them: share(each.crowded for each in them),
    "CPU s": lambda them: statistics.mean(each.seconds for each in them),
}


def _is_plain(each: Judged) -> bool:
    return TRUTHS[each.truth].fits and TRUTHS[each.truth].explained > 0


def table(found: list[Judged]) -> str:
    """Return the shares by sampler, pruning and number of trials, as Markdown."""
    lines = [f"| search | trials | studies | {' | '.join(COLUMNS)} |", f"|---|---|---|{'---|' * len(COLUMNS)}"]
    for cell in CELLS:
        for count in sorted({each.trials for each in found}):
            them = [each for each in found if each.cell == cell and each.trials == count]
            if them:
                cells = [value(them) for value in COLUMNS.values()]
                shown = [
                    "-" if each is None else f"{each:.1f}" if name == "CPU s" else f"{each:.0f}"
                    for name, each in zip(COLUMNS, cells, strict=True)
                ]
                lines.append(f"| {cell} | {count} | {len(them)} | {' | '.join(shown)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=6, help="of each truth and search")
    parser.add_argument("--trials", type=int, nargs="+", default=[60, 200])
    parser.add_argument("--quick", action="store_true", help="random searches of 60 trials, 2 of each truth")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kept", type=Path)
    given = parser.parse_args()
    cells = ["random"] if given.quick else list(CELLS)
    counts = [60] if given.quick else given.trials
    jobs = [
        (name, cell, seed, counts, given.kept)
        for seed in range(2 if given.quick else given.studies)
        for cell in cells
        for name, truth in TRUTHS.items()
        if not truth.crosses or CELLS[cell][1]  # curves decide only where trials are stopped by them
    ]
    with ProcessPoolExecutor() as pool:
        found = [each for several in pool.map(judge, *zip(*jobs, strict=True)) for each in several]
    if given.json:
        json.dump([asdict(each) for each in found], sys.stdout)
    else:
        print(table(found))


if __name__ == "__main__":
    main()
