"""What processes have and inherit: cores, threads that yield; but not the URL of the database, with its password."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from qpsearch.vocabulary import Variable

WAITING: Final = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # each says how threads wait

# Our defaults for Ray's settings; a value that the user sets is kept.
RAY_SWITCHES: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no reports to anybody
    "RAY_prestart_worker_first_driver": "0",  # Tune starts its own, so that these would only take their time
    "RAY_worker_niceness": "0",  # as the driver; Ray's own 15 starves trials wherever anything else runs
}

# Read by Tune when it is imported or started; a study does not work with other values.
TUNE_SWITCHES: Final = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # CSV, JSON and TensorBoard files for each trial
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Interrupt handles it
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # snapshots that are never restored
    "TUNE_RESULT_BUFFER_LENGTH": "1",  # each report is answered before the next epoch begins
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "1000000000",  # cluster.py has checked this
    "RAY_AIR_NEW_OUTPUT": "0",
}


def ray_switches() -> dict[str, str]:
    """Return our settings of Ray, which reads them when it starts; those that the user sets are left out."""
    return {name: value for name, value in RAY_SWITCHES.items() if name not in os.environ}


@contextmanager
def held(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process for a while: what the user's program does later finds them as they were."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def for_worker() -> dict[str, str]:
    """The environment of a worker, or of what starts one: it lacks the database, and threads that wait yield."""
    return Variable.for_child() | yielding()


def yielding() -> dict[str, str]:
    """Return the variables with which threads that wait yield their core, if the user does not say how they wait.

    By default they spin. Where anything else runs, that takes the cores from the threads that are waited for: with two
    threads, on two cores beside five busy processes, steps of resnet20 took 2.7 times as long at 32x32 pixels, and 2.1
    times at 8x8. On idle cores it is the other way round: at 8x8 they take 2.5 times as long with threads that yield at
    once, and 1.3 times with threads of GNU's OpenMP that first spin as shortly as here
    (``python -m tests.benchmarks.threads``). torch reads the variables when it is loaded.
    """
    return {} if any(name in os.environ for name in WAITING) else {WAITING[0]: "PASSIVE", WAITING[1]: "1000"}


def own_cores() -> int:
    """Return the cores that this process may use: a batch system may give a job only a part of a machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
