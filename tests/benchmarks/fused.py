"""Seeds that are trained as one network: ``python -m tests.benchmarks.fused [--quick] [--json] [--only TEXT] [--threads N]``.

CPU seconds (on a GPU: seconds) of an epoch of fused runs, order, augmentation, loss and optimisers included, over those of two others,
an epoch of each in turn. ``unfused:`` trains the same runs one after the other. ``vmap:`` makes the same number of steps, with
torch.vmap over stacked weights and one optimiser over them, on batches that are ready: the way that needs no code of ours.
"""

import argparse
import copy
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from qpsearch.models import build_model
from qpsearch.protocol import RunSettings
from qpsearch.training.fused import FusedRuns
from qpsearch.training.loop import TrainingRun, prepared
from qpsearch.training.optim import build_optimizer
from tests.benchmarks.report import Row, alternate, as_json, as_table, hardware, row
from tests.benchmarks.train_speed import NETWORKS, Case, draws, networks, ready

SEEDS = (3, 5)
STEPS, GPU_STEPS = 2, 60
GPU_ROWS = tuple(f"unfused: {name}, {seeds} seeds" for name in NETWORKS for seeds in SEEDS)

Work = Callable[[], object]


def fused(case: Case, seeds: int) -> Work:
    """Return the work of an epoch of fused runs."""
    whole = FusedRuns(case.config, runs_of(case, seeds), case.run)
    epochs = itertools.cycle(range(1, case.config.recipe.epochs + 1))
    return lambda: list(whole.train_epoch(next(epochs)))


def unfused(case: Case, seeds: int) -> Work:
    """Return the work of an epoch of each run, one after the other."""
    runs = runs_of(case, seeds)
    epochs = itertools.cycle(range(1, case.config.recipe.epochs + 1))

    def work() -> None:
        epoch = next(epochs)
        for run in runs:
            list(run.train_epoch(epoch))

    return work


def runs_of(case: Case, seeds: int) -> list[TrainingRun]:
    return [TrainingRun(case.config, replace(case.run, seed=seed), (case.split, None)) for seed in range(seeds)]


def vmapped(case: Case, seeds: int) -> Work:
    """Return the work of as many steps of all runs, by torch.vmap."""
    models = [build_model(case.config.network, seed).to(case.run.device).train() for seed in range(seeds)]
    for module in itertools.chain(*(model.modules() for model in models)):
        if isinstance(module, nn.ReLU):
            module.inplace = False  # under vmap, what is changed in place must be a batch already
        if isinstance(module, nn.BatchNorm2d):
            module.num_batches_tracked = None
    stacked, buffers = stack_module_state(models)
    weights = {name: nn.Parameter(each.detach()) for name, each in stacked.items()}
    base = copy.deepcopy(models[0])
    optimizer = build_optimizer(nn.ParameterList(weights.values()), case.config.recipe)
    batches = [(torch.stack([x] * seeds), torch.stack([y] * seeds)) for x, y in ready(case)]

    def loss(own: dict[str, Tensor], norms: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(base, (own, norms), (x,)), y)

    def work() -> None:
        for x, y in batches:
            optimizer.zero_grad(set_to_none=True)
            torch.vmap(loss)(weights, buffers, x, y).sum().backward()
            optimizer.step()

    return work


def rows(cases: Iterable[Case], repetitions: int, seeds: Iterable[int] = SEEDS) -> Iterator[Row]:
    """Measure all sides of each case in turn, and yield rows as they are known."""
    for count, case in itertools.product(seeds, cases):
        prepared(case.run)  # as every run is
        sides = {"fused": fused(case, count), "unfused": unfused(case, count), "vmap": vmapped(case, count)}
        for work in sides.values():
            work()  # the first epoch chooses its kernels
        images = len(case.split.labels)
        seconds = [
            tuple(images / rate for rate in rates)
            for rates in alternate(repetitions, *(partial(case.measured, work) for work in sides.values()))
        ]
        for index, side in enumerate(list(sides)[1:], start=1):
            yield row(
                f"{side}: {case.name}, {count} seeds",
                [(each[0], each[index]) for each in seconds],
                alternative="the same runs, one after the other"
                if side == "unfused"
                else "torch.vmap over stacked weights",
                unit="s" if case.run.device != "cpu" else "CPU s",
                note=f"epochs of {images:,} images of {case.config.network.size}x{case.config.network.size} for each seed in "
                f"batches of {case.config.recipe.batch_size}, {case.run.threads} threads, on {case.run.device}",
                target=1.0 if side == "vmap" else None,
            )


def measured(quick: bool, threads: int, only: str) -> Iterator[Row]:
    """Yield the rows of this machine's CPU, and of its GPU if it has one."""
    run = RunSettings(seed=0, threads=threads)
    cases = [*draws(1 if quick else 2, run), *networks(NETWORKS, run, 1 if quick else STEPS)]
    if torch.cuda.is_available():
        cases += networks(NETWORKS, replace(run, device="cuda"), GPU_STEPS)
    yield from rows((case for case in cases if only in case.name), 3 if quick else 9, SEEDS[:1] if quick else SEEDS)


def main() -> None:
    """Print the table, or the JSON document; each row goes to standard error as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases and repetitions")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in their name")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args()
    found = []
    for each in measured(asked.quick, asked.threads, asked.only):
        found.append(each)
        print(f"{each.name}: {each.ratio:.3f} {each.spread}", file=sys.stderr, flush=True)
    has_gpu = torch.cuda.is_available()
    missing = () if has_gpu else GPU_ROWS
    print(as_json("fused", found, hardware(), missing) if asked.json else as_table(found, hardware(), missing))


if __name__ == "__main__":
    main()
