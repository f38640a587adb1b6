"""Search in simulated time, ours beside other libraries: ``python -m tests.benchmarks.search [--quick] [--json]``.

Workers train in a table's own time (4, unless --workers says else); the budget is 40 mean full trainings, 100 evaluations
of a table of one fidelity. Regret is (loss - best known) / (median of random configurations - best known), cut at 1; the
loss is that of the epoch with the best validation value so far. Half of the tasks is kept out of all choices.

Tables are read from --tables or QPSEARCH_TABLES. A run is kept in --kept, in a folder named by method and task, and not run
again: methods can be added later. After a change to a method's code, remove its folder.

With --json one document is printed:

``settings``
    workers, seeds, methods (by name, with defaults resolved), quick
``tasks``
    name, group, epochs, trainings (the budget), best, median, full (``task.Scale``)
``methods``
    a row for each method and group, as ``scores.Row`` says; an interval is {value, low, high}
``rows``
    a row for each task and each of our methods against Optuna's TPE with Hyperband, as of every benchmark (``report.Row``):
    ``ratio`` is the share of the budget at which our median regret reaches the other's at its end, 1.25 for never;
    ``spread`` are its quartiles over resampled seeds
``runs``
    method, task, seed, and the fields of ``simulation.Run``: ``best`` holds the true loss of the incumbent at 80 points of
    the budget, null before the first epoch
"""

import argparse
import os
import sys
import warnings
from pathlib import Path
from typing import Final

from qpsearch.errors import UserError
from tests.benchmarks.report import hardware
from tests.benchmarks.search import catalogue, methods, printing
from tests.benchmarks.search.running import jobs_of, run_all
from tests.benchmarks.search.scores import Scores
from tests.benchmarks.search.simulation import WORKERS
from tests.benchmarks.search.task import Task

TABLES: Final = "QPSEARCH_TABLES"
SEEDS, QUICK_SEEDS = 10, 3


def main() -> int:
    """Run the command line; return the exit code."""
    given = _given()
    warnings.simplefilter("ignore")  # of other libraries, about what is experimental
    try:
        print(_measured(given))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _measured(given: argparse.Namespace) -> str:
    names = catalogue.chosen(given.tasks or ("quick" if given.quick else "some"))
    own = given.methods.split(",") if given.methods else methods.QUICK if given.quick else methods.default()
    compared, seeds = methods.chosen(list(own)), given.seeds or (QUICK_SEEDS if given.quick else SEEDS)
    tasks = [catalogue.load(name, given.tables) for name in names]
    words = {method: _words(method, tasks) for method in compared}
    jobs = jobs_of(compared, names, seeds, given.workers, given.tables, given.kept)
    runs = run_all(jobs, given.processes)
    found = Scores(tasks, runs, words)
    rows, per_task = found.rows(), printing.against_reference(tasks, found)
    if not given.json:
        return printing.as_table(rows, per_task, hardware())
    settings = {"workers": given.workers, "seeds": seeds, "methods": words, "quick": given.quick}
    return printing.as_json(settings, tasks, rows, per_task, runs, hardware())


def _words(method: str, tasks: list[Task]) -> str:
    """Return a method's name with defaults resolved; they may depend on the task."""
    return " or ".join(dict.fromkeys(methods.resolved(method, task) for task in tasks))


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.search",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="four tasks, three seeds, four methods; under ten minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--seeds", type=int, help=f"of each task; {SEEDS}, or {QUICK_SEEDS} with --quick")
    groups = ", ".join(catalogue.GROUPS)
    parser.add_argument("--tasks", help=f"groups ({groups}), names or patterns, with commas between")
    parser.add_argument(
        "--methods",
        help=f"with commas between: {', '.join(methods.OTHERS)}, ours, or ours:SAMPLER+PRUNER in words of a space file",
    )
    parser.add_argument("--tables", type=Path, default=tables_folder(), help=f"the folder of tables; default {TABLES}")
    parser.add_argument("--kept", type=Path, help="a folder where runs are kept, and read from")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"that train at once; {WORKERS}")
    parser.add_argument("--processes", type=int, default=1)
    return parser.parse_args()


def tables_folder() -> Path | None:
    return Path(os.environ[TABLES]) if os.environ.get(TABLES) else None


if __name__ == "__main__":
    sys.exit(main())
