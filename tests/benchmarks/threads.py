"""How threads of a trial should wait for each other: ``python -m tests.benchmarks.threads [--quick] [--json]``.

Seconds of training steps of ``resnet20`` with two threads that wait as those of our workers do
(``dispatch.environment.yielding``), against threads that spin, which is torch's own way, and against threads that yield at once;
on cores that do nothing else, and beside processes that take all they get. And two trials of one thread each, side by side,
against two trials of two threads, one after the other.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from qpsearch.dispatch.environment import WAITING, yielding
from tests.benchmarks.report import Row, alternate, as_json, as_table, hardware, row

ROOT: Final = Path(__file__).parents[2]
STEPS: Final = {32: 9, 8: 90}  # that a trial makes, by height and width of its images
LOADS: Final = (0, 5)  # busy processes beside the trial
OURS: Final = yielding()
WAYS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "spinning": ("threads that spin, torch's own way", {}),
    "at once": ("threads that yield at once", {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}),
}
BUSY: Final = "while True: pass"
TRAIN: Final = """
import sys, time, torch
import qpsearch
threads, side, steps = map(int, sys.argv[1:])
torch.set_num_threads(threads)
torch.manual_seed(0)
model = qpsearch.create_model("resnet20").to(memory_format=torch.channels_last)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
images, labels = torch.randn(64, 3, side, side).contiguous(memory_format=torch.channels_last), torch.randint(10, (64,))
print("ready", flush=True)
sys.stdin.readline()
for number in range(steps + 2):
    if number == 2:
        began = time.perf_counter()
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
print(time.perf_counter() - began, flush=True)
"""


def rows(*, repetitions: int, steps: Mapping[int, int]) -> list[Row]:
    """Measure all of it.

    Args:
        repetitions: See ``Row.n``.
        steps: How many a trial makes, by height and width of its images.
    """
    found = []
    for side, count in steps.items():
        trial = partial(seconds, side=side, steps=count)
        note = f"{count} steps of resnet20 on 64 images {side}x{side}, {os.cpu_count()} cores"
        for load in LOADS:
            beside = f"beside {load} busy processes" if load else "idle"
            for name, (alternative, theirs) in WAYS.items():
                with busy(load):
                    pairs = alternate(repetitions, partial(trial, how=OURS), partial(trial, how=theirs))
                title = f"{name}: {side}x{side}, {beside}"
                found.append(row(title, pairs, alternative=alternative, unit="s", note=note))
        pairs = alternate(repetitions, partial(trial, threads=(1, 1), how=OURS), partial(trial, how=OURS))
        found.append(
            row(
                f"side by side: {side}x{side}, idle",
                [(ours, 2 * theirs) for ours, theirs in pairs],
                alternative="two trials of two threads, one after the other; ours have one thread each",
                unit="s",
                note=note,
            )
        )
    return found


def seconds(*, side: int, steps: int, how: dict[str, str], threads: tuple[int, ...] = (2,)) -> float:
    """Train a network for each number of threads, all at once, in processes of their own; return the longest time."""
    own = {key: value for key, value in os.environ.items() if key not in WAITING} | {"PYTHONPATH": str(ROOT)} | how
    trials = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN, str(each), str(side), str(steps)],
            env=own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for each in threads
    ]
    for trial in trials:
        assert trial.stdout is not None
        assert trial.stdout.readline() == "ready\n"
    for trial in trials:
        assert trial.stdin is not None
        trial.stdin.write("\n")
        trial.stdin.flush()
    return max(float(trial.communicate()[0]) for trial in trials)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Let processes take all the time that they get."""
    beside = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for each in beside:
            each.kill()
            each.wait()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repetition of a third of the steps")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    steps = {side: count // 3 for side, count in STEPS.items()} if given.quick else STEPS
    found, where = rows(repetitions=1 if given.quick else given.repetitions, steps=steps), hardware()
    print(as_json("threads", found, where) if given.json else as_table(found, where))


if __name__ == "__main__":
    main()
