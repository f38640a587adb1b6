"""A draw of the next trial by the default search, a Gaussian process and ``asha``, against TPE and Hyperband."""

import gc
import shutil
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Final

from qpsearch.cli.main import COLLECTED
from qpsearch.registry.samplers.gp import GP
from qpsearch.registry.samplers.tpe import TPE
from qpsearch.space import parse_space
from qpsearch.study.ledger import Ledger
from tests.benchmarks.report import Row, alternate, row, timed
from tests.benchmarks.steps import searching_with
from tests.benchmarks.studies import message, resumed, space_text, url_of
from tests.helpers import new_ledger

EPOCHS: Final = 15
ASKS: Final = 10  # a repetition
OURS: Final = (GP, "asha")
EARLIER: Final = (TPE, "hyperband")


def rows(folder: Path, *, sizes: tuple[int, ...], repetitions: int) -> list[Row]:
    """Compare the time of an ask in studies of so many trials, of which most are paused or pruned.

    Memory is looked through as seldom as in the command, for both sides.

    Args:
        folder: For databases; must be empty.
        sizes: Trials when the first repetition begins.
        repetitions: See ``Row.n``.
    """
    before = gc.get_threshold()
    gc.set_threshold(COLLECTED)
    try:
        return [_at(folder / str(size), size, repetitions) for size in sizes]
    finally:
        gc.set_threshold(*before)


def _at(folder: Path, size: int, repetitions: int) -> Row:
    folder.mkdir()
    seconds = defaultdict[str, list[float]](list)
    with (
        searching_with(OURS[0], _filled(folder, size, OURS[1]), folder) as ours,
        searching_with(EARLIER[0], _filled(folder, size, EARLIER[1]), folder) as theirs,
        resumed(ours) as our_ledger,
        resumed(theirs) as their_ledger,
    ):
        sides = {"ours": _Asker(our_ledger), "theirs": _Asker(their_ledger)}

        for asker in sides.values():
            asker.ask()  # the first one loads libraries

        def median(side: str) -> float:
            found = [sides[side].ask() for _ in range(ASKS)]
            seconds[side] += found
            return 1000 * statistics.median(found)

        pairs = alternate(repetitions, lambda: median("ours"), lambda: median("theirs"))
    shutil.rmtree(folder)
    most = " and ".join(f"{1000 * max(seconds[side]):.0f} ms" for side in ("ours", "theirs"))
    return row(
        f"tpe+hyperband: an ask of gp+asha at {size:,} trials",
        pairs,
        alternative="an ask of our own TPE under Hyperband, the default before promotion",
        unit="ms",
        note=f"the median of {ASKS} asks a repetition; the longest of all took {most}",
        target=1.5 if size == 1000 else None,
    )


def _filled(folder: Path, size: int, pruner: str) -> Path:
    """Make a study with so many trials, drawn at random."""
    path = folder / f"{pruner}.db"
    text = space_text(sampler="random", pruner=pruner, epochs=EPOCHS)
    with new_ledger(url_of(path), parse_space(text)) as ledger:
        asker, made = _Asker(ledger), -1
        while made < size - 1:
            asker.ask()
            made = max(made, *asker.reached)
    return path


class _Asker:
    """Asks for trials one after the other, and reports each until it is paused, pruned or complete."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.reached = defaultdict[int, int](int)  # epochs of each trial

    def ask(self) -> float:
        """Return the seconds of the ask alone."""
        given = []
        seconds = timed(lambda: given.append(self._ledger.ask()))
        (assignment,) = given
        assert assignment is not None
        go_on = True
        while go_on:
            self.reached[assignment.trial] += 1
            epoch = self.reached[assignment.trial]
            go_on = self._ledger.report(assignment.trial, assignment.attempt, message(epoch, EPOCHS, assignment.trial))
        return seconds
