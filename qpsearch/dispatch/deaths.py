"""Why the worker of a trial ended, from what Ray and the worker left."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Final

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from qpsearch.dispatch.watchdog import cause_of_death, hang_file, read_hang
from qpsearch.dispatch.worker import WorkerSetup
from qpsearch.protocol import Assignment, Failed
from qpsearch.vocabulary import FailReason

HANG_S = 20.0
OF_NODE: Final = re.compile(r"was ([\d.]+)GB used / ([\d.]+)GB limit")  # in Ray's text about a node's memory
OF_KILLED: Final = re.compile(r"Selected to kill: \(.*?actual memory used=([\d.]+)GB")


def why_lost(cause: BaseException | None, setup: WorkerSetup, assignment: Assignment) -> Failed:
    """Return why a worker was lost: its error, the system's, or what it left where it hung or died."""
    if isinstance(cause, OutOfMemoryError):
        return node_lacked_memory(str(cause))
    if isinstance(cause, RayActorError) or cause is None:
        return cause_of_death(_stack(hang_file(setup.key, assignment)), f"the worker process died ({cause})")
    return Failed(reason=FailReason.ERROR, detail=repr(cause))


def node_lacked_memory(told: str) -> Failed:
    """Return what Ray tells where a node's memory ran low and Ray killed workers.

    Fewer images at once may help where one worker held more than half of the memory in use; otherwise other trials, or
    other programs, needed most of it.

    Args:
        told: Ray's text; where it does not have the form that is known, its first line is kept.
    """
    node, killed = OF_NODE.search(told), [float(held) for held in OF_KILLED.findall(told)]
    if node is None or len(killed) != 1:
        return Failed(reason=FailReason.OUT_OF_MEMORY, detail=told.strip().partition("\n")[0])
    used, limit = map(float, node.groups())
    is_its_own = killed[0] > used / 2
    others = "Other trials (fewer at once: --concurrent N) or other programs held the rest"
    detail = (
        f"the machine's memory ran low ({used:g} of {limit:g} GB in use), and Ray ended the worker, "
        f"which held {killed[0]:g} GB" + ("" if is_its_own else f". {others}")
    )
    return Failed(reason=FailReason.OUT_OF_MEMORY, detail=detail, in_step=is_its_own)


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
