"""What ``qpsearch importance`` takes on a large study: ``python -m tests.benchmarks.importance [--trials N] [--json]``.

The study searches the parameters of spaces/cifar.yaml. Blocks and the learning rate make the values, with noise; half
of the trials are pruned. Each repetition is a process from its start to its end, and writes its page.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from qpsearch.architecture.candidates import sample
from qpsearch.space import Space, load_space
from qpsearch.study.optuna_import import Foreign, Matching, fit, import_study
from qpsearch.study.storage.database import Database
from tests.benchmarks.report import Row, alternate, as_json, as_table, hardware, row, timed
from tests.benchmarks.studies import url_of

TRIALS, EPOCHS = 5000, 5
ROOT = Path(__file__).parents[2]


def rows(folder: Path, *, trials: int, repetitions: int) -> list[Row]:
    """Measure our evaluator and Optuna's fANOVA in turn.

    Args:
        folder: For the database; must be empty.
        trials: Of the study.
        repetitions: See ``Row.n``.
    """
    space = load_space(ROOT / "spaces" / "cifar.yaml")
    study = Foreign(name="drawn", directions=[StudyDirection.MAXIMIZE], trials=list(drawn(space, trials)))
    url = url_of(folder / "large.db")
    with closing(Database.create(url)) as database:
        import_study(database, space, fit(space, study, Matching.of(space, study)), source="benchmark")

    def judged_by(evaluator: str) -> float:
        words = ("-m", "qpsearch", "importance", space.study, "--storage", url, "--evaluator", evaluator)
        command = [sys.executable, *words, "--output", str(folder / "page.html")]
        return timed(lambda: subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL))

    return [
        row(
            f"optuna-fanova: importance of {trials:,} trials",
            alternate(repetitions, lambda: judged_by("anova"), lambda: judged_by("fanova")),
            alternative="the same command with --evaluator fanova, which is Optuna's and uses complete trials alone",
            unit="s",
            note="whole commands, the start of Python included; wanted are less than 3 s",
        )
    ]


def drawn(space: Space, trials: int) -> Iterator[FrozenTrial]:
    """Draw trials evenly: complete ones, and pruned ones that stopped after two epochs."""
    chance = random.Random(0)
    kinds = {site.parameter: site.domain.distribution() for site in space.sites if site.domain is not None}
    for number, point in enumerate(sample(space, trials)):
        params, blocks = point.draw.params, [str(stage.block) for stage in point.config.network.stages]
        value = 0.5 + 0.1 * blocks.count("quotient") / len(blocks) + 0.05 * (point.config.recipe.optimizer.lr > 0.1)
        value += chance.gauss(0, 0.02)
        is_pruned = number % 2 == 1
        yield create_trial(
            state=TrialState.PRUNED if is_pruned else TrialState.COMPLETE,
            value=None if is_pruned else value,
            params=params,
            distributions={name: kinds[name] for name in params},
            intermediate_values={epoch: value * epoch / EPOCHS for epoch in range(1, (2 if is_pruned else EPOCHS) + 1)},
        )


def main() -> None:
    """Print the table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = rows(Path(folder), trials=asked.trials, repetitions=asked.repetitions)
    print(as_json("importance", found, hardware()) if asked.json else as_table(found, hardware()))


if __name__ == "__main__":
    main()
