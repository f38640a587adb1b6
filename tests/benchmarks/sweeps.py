"""Complete sweeps on one local Ray: ours against stock Ray Tune with OptunaSearch, and against Tune alone.

All sides train nothing and deliver every report, so that what is left is what dispatch costs.
"""

import contextlib
import io
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

import optuna
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from qpsearch.dispatch import tune as ours_on_tune
from qpsearch.dispatch.environment import TUNE_SWITCHES
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.worker import WorkerSetup
from qpsearch.registry.samplers.base import Sampler
from qpsearch.space import Space, parse_space
from qpsearch.study.trials.events import Closed, Event
from tests.benchmarks.noop import LR, METRIC, Stock, train
from tests.benchmarks.report import Row, alternate, row
from tests.benchmarks.studies import distributions, plain_sampler, space_text, url_of
from tests.helpers import new_ledger
from tests.helpers import rows as query

EPOCHS: Final = 10
SLOTS: Final = 2
STARTING: Final = 0.1  # the share of the trials after which a sweep is called steady


@dataclass(slots=True)
class Timing:
    """When a sweep began and ended, and when each of its trials did, by ``time.perf_counter``."""

    began: float = field(default_factory=time.perf_counter)
    trials: list[float] = field(default_factory=list)
    ended: float = 0.0

    @property
    def whole_s(self) -> float:
        """From before the study was made until everything was put away."""
        return self.ended - self.began

    @property
    def steady_ms(self) -> float:
        """Milliseconds a trial, after the first tenth of them."""
        steady = self.trials[int(STARTING * len(self.trials)) :]
        return 1000 * (steady[-1] - steady[0]) / (len(steady) - 1)


@contextlib.contextmanager
def local_ray() -> Iterator[None]:
    """Start a Ray of two cores, as quiet as ours; never join one that runs on this machine."""
    ray.init(
        address="local",
        num_cpus=SLOTS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
    )
    try:
        yield
    finally:
        ray.shutdown()


def is_running() -> bool:
    """Whether this process is connected to a Ray."""
    return bool(ray.is_initialized())


def rows(folder: Path, *, trials: int, repetitions: int, samplers: tuple[Sampler, ...]) -> list[Row]:
    """Compare sweeps; needs a running Ray.

    Args:
        folder: For databases and Tune's files; must be empty.
        trials: Of a sweep.
        repetitions: See ``Row.n``.
        samplers: Each gives three rows.
    """
    return [found for sampler in samplers for found in _rows(folder / sampler.name, trials, repetitions, sampler)]


def _rows(folder: Path, trials: int, repetitions: int, sampler: Sampler) -> list[Row]:
    folders = (folder / str(number) for number in range(10**6))
    sides = [_ours, _stock, _tuned]
    for side in sides:
        side(next(folders), sampler, 2 * SLOTS)
    runs = alternate(repetitions, *(lambda side=side: side(next(folders), sampler, trials) for side in sides))
    stock = "stock Ray Tune: OptunaSearch on SQLite, ASHAScheduler, class Trainable, reuse_actors"
    note = (
        f"{trials} no-op trials of {EPOCHS} reports on {SLOTS} slots a repetition, all {trials * EPOCHS:,} reports "
        "delivered on both sides, same sampler and parameters"
    )
    return [
        row(
            f"ray: {sampler}, a trial in steady state",
            [(ours.steady_ms, theirs.steady_ms) for ours, theirs, _ in runs],
            alternative=stock,
            unit="ms/trial",
            note=f"{note}; the first {STARTING:.0%} of the trials left out",
            target=0.5,
        ),
        row(
            f"ray: {sampler}, a trial in steady state, Tune with our switches",
            [(ours.steady_ms, theirs.steady_ms) for ours, _, theirs in runs],
            alternative=f"{stock}; without its loggers and snapshots, as our own sweeps run it",
            unit="ms/trial",
            note=note,
        ),
        row(
            f"ray: {sampler}, {trials} trials with start and end",
            [(ours.whole_s, theirs.whole_s) for ours, theirs, _ in runs],
            alternative=stock,
            unit="s",
            note=f"{note}; Ray itself runs already",
        ),
    ]


def _ours(folder: Path, sampler: Sampler, trials: int) -> Timing:
    folder.mkdir(parents=True)
    url, timing = url_of(folder / "q.db"), Timing()

    def see(event: Event) -> None:
        if isinstance(event, Closed):
            timing.trials.append(time.perf_counter())

    with mock.patch.dict(os.environ), new_ledger(url, _space(sampler, trials), see) as ledger:
        ours_on_tune.run(ledger, bench_of(ledger.space, folder), Interrupt(), cpus=1, gpus=0, slots=SLOTS)
    timing.ended = time.perf_counter()
    assert query(url, "SELECT count(*) FROM qpsearch_epochs")[0][0] == trials * EPOCHS
    assert query(url, "SELECT count(*) FROM trials WHERE state = 'COMPLETE'")[0][0] == trials
    return timing


def _stock(folder: Path, sampler: Sampler, trials: int) -> Timing:
    folder.mkdir(parents=True)
    wanted = distributions(_space(sampler, trials))
    assert LR in wanted
    timing = Timing()
    storage = optuna.storages.RDBStorage(url_of(folder / "optuna.db"))
    goal = {"metric": METRIC, "mode": "max"}
    search = OptunaSearch(wanted, sampler=plain_sampler(sampler), storage=storage, study_name="bench", **goal)
    arrived = _Arrivals(timing)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(Stock, epochs=EPOCHS), {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=ASHAScheduler(grace_period=EPOCHS, max_t=EPOCHS, **goal),
            num_samples=trials,
            max_concurrent_trials=SLOTS,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            storage_path=str(folder),
            verbose=0,
            callbacks=[arrived],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # a class that saves nothing needs it
        ),
    )
    _fit(tuner)
    timing.ended = time.perf_counter()
    storage.engine.dispose()
    assert (arrived.reports, len(timing.trials)) == (trials * EPOCHS, trials)
    return timing


def _tuned(folder: Path, sampler: Sampler, trials: int) -> Timing:
    with mock.patch.dict(os.environ, TUNE_SWITCHES):
        return _stock(folder, sampler, trials)


def results_a_second(folder: Path, trials: int, reports: int) -> float:
    """Return what Tune alone delivers in steady state: our switches, a searcher and a scheduler that do nothing."""
    timing = Timing()
    arrived = _Arrivals(timing)
    with mock.patch.dict(os.environ, TUNE_SWITCHES):
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(Stock, epochs=reports), {"cpu": 1}),
            tune_config=tune.TuneConfig(
                search_alg=_Nothing(),
                scheduler=FIFOScheduler(),
                num_samples=trials,
                max_concurrent_trials=SLOTS,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                storage_path=str(folder),
                verbose=0,
                stop={"training_iteration": reports},
                callbacks=[arrived],
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        _fit(tuner)
    assert arrived.reports == trials * reports
    return 1000 * reports / timing.steady_ms


def bench_of(space: Space, folder: Path) -> WorkerSetup:
    """Return what our workers get."""
    return WorkerSetup(
        trainer=train,
        checkpoints=str(folder / "checkpoints"),
        data_folder=None,
        device="cpu",
        threads=1,
        report_timeout_s=space.resources.report_timeout_s,
    )


def _fit(tuner: tune.Tuner) -> None:
    """Run a sweep; what Tune prints would stand between our rows."""
    with contextlib.redirect_stdout(io.StringIO()):
        tuner.fit()


def _space(sampler: Sampler, trials: int) -> Space:
    return parse_space(space_text(sampler=sampler, pruner="none", epochs=EPOCHS, trials=trials))


class _Arrivals(tune.Callback):
    """Counts the reports that reach the driver, and notes when trials end."""

    def __init__(self, timing: Timing) -> None:
        self._timing, self.reports = timing, 0

    def on_trial_result(self, **info: Any) -> None:
        self.reports += 1

    def on_trial_complete(self, **info: Any) -> None:
        self._timing.trials.append(time.perf_counter())


class _Nothing(Searcher):
    """Proposes always the same."""

    def suggest(self, trial_id: str) -> dict[str, Any]:
        return {LR: 0.1}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        pass

    def save(self, checkpoint_path: str) -> None:
        pass

    def restore(self, checkpoint_path: str) -> None:
        pass
