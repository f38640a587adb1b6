"""How often ``qpsearch compare`` tells equal arms apart, and finds true differences, beside what it prints.

``python -m tests.benchmarks.comparisons [--studies N]`` prints the table of docs/results. Each simulated comparison has
new images. An image is told right by a run if a sum is positive: of the image's ease, of what the arm (and the
configuration) makes of the image, of the seed's luck, and of chance. Calibrated to CIFAR-10: 93% right, 10,000 images,
0.25 points between seeds, of which 0.16 are single images that tip over.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import ndtri

from qpsearch.analysis.compare.contrast import Floats, Replicates, adjusted, contrast
from qpsearch.seeds import derive_seed

IMAGES, RIGHT = 10_000, 0.93
EASE, OWN, SETTING = 3.0, 0.75, 0.4  # sd of an image's ease, of what an arm makes of it, and a configuration
TIPPED = 0.0016  # sd of an accuracy that single images make
EFFECTS = (0.0, 0.003, 0.006)
SHARED = 0.9  # correlation of a seed's luck at two points of a grid, of the same arm
TUNED, SHORT, SEEN = 40, 0.01, 0.0039  # trials of a search, by how much they fall short, sd of their validation
SETTLED, TOP = 0.004, 3  # by how much the region falls short where a search settles; configurations that it gives


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A kind of comparison.

    Attributes:
        name: What is compared.
        cells: Points of a grid over which an arm is averaged.
        is_arms: Whether runs are searches, each the mean over its best configurations, not seeds of a configuration.
        sds: The sd between seeds of each arm.
    """

    name: str
    cells: int = 1
    is_arms: bool = False
    sds: tuple[float, ...] = (0.0025, 0.0025)


MODES = (
    Mode(name="configurations, alike"),
    Mode(name="configurations, sd of one threefold", sds=(0.0025, 0.0075)),
    Mode(name="means of 3 points of a grid, alike", cells=3),
    Mode(name="means of 3 points of a grid, sd of one threefold", cells=3, sds=(0.0025, 0.0075)),
    Mode(name="arms, the best 3 of 40 trials of each search, alike", is_arms=True),
    Mode(name="arms, the best 3 of 40 trials of each search, sd of one threefold", is_arms=True, sds=(0.0025, 0.0075)),
    Mode(name="configurations of 4 arms, alike", sds=(0.0025,) * 4),
    Mode(name="configurations of 4 arms, sd of one threefold", sds=(0.0025,) * 3 + (0.0075,)),
    Mode(name="configurations of 8 arms, alike", sds=(0.0025,) * 8),
)


class World:
    """Draws comparisons.

    Args:
        seed: Of the draws.
        images: How many test images there are.
    """

    def __init__(self, seed: int, images: int = IMAGES) -> None:
        self._random, self._images = np.random.default_rng(seed), images

    def sides(self, mode: Mode, runs: int, effect: float) -> list[list[Replicates]]:
        """Return the cells of each arm, of which the last is better by ``effect``."""
        ease = self._random.normal(0, EASE, self._images)
        gains = [0.0] * (len(mode.sds) - 1) + [effect]
        return [self._side(mode, ease, sd, runs, gain) for sd, gain in zip(mode.sds, gains, strict=True)]

    def _side(self, mode: Mode, ease: Floats, sd: float, runs: int, gain: float) -> list[Replicates]:
        arm = ease + self._random.normal(0, OWN, self._images)
        if not mode.is_arms:
            luck, seeds = self._random.normal(size=runs), tuple(range(runs))
            cells = [
                self._cell(arm, np.full(runs, RIGHT + gain), sd, per_run=0.0, of_seeds=luck) for _ in range(mode.cells)
            ]
            return [replace(cell, seeds=seeds) for cell in cells]
        searches = [self._search(arm, gain, sd) for _ in range(runs)]
        right = np.stack([each.right.mean(0) for each in searches if each.right is not None])
        return [Replicates(np.array([each.scores.mean() for each in searches]), right)]

    def _search(self, arm: Floats, gain: float, sd: float) -> Replicates:
        """Return the best configurations of a search, on one fresh seed.

        It draws near the region where it has settled, and chooses by a noisy validation.
        """
        true = RIGHT + gain - self._random.exponential(SETTLED) - self._random.exponential(SHORT, TUNED)
        best = np.argsort(-(true + self._random.normal(0, SEEN, TUNED)))[:TOP]
        luck = np.repeat(self._random.normal(), TOP)
        return self._cell(arm, true[best], sd, per_run=SETTING, of_seeds=luck)

    def _cell(
        self, arm: Floats, accuracy: Floats, sd: float, *, per_run: float, of_seeds: Floats | None = None
    ) -> Replicates:
        """Return runs of given expected accuracies; ``per_run`` is the sd of what each makes of an image.

        ``of_seeds`` is the luck of each seed, which the points of an arm share.
        """
        own = self._random.normal(size=len(accuracy))
        drawn = own if of_seeds is None else SHARED**0.5 * of_seeds + (1 - SHARED) ** 0.5 * own
        spread = np.sqrt(1 + EASE**2 + OWN**2 + per_run**2)
        slope = np.exp(-(ndtri(RIGHT) ** 2) / 2) / np.sqrt(2 * np.pi) / spread
        luck = np.sqrt(max(sd**2 - TIPPED**2, 0)) / slope
        level = ndtri(accuracy) * np.sqrt(spread**2 + luck**2)  # so that the luck leaves the mean accuracy as it is
        shift = level + luck * drawn
        chance = self._random.standard_normal((len(accuracy), self._images), dtype=np.float32)
        chance *= np.float32(np.sqrt(1 + per_run**2))
        right = (chance < (arm + shift[:, None])).astype(np.float32)
        return Replicates(right.mean(1, dtype=float), right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of many comparisons of one kind.

    Attributes:
        mode: The kind.
        runs: Seeds, or searches, of each arm.
        found: By true difference, the share of comparisons that found it at the 5% level between the first arm and the last;
            without a difference, the share that told any two arms apart. P values of several pairs are adjusted.
        told: The mean of the chances that were printed, by true difference.
    """

    mode: Mode
    runs: int
    found: dict[float, float]
    told: dict[float, float]

    @property
    def line(self) -> str:
        """The row as Markdown."""
        cells = [f"{100 * self.found[0.0]:.1f}"]
        cells += [f"{100 * self.found[each]:.0f} ({100 * self.told[each]:.0f})" for each in EFFECTS[1:]]
        return f"| {self.mode.name} | {self.runs} | {' | '.join(cells)} |"


def measured(mode: Mode, runs: int, studies: int, seed: int = 0, images: int = IMAGES) -> Row:
    """Simulate comparisons of one kind: ``studies`` without a difference, and half as many with each difference."""
    found, told = {}, {}
    for effect in EFFECTS:
        world, marks = World(derive_seed(seed, runs, str(effect)), images), []
        for _ in range(studies if effect == 0 else studies // 2):
            sides = world.sides(mode, runs, effect)
            pairs = list(combinations(range(len(sides)), 2))
            tests = [test for one, two in pairs if (test := contrast(sides[one], sides[two])) is not None]
            assert len(tests) == len(pairs)
            ps, wanted = adjusted(tests), pairs.index((0, len(sides) - 1))
            is_found = (min(ps) if effect == 0 else ps[wanted]) < 0.05
            marks.append((is_found, tests[wanted].power(effect, pairs=len(pairs))))
        found[effect], told[effect] = (float(each) for each in np.mean(marks, 0))
    return Row(mode=mode, runs=runs, found=found, told=told)


def _measured(task: tuple[int, int, int]) -> Row:
    place, runs, studies = task
    return measured(MODES[place], runs, studies, seed=place)


def table(studies: int, processes: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| what is compared | runs of each | equal arms told apart, % | 0.3 points found, % (printed) | 0.6 points |"
    yield "|---|---|---|---|---|"
    tasks = [(place, runs, studies) for place in range(len(MODES)) for runs in (3, 5, 10)]
    with ProcessPoolExecutor(processes) as pool:
        yield from (row.line for row in pool.map(_measured, tasks))


def main() -> None:
    """Print the table and how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--studies", type=int, default=2000, help="simulated comparisons without a difference, a row")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    start = time.perf_counter()
    for line in table(given.studies, given.processes):
        print(line, flush=True)
    print(
        f"{given.studies} comparisons a row, half as many for each difference; {time.perf_counter() - start:.0f} s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
