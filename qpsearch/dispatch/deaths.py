"""Why the worker of a trial ended, from what Ray and the worker left."""

from __future__ import annotations

import contextlib
from pathlib import Path

import ray
from ray import cloudpickle
from ray.exceptions import OutOfMemoryError, RayActorError, RayError
from ray.tune.experiment import Trial
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from qpsearch.dispatch.watchdog import cause_of_death, hang_file, read_hang
from qpsearch.dispatch.worker import WorkerSetup
from qpsearch.protocol import Assignment, Failed
from qpsearch.vocabulary import FailReason

HANG_S = 20.0


def error_of(trial: Trial) -> BaseException | None:
    """Return the error that ended a trial's worker; ``get_error`` is not set yet when the scheduler is called."""
    path = trial.pickled_error_file
    if not path or not Path(path).exists():
        return None
    error = cloudpickle.loads(Path(path).read_bytes())
    return error if isinstance(error, BaseException) else None


def why_lost(cause: BaseException | None, setup: WorkerSetup, assignment: Assignment) -> Failed:
    """Return why a worker was lost: its error, the system's, or what it left where it hung or died."""
    if isinstance(cause, OutOfMemoryError):  # Ray's own: the node's memory ran low, and it killed the worker
        return Failed(reason=FailReason.OUT_OF_MEMORY, detail=str(cause))
    if isinstance(cause, RayActorError) or cause is None:
        return cause_of_death(_stack(hang_file(setup.key, assignment)), f"the worker process died ({cause})")
    return Failed(reason=FailReason.ERROR, detail=repr(cause))


def _stack(path: Path) -> str:
    """Ask every node for the stack of a hung worker, which is on the machine where the worker hung."""
    read = ray.remote(num_cpus=0, max_retries=0)(read_hang)
    asked = [
        read.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)).remote(
            path
        )
        for node in ray.nodes()
        if node["Alive"]
    ]
    answered, _ = ray.wait(asked, num_returns=len(asked), timeout=HANG_S) if asked else ([], [])
    for answer in answered:
        with contextlib.suppress(RayError):  # a node that died in between
            if stack := ray.get(answer):
                return str(stack)
    return ""
