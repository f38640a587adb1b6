"""Tasks that are tables: learning curves of TaskSet, NAS-Bench-201 after 12 and 200 epochs, and tables of one fidelity.

A table of TaskSet holds 1,000 configurations; the curve of any other point is that of the nearest in the unit cube. The
tables of one fidelity are full grids with several seeds: a search sees one of them, and is scored by their mean.
"""

import csv
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.benchmarks.search.parameters import Config, Kind, Parameter
from tests.benchmarks.search.task import Curve, Floats, NoTables, Scale, Task

TASKSET: Final = "FixedTextRNNClassification_imdb_"
EPOCHS: Final = 50
EVALUATIONS: Final = 100.0  # budget of a table of one fidelity
WORDS: Final = ("activation_fn_1", "activation_fn_2", "lr_schedule")  # of the one-fidelity tables: not in an order
# Adam8p: eight parameters of Adam, with the ranges of TaskSet (arXiv 2002.11887). One minus beta is drawn in log scale.
ADAM8P: Final = tuple(
    Parameter(name=name, kind=Kind.LOG, low=low, high=high)
    for name, low, high in (
        ("learning_rate", 1e-8, 10.0),
        ("one_minus_beta1", 1e-4, 1.0),
        ("one_minus_beta2", 1e-6, 1.0),
        ("epsilon", 1e-10, 1e3),
        ("l1", 1e-8, 10.0),
        ("l2", 1e-8, 10.0),
        ("linear_decay", 1e-7, 1e-4),
        ("exponential_decay", 1e-6, 1e-3),
    )
)


def taskset(folder: Path, name: str) -> Task:
    """Load a task of TaskSet: validation loss over 50 epochs that take equally long.

    Args:
        folder: The folder of all tables.
        name: The end of the file's name, without ``.npz``.
    """
    with np.load(_file(folder / "taskset" / f"{TASKSET}{name}.npz")) as table:
        hp, losses = table["hp"].astype(float), table["valid_loss"].astype(float)[:, 1 : EPOCHS + 1]
    hp[:, 1:3] = 1 - hp[:, 1:3]
    points = np.column_stack([_shares(each, hp[:, index]) for index, each in enumerate(ADAM8P)])
    cost = np.ones(EPOCHS)
    curves = [Curve(seen=loss, true=loss, cost=cost) for loss in losses]

    def curve(config: Config, seed: int) -> Curve:
        place = np.array([each.share(config[each.key]) for each in ADAM8P])
        return curves[int(((points - place) ** 2).sum(axis=1).argmin())]

    best = [each.best for each in curves]
    return Task(
        name=f"taskset-{name}",
        family="taskset",
        parameters=ADAM8P,
        epochs=EPOCHS,
        curve=curve,
        scale=Scale(best=min(best), median=float(np.median(best)), full=float(EPOCHS)),
    )


def hpo_mlp(folder: Path, name: str) -> Task:
    """Load a table of multilayer perceptrons, ``hpolib_...`` or ``hpobench_...``."""
    file, family = _file(folder / "hpo_mlp" / f"{name}.npz"), name.partition("_")[0]
    return _one_fidelity(name, family, file, _space(folder, family))


def nasbench201(folder: Path, name: str) -> Task:
    """Load the accuracy of all cells of NAS-Bench-201 after 200 epochs."""
    file = _file(folder / "nasbench201" / f"nasbench201_{name}.npz")
    return _one_fidelity(f"nasbench201_{name}", "nasbench201", file, _space(folder, "nasbench201"))


def nasbench201_epochs(folder: Path) -> Task:
    """Load the share of images that each cell of NAS-Bench-201 gets wrong on CIFAR-10, in percent, as two epochs.

    The first one is a training of 12 epochs, and costs as much; the second is the whole training of 200.
    """
    with _file(folder / "nasbench201" / "cifar10_12_and_200_epochs.csv").open() as table:
        rows = list(csv.DictReader(table))
    cost = np.array([12.0, 188.0])
    curves = {
        tuple(re.findall(r"\|(\w+)~", row["cell"])): Curve(seen=loss, true=loss, cost=cost)
        for row in rows
        for loss in [100 - np.array([float(row["val_accuracy_12"]), float(row["test_accuracy_200"])])]
    }
    space = _space(folder, "nasbench201")
    losses = [each.best for each in curves.values()]
    parameters = tuple(
        Parameter(name=name, kind=Kind.CHOICE, options=tuple(space["Op0"]))
        for name in sorted(set(space) - {"direction"})
    )
    return Task(
        name="nasbench201-12-200",
        family="nasbench201",
        parameters=parameters,
        epochs=2,
        curve=lambda config, seed: curves[tuple(str(config[each.key]) for each in parameters)],
        scale=Scale(best=min(losses), median=float(np.median(losses)), full=float(cost.sum())),
    )


def _space(folder: Path, family: str) -> dict[str, Any]:
    return dict(json.loads(_file(folder / "spaces.json").read_text())[family])


def _one_fidelity(name: str, family: str, file: Path, space: dict[str, Any]) -> Task:
    sign = 1.0 if space.pop("direction") == "minimize" else -1.0
    parameters = tuple(_of_grid(key, space[key] if space[key] != "same" else space["Op0"]) for key in sorted(space))
    with np.load(file) as table:
        index, values = table["idx"], sign * table["val"].astype(float)
    rows = {tuple(map(int, row)): seeds[np.isfinite(seeds)] for row, seeds in zip(index, values, strict=True)}
    means = np.nanmean(values, axis=1)  # some cells of NAS-Bench-201 have two seeds, the others three
    return Task(
        name=name,
        family=family,
        parameters=parameters,
        epochs=1,
        curve=_lookup(parameters, rows),
        scale=Scale(best=float(means.min()), median=float(np.median(means)), full=1.0),
        trainings=EVALUATIONS,
    )


def _lookup(parameters: tuple[Parameter, ...], rows: dict[tuple[int, ...], Floats]) -> Callable[[Config, int], Curve]:
    cost = np.ones(1)

    def curve(config: Config, seed: int) -> Curve:
        place = tuple(_index(each, config) for each in parameters)
        values = rows[place]
        chosen = np.random.default_rng(zlib.crc32(f"{seed} {place}".encode())).integers(len(values))
        return Curve(seen=values[chosen : chosen + 1], true=values.mean(keepdims=True), cost=cost)

    return curve


def _of_grid(name: str, values: list[Any]) -> Parameter:
    """Return a parameter of a grid: words are a choice, numbers are drawn by their place in the list."""
    if name in WORDS or name.startswith("Op"):
        return Parameter(name=name, kind=Kind.CHOICE, options=tuple(map(str, values)))
    return Parameter(name=name, kind=Kind.INT, low=0, high=len(values) - 1)


def _index(parameter: Parameter, config: Config) -> int:
    value = config[parameter.key]
    return parameter.options.index(str(value)) if parameter.kind is Kind.CHOICE else int(str(value))


def _shares(parameter: Parameter, values: Floats) -> Floats:
    return np.array([parameter.share(float(value)) for value in values])


def _file(path: Path) -> Path:
    if not path.is_file():
        raise NoTables(f"{path}: there is no such table. Expected the folder of tables in --tables or QPSEARCH_TABLES.")
    return path
