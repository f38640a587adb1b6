"""The names of all tasks, their groups, and which half of them is kept out of choices."""

import fnmatch
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from qpsearch.errors import UserError, nearest
from tests.benchmarks.search.lcbench import lcbench
from tests.benchmarks.search.planted import planted
from tests.benchmarks.search.tables import hpo_mlp, nasbench201, taskset
from tests.benchmarks.search.task import NoTables, Task

# Defaults of samplers and pruners are chosen on these tasks alone; the other half only judges the choice.
CHOICES: Final = frozenset(
    {
        "taskset-patch32_GRU64_avg_bs128",
        "taskset-patch32_IRNN64_relu_last_bs128",
        "taskset-patch128_LSTM128_avg_bs64",
        *(
            f"lcbench-{name}"
            for name in (
                *("3945", "34539", "126026", "146212", "167149", "167161", "167181", "167185", "167200"),
                *("168329", "168331", "168868", "168910", "189862", "189866", "189905", "189908"),
            )
        ),
        *("hpolib_protein_structure", "hpobench_car", "hpobench_phoneme"),
        "planted-own",
    }
)
KEPT_OUT: Final = frozenset(
    {
        "taskset-patch32_LSTM128_bs128",
        "taskset-patch32_VRNN64_relu_avg_bs128",
        "taskset-patch128_LSTM128_embed128_bs64",
        *(
            f"lcbench-{name}"
            for name in (
                *("7593", "126025", "126029", "167104", "167152", "167168", "167184", "167190", "167201"),
                *("168330", "168335", "168908", "189354", "189865", "189873", "189906", "189909"),
            )
        ),
        *("hpolib_slice_localization", "hpobench_segment", "hpobench_vehicle", "nasbench201_cifar10"),
        "planted-shared",
        "planted-fast",
    }
)
TASKS: Final = tuple(sorted(CHOICES | KEPT_OUT))
# The tasks of LCBench that run by default: the first five of each half.
_FEW: Final = tuple(
    f"lcbench-{name}"
    for name in ("3945", "34539", "126026", "146212", "167149", "7593", "126025", "126029", "167104", "167152")
)
_TASKSET: Final = tuple(name for name in TASKS if name.startswith("taskset-"))
_LCBENCH: Final = tuple(name for name in TASKS if name.startswith("lcbench-"))
_ONE_FIDELITY: Final = tuple(name for name in TASKS if name.startswith(("hpo", "nasbench201")))
_PLANTED: Final = tuple(name for name in TASKS if name.startswith("planted-"))
GROUPS: Final = {
    "some": (*_TASKSET, *_FEW),
    "quick": ("taskset-patch32_GRU64_avg_bs128", "taskset-patch32_LSTM128_bs128", "lcbench-34539", "lcbench-126025"),
    "curves": (*_TASKSET, *_LCBENCH),
    "taskset": _TASKSET,
    "lcbench": _LCBENCH,
    "one-fidelity": _ONE_FIDELITY,
    "planted": _PLANTED,
    "choices": tuple(name for name in TASKS if name in CHOICES),
    "kept-out": tuple(name for name in TASKS if name in KEPT_OUT),
    "all": TASKS,
}
_LOADERS: Final[dict[str, tuple[str, Callable[[Path, str], Task]]]] = {
    "taskset-": ("", taskset),
    "lcbench-": ("", lcbench),
    "planted-": ("", planted),
    "hpo": ("hpo", hpo_mlp),
    "nasbench201_": ("", nasbench201),
}


def chosen(words: str) -> tuple[str, ...]:
    """Return the tasks that some words name: groups, names or patterns such as ``lcbench-16*``, with commas between.

    Raises:
        UserError: A word does not name a task.
    """
    found: list[str] = []
    for word in words.split(","):
        names = GROUPS.get(word) or tuple(fnmatch.filter(TASKS, word))
        if not names:
            raise UserError(f"--tasks: there is no task {word!r}. {nearest(word, [*GROUPS, *TASKS])}")
        found += names
    return tuple(dict.fromkeys(found))


def group_of(name: str) -> str:
    """Return under what a task is reported: ``choices`` or ``kept out``, and apart from them tasks of other kinds."""
    if name in _PLANTED:
        return "planted"
    if name in _ONE_FIDELITY:
        return "one fidelity"
    return "choices" if name in CHOICES else "kept out"


def neighbour(name: str) -> str:
    """Return another task with the same parameters, whose study a search of this task may start from."""
    start = next(start for start in _LOADERS if name.startswith(start))
    alike = [each for each in TASKS if each.startswith(start)]
    return alike[(alike.index(name) + 1) % len(alike)]


def load(name: str, folder: Path | None) -> Task:
    """Load a task; tables are read once in a process.

    Args:
        name: The task's name.
        folder: The folder of tables; None where there is none, which is enough for a planted task.

    Raises:
        NoTables: The tables cannot be found, or a package that reads them.
    """
    if folder is None and not name.startswith("planted-"):
        raise NoTables(
            f"task {name}: reads tables, but their folder is not known. Name the folder that holds taskset, lcbench, "
            "hpo_mlp, nasbench201 and spaces.json: --tables FOLDER, or QPSEARCH_TABLES."
        )
    return _load(name, folder or Path())


@cache
def _load(name: str, folder: Path) -> Task:
    start, (before, loader) = next((start, loader) for start, loader in _LOADERS.items() if name.startswith(start))
    return loader(folder, before + name.removeprefix(start))
