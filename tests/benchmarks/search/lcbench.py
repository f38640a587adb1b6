"""Tasks of LCBench (arXiv 2006.13799): funnel-shaped networks on 34 data sets of OpenML, by the surrogate of YAHPO Gym.

The loss is the share of validation images classified wrongly, in percent, after each of 52 epochs; the time is the
surrogate's own. ``python -m tests.benchmarks.search.lcbench FOLDER`` computes the scales again.
"""

import argparse
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.benchmarks.search.lcbench_scales import SCALES
from tests.benchmarks.search.parameters import Config, Kind, Parameter, changed, draw
from tests.benchmarks.search.task import Curve, Floats, NoTables, Scale, Task

EPOCHS: Final = 52
# In the order in which the surrogate takes them, after the epoch.
PARAMETERS: Final = (
    Parameter(name="batch_size", kind=Kind.LOG_INT, low=16, high=512),
    Parameter(name="learning_rate", kind=Kind.LOG, low=1e-4, high=0.1),
    Parameter(name="momentum", kind=Kind.FLOAT, low=0.1, high=0.99),
    Parameter(name="weight_decay", kind=Kind.FLOAT, low=1e-5, high=0.1),
    Parameter(name="num_layers", kind=Kind.INT, low=1, high=5),
    Parameter(name="max_units", kind=Kind.LOG_INT, low=64, high=1024),
    Parameter(name="max_dropout", kind=Kind.FLOAT, low=0.0, high=1.0),
)
LEAST: Final = 0.01  # of the mean time of an epoch: what an epoch takes where the surrogate's time does not grow
SAMPLED, ROUNDS, KEPT = 2000, 6, 20  # of the search for the best known loss


def lcbench(folder: Path, name: str) -> Task:
    """Load the task of a data set.

    Args:
        folder: The folder of all tables.
        name: The task's number at OpenML.
    """
    surrogate = _Surrogate(folder, name)
    return Task(
        name=f"lcbench-{name}",
        family="lcbench",
        parameters=PARAMETERS,
        epochs=EPOCHS,
        curve=lambda config, seed: surrogate.curves([config])[0],
        scale=Scale(best=SCALES[name][0], median=SCALES[name][1], full=SCALES[name][2]),
    )


class _Surrogate:
    """The network that predicts accuracy and time, for one data set."""

    def __init__(self, folder: Path, name: str) -> None:
        self._session = _session(str(folder))
        self._code = json.loads((folder / "lcbench" / "encoding.json").read_text())["OpenML_task_id"][name]

    def curves(self, configs: Sequence[Config]) -> list[Curve]:
        """Return the curves of some configurations."""
        given = np.array([[float(str(config[each.key])) for each in PARAMETERS] for config in configs])
        epochs = np.tile(np.arange(1, EPOCHS + 1), len(configs))
        inputs = np.column_stack([epochs, np.repeat(given, EPOCHS, axis=0)]).astype(np.float32)
        code = np.full((len(inputs), 1), self._code, dtype=np.int32)
        (found,) = self._session.run(None, {"x_cat": code, "x_cont": inputs})
        time_s, accuracy = (found[:, column].astype(float).reshape(-1, EPOCHS) for column in (0, 1))
        return [_curve(100 - right, times) for right, times in zip(accuracy, time_s, strict=True)]


def _curve(loss: Floats, times: Floats) -> Curve:
    cost = np.diff(times, prepend=0.0)
    return Curve(seen=loss, true=loss, cost=np.maximum(cost, LEAST * max(times[-1], 1e-3) / EPOCHS))


@cache
def _session(folder: str) -> Any:
    file = Path(folder) / "lcbench" / "model.onnx"
    if not file.is_file():
        raise NoTables(f"{file}: there is no such file. Expected the folder of tables in --tables or QPSEARCH_TABLES.")
    try:
        import onnxruntime
    except ImportError:
        raise NoTables(
            "LCBench needs onnxruntime. Install it: pip install onnxruntime. Or choose other --tasks."
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def scale_of(folder: Path, name: str) -> Scale:
    """Search a data set at length: random configurations, then rounds of changed copies of the best."""
    surrogate, generator = _Surrogate(folder, name), np.random.default_rng(0)
    configs = [draw(PARAMETERS, generator) for _ in range(SAMPLED)]
    curves = [curve for start in range(0, SAMPLED, 200) for curve in surrogate.curves(configs[start : start + 200])]
    found = sorted(((curve.best, index) for index, curve in enumerate(curves)))
    best = [(loss, configs[index]) for loss, index in found[:KEPT]]
    for turn in range(ROUNDS):
        near = [changed(PARAMETERS, config, generator, 0.2 / (turn + 1)) for _, config in best for _ in range(10)]
        losses = [curve.best for curve in surrogate.curves(near)]
        best = sorted([*best, *zip(losses, near, strict=True)], key=lambda pair: pair[0])[:KEPT]
    return Scale(
        best=best[0][0],
        median=float(np.median([loss for loss, _ in found])),
        full=float(np.mean([curve.cost.sum() for curve in curves])),
    )


def main() -> None:
    """Print the scales as the lines of ``lcbench_scales``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    codes = json.loads((given.folder / "lcbench" / "config_space.json").read_text())["hyperparameters"][0]["choices"]
    for name in codes:
        scale = scale_of(given.folder, name)
        print(f'    "{name}": ({scale.best:.4f}, {scale.median:.4f}, {scale.full:.4g}),', flush=True)


if __name__ == "__main__":
    main()
