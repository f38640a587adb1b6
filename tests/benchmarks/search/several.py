"""Two objectives in simulated time: ``python -m tests.benchmarks.search.several [--seeds 5] [--kept FOLDER]``.

Loss and time of an epoch on tasks of LCBench, and loss and parameters of the cells of NAS-Bench-201; four workers and
the time of 40 mean full trainings, as of one objective. Regret is the share of the best known hypervolume that is
lacking (``fronts``), once of the complete trials, of which ``best`` shows the front, and once of all epochs of all trials.
Shares of the budget are those at which the median regret is that of Optuna's TPE at its end.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from qpsearch.dispatch.simulated import Timeline
from qpsearch.errors import UserError
from tests.benchmarks.report import hardware
from tests.benchmarks.search import fronts, printing
from tests.benchmarks.search.__main__ import tables_folder
from tests.benchmarks.search.baselines import RandomSearch
from tests.benchmarks.search.fronts import FrontTask
from tests.benchmarks.search.methods import RANDOM
from tests.benchmarks.search.optuna_search import NSGA2, TPE, OptunaFrontSearch
from tests.benchmarks.search.ours import OurSearch, scratch
from tests.benchmarks.search.parameters import Config
from tests.benchmarks.search.scores import Scores
from tests.benchmarks.search.simulation import POINTS, WORKERS, Run, Search, simulate
from tests.benchmarks.search.task import Scale, Task

REFERENCE: Final = "optuna-tpe"
OTHERS: Final[dict[str, Callable[[FrontTask, int], Search]]] = {
    RANDOM: lambda front, seed: RandomSearch(front.task, seed),
    REFERENCE: lambda front, seed: OptunaFrontSearch(front.task, seed, front.cost, TPE),
    "optuna-nsga2": lambda front, seed: OptunaFrontSearch(front.task, seed, front.cost, NSGA2),
}
OURS: Final = ("gp+asha", "gp+none", "tpe+asha", "tpe+none", "random+asha")
METHODS: Final = (*OTHERS, *(f"ours:{words}" for words in OURS))
COMPLETE, ALL = "complete trials", "all epochs"


class Watched:
    """A search whose reports are kept.

    Args:
        search: The search.
        front: Its task.
        timeline: The simulated time.
    """

    def __init__(self, search: Search, front: FrontTask, timeline: Timeline) -> None:
        self._search, self._front, self._timeline = search, front, timeline
        self._costs: dict[int, float] = {}
        self._seen: list[tuple[float, float, float, bool]] = []

    def ask(self) -> tuple[int, Config] | None:
        """Ask the search."""
        found = self._search.ask()
        if found is not None:
            self._costs[found[0]] = self._front.cost(found[1])
        return found

    def report(self, trial: int, epoch: int, loss: float) -> bool:
        """Keep a report."""
        is_whole = epoch == self._front.task.epochs
        self._seen.append((self._timeline.now, loss, self._costs[trial], is_whole))
        return self._search.report(trial, epoch, loss)

    def fail(self, trial: int, epoch: int) -> None:
        """Tell the search."""
        self._search.fail(trial, epoch)

    def close(self) -> None:
        """Close the search."""
        self._search.close()

    def regrets(self, scope: str) -> tuple[float, ...]:
        """Return the regret at each of ``POINTS`` points of the budget: of complete trials, or of all epochs."""
        counted = [each[:3] for each in self._seen if scope == ALL or each[3]]
        at = self._front.task.trainings * self._front.task.scale.full / WORKERS * np.arange(1, POINTS + 1) / POINTS
        until = np.searchsorted([now for now, _, _ in counted], at, side="right")
        _, losses, costs = zip(*counted, strict=True) if counted else ((), (), ())
        return tuple(self._front.regret(losses[:count], costs[:count]) for count in until)


def run(method: str, front: FrontTask, seed: int, folder: Path) -> dict[str, Run]:
    """Run one search; return it by what counts, with regrets in the place of losses."""
    timeline = Timeline()
    search = Watched(_search(method, front, seed, timeline, folder), front, timeline)
    try:
        found = simulate(front.task, search, timeline, seed=seed)
    finally:
        search.close()
    return {scope: replace(found, best=search.regrets(scope)) for scope in (COMPLETE, ALL)}


def _search(method: str, front: FrontTask, seed: int, timeline: Timeline, folder: Path) -> Search:
    if method in OTHERS:
        return OTHERS[method](front, seed)
    sampler, _, pruner = method.removeprefix("ours:").partition("+")
    return OurSearch(front.task, seed, timeline, folder, sampler=sampler, pruner=pruner, second=front.cost)


def kept(file: Path | None, make: Callable[[], dict[str, Run]]) -> dict[str, Run]:
    """Return what a file keeps, and run and keep it where the file is not there."""
    if file is not None and file.exists():
        known = json.loads(file.read_text())
        return {scope: Run(**{**each, "best": tuple(each["best"])}) for scope, each in known.items()}
    found = make()
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({scope: asdict(each) for scope, each in found.items()}))
    return found


def tables(
    loaded: dict[str, FrontTask], methods: Sequence[str], seeds: int, folder: Path | None = None
) -> dict[str, str]:
    """Run the searches, and return a table for complete trials and one for all epochs.

    Args:
        loaded: The tasks, by name.
        methods: The methods.
        seeds: Of each task.
        folder: Where runs are kept; None keeps none.
    """
    runs: dict[str, dict[tuple[str, str], list[Run]]] = {COMPLETE: {}, ALL: {}}
    with scratch() as own:
        for name, front in loaded.items():
            for method in methods:
                for seed in range(seeds):
                    file = folder / method / name / f"{seed}.json" if folder else None
                    for scope, each in kept(file, partial(run, method, front, seed, own)).items():
                        runs[scope].setdefault((method, name), []).append(each)
                print(f"{method} on {name}", file=sys.stderr, flush=True)
    tasks = [_scored(front.task, name) for name, front in loaded.items()]
    words = {method: method for method in methods}
    return {
        scope: f"{printing.as_table(Scores(tasks, each, words, REFERENCE).rows(), [], '')}\n{_finals(each, methods)}"
        for scope, each in runs.items()
    }


def _finals(runs: dict[tuple[str, str], list[Run]], methods: Sequence[str]) -> str:
    """Return the mean final regret of each method on each task, as a table."""
    lines = [f"| task | {' | '.join(methods)} |", f"|{'---|' * (len(methods) + 1)}"]
    for name in dict.fromkeys(name for _, name in runs):
        finals = [np.mean([float(each.best[-1] or 0.0) for each in runs[method, name]]) for method in methods]
        lines.append(f"| {name} | {' | '.join(f'{final:.3f}' for final in finals)} |")
    return "\n".join(lines)


def _scored(task: Task, name: str) -> Task:
    """Return a task whose runs hold regrets."""
    return replace(task, name=name, scale=Scale(best=0.0, median=1.0, full=task.scale.full))


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="of each task")
    parser.add_argument("--tasks", default=",".join([*fronts.NAMES, fronts.CELLS]), help="with commas between")
    parser.add_argument(
        "--methods", default=",".join(METHODS), help="with commas between; random and optuna-tpe always"
    )
    parser.add_argument("--tables", type=Path, default=tables_folder(), help="the folder of tables")
    parser.add_argument("--kept", type=Path, help="a folder where runs are kept, and read from")
    given = parser.parse_args()
    try:
        if given.tables is None:
            raise UserError(
                "reads tables, but their folder is not known. Name it: --tables FOLDER, or QPSEARCH_TABLES."
            )
        loaded = {name: fronts.load(name, given.tables) for name in given.tasks.split(",")}
        methods = tuple(dict.fromkeys([RANDOM, REFERENCE, *given.methods.split(",")]))
        for scope, table in tables(loaded, methods, given.seeds, given.kept).items():
            print(f"Hypervolume of {scope}\n\n{table}\n")
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(hardware())
    return 0


if __name__ == "__main__":
    sys.exit(main())
