"""What an import costs, also others: ``python -m tests.benchmarks.optuna_import [--trials N]``.

A study of plain Optuna, in memory, is imported into an SQLite file. Meanwhile another connection to that file writes
fifty times a second, as drivers of other studies do.
"""

import argparse
import random
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar
from unittest import mock

from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial
from sqlalchemy import Connection, text

from qpsearch.architecture.candidates import sample
from qpsearch.space import Space, parse_space
from qpsearch.study.optuna_import import Foreign, Matching, fit, import_study
from qpsearch.study.storage.database import Database
from tests.benchmarks.report import hardware
from tests.benchmarks.studies import distributions, space_text, url_of

EPOCHS = 5
PAUSE_S = 0.02

T = TypeVar("T")


def measure(folder: Path, trials: int) -> dict[str, float]:
    """Return seconds: the whole import, its longest transaction, and the longest that another writer took for a step.

    Args:
        folder: For the database; must be empty.
        trials: How many trials, of twelve parameters and five reports each.
    """
    space = parse_space(space_text(sampler="random", pruner="median", epochs=EPOCHS))
    kinds, generator = distributions(space), random.Random(0)
    found = [
        create_trial(
            state=TrialState.COMPLETE,
            value=generator.random(),
            params=point.draw.params,
            distributions=kinds,
            intermediate_values={epoch: generator.random() for epoch in range(1, EPOCHS + 1)},
        )
        for point in sample(space, trials)
    ]
    study = Foreign(name="theirs", directions=[StudyDirection.MAXIMIZE], trials=found)
    url, held, waited, done = url_of(folder / "import.db"), [0.0], [0.0], threading.Event()

    def others() -> None:
        with closing(Database.open(url)) as database:
            while not done.wait(PAUSE_S):
                waited.append(_timed(lambda: database.write(_touch))[0])

    with closing(Database.create(url)) as database:
        write = database.write

        def timed_write(step: Callable[[Connection], T]) -> T:
            began: list[float] = []

            def held_step(connection: Connection) -> T:  # begins once the lock is held
                began.append(time.perf_counter())
                return step(connection)

            result = write(held_step)
            held.append(time.perf_counter() - began[-1])
            return result

        other = threading.Thread(target=others)
        with mock.patch.object(database, "write", timed_write):
            other.start()
            try:
                whole_s, _ = _timed(lambda: _import(database, space, study))
            finally:
                done.set()
                other.join()
    return {"whole_s": whole_s, "longest_transaction_s": max(held), "longest_wait_of_others_s": max(waited)}


def _import(database: Database, space: Space, study: Foreign) -> None:
    found = fit(space, study, Matching.of(space, study))
    assert len(found.fitted) == len(study.trials)
    import_study(database, space, found, source="benchmark")


def _touch(connection: Connection) -> None:
    connection.execute(text("UPDATE version_info SET library_version = library_version"))


def _timed(action: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = action()
    return time.perf_counter() - began, result


def main() -> None:
    """Print the three times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), asked.trials)
    for name, seconds in found.items():
        print(f"{name}: {seconds:.2f}")
    print(hardware())


if __name__ == "__main__":
    main()
