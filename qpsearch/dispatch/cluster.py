"""Connecting to Ray, and finding out how many trials fit."""

import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import AuthenticationError, RayError, RayTaskError
from ray.job_config import JobConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from qpsearch.architecture.plugins import runtime_env
from qpsearch.dispatch.environment import held, ray_switches
from qpsearch.dispatch.own_ray import begun
from qpsearch.dispatch.tokens import MODE, check_token, is_sent, token_sent
from qpsearch.errors import DataError, DispatchError, first_line
from qpsearch.registry.datasets import Data
from qpsearch.space.space import Resources

KNOCK_S = 10.0
GPU_S = 120.0  # how long workers on all nodes may take to load torch and try their GPUs
TOKEN_HINT = (
    "If the cluster needs a token: export RAY_AUTH_MODE=token, and set RAY_AUTH_TOKEN or ~/.ray/auth_token as on the "
    "head node."
)
ROOM_HINT = "Make room there, or name another folder: export RAY_TMPDIR=FOLDER. Or: --dispatch inline."
SHORTER_HINT = "Name a shorter folder for its files: export RAY_TMPDIR=/tmp. Or: --dispatch inline."


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The resources that a study gets from the Ray cluster that this process is connected to.

    Attributes:
        cpus: Cores of a trial.
        gpus: GPUs of a trial.
        slots: Trials at once.
        nodes: Number of machines.
        most: Most trials at once that the user allows; None for as many as fit.
    """

    cpus: int
    gpus: float
    slots: int
    nodes: int
    most: int | None = None

    @property
    def device(self) -> str:
        """``cuda`` where a trial gets a GPU; a worker without a GPU of its own may still see GPUs."""
        return "cuda" if self.gpus > 0 else "cpu"

    def __str__(self) -> str:
        share = f"{self.cpus} core{'s' * (self.cpus > 1)}" + (f" and {self.gpus:g} GPU" if self.gpus else "")
        return f"{self.slots} at once on {self.nodes} node{'s' * (self.nodes > 1)}, {share} each"

    def prepare_nodes(self, data: Data, folder: Path | None) -> None:
        """Prepare the data set on the other nodes, before the first trial; this node has it already.

        Raises:
            DataError: The data set cannot be fetched on a node.
        """
        if folder is None:
            return
        own = ray.get_runtime_context().get_node_id()
        others = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["NodeID"] != own]
        task = ray.remote(num_cpus=0)(_prepare)
        tasks = [
            task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(data, str(folder))
            for node in others
        ]
        try:
            ray.get(tasks)
        except RayTaskError as error:
            raise (error.cause if isinstance(error.cause, DataError) else DispatchError(first_line(error))) from None
        except RayError as error:
            raise DispatchError(f"a node was lost while its data was prepared ({first_line(error)}).") from None

    def ask_gpu(self, fault: Callable[[], str | None]) -> str | None:
        """Ask a worker on each node with a GPU whether it can use that GPU.

        Args:
            fault: Returns why its process cannot; None if it can.

        Returns:
            The first reason, with its node; None if there is none, or no answer in time: the trials will tell.
        """
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU", 0) > 0]
        task = ray.remote(num_cpus=0, num_gpus=min(self.gpus, 1), max_retries=0)(fault)
        asked = {
            task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(): node
            for node in nodes
        }
        answered, late = ray.wait(list(asked), num_returns=len(asked), timeout=GPU_S) if asked else ([], [])
        for each in late:
            ray.cancel(each, force=True)  # it would keep its GPU, or take one from a trial later
        for answer in answered:
            with contextlib.suppress(RayError):
                if (why := ray.get(answer)) is not None:
                    return f"{why} ({asked[answer]['NodeManagerHostname']})"
        return None


@contextlib.contextmanager
def connected(resources: Resources, address: str | None, tell: Callable[[str], None]) -> Iterator[Cluster]:
    """Start Ray on this machine, or join a cluster, for as long as the context lasts.

    Args:
        resources: The resources of a trial; a field that is None is chosen to fit the machine.
        address: None to start Ray on this machine; ``auto`` or ``host:port`` for a running cluster.
        tell: Called once, in another thread, if a program of the Ray that this process has started dies, with its
            name. Ray itself ends this process then, after a minute at most, and the calls that wait for that program
            do not return.

    Raises:
        DispatchError: There is no such cluster, or a trial asks for more than the cluster has.
    """
    with contextlib.ExitStack() as open_things:
        open_things.enter_context(held(ray_switches()))
        try:
            if address is None:
                own = begun()
                open_things.callback(own.end)
            else:
                _knock(address)
                check_token(address)
            if address is None or is_sent():
                open_things.enter_context(token_sent())
            found = own.address() if address is None else address
            if address is None:
                own.watch(tell)  # from here on: Ray tries to reach one that has died for minutes
            ray.init(
                address=found,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                job_config=_without_code_paths(),
                runtime_env=runtime_env(),
            )
        except (OSError, RuntimeError, ValueError, AuthenticationError) as error:
            raise (_not_started(error) if address is None else _not_reached(address, error)) from None
        open_things.callback(ray.shutdown)
        yield _size(resources, ray.cluster_resources(), ray.nodes())


def _not_started(error: Exception) -> DispatchError:
    why = first_line(error)
    hints = {"AF_UNIX": SHORTER_HINT, "cannot be written": ROOM_HINT}
    hint = next((hint for sign, hint in hints.items() if sign in why), "--dispatch inline works without it.")
    return DispatchError(f"Ray cannot be started on this machine ({why}). {hint}")


def _not_reached(address: str, error: Exception) -> DispatchError:
    hint = "Is the token that of the head node?" if os.environ.get(MODE) == "token" else TOKEN_HINT
    return DispatchError(
        f"--address {address}: no Ray cluster can be reached there ({first_line(error)}). "
        f"Start a cluster with 'ray start --head', or leave out --address to use this machine. {hint}"
    )


def _without_code_paths() -> JobConfig:
    """Return a job whose workers do not look for modules in this process's current folder first."""
    job = JobConfig()
    job._runtime_env_has_working_dir = lambda: True  # else ./torch.py would be imported in place of torch
    return job


def _knock(address: str) -> None:
    """Raise OSError where no server listens at ``host:port``; Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=KNOCK_S).close()


def _size(resources: Resources, total: dict[str, float], nodes: list[dict[str, Any]]) -> Cluster:
    """Fit trials into nodes: each node holds whole trials, each GPU whole shares."""
    alive = resources_of(nodes)
    has_gpu = total.get("GPU", 0) > 0
    gpus = float(has_gpu) if resources.gpus is None else resources.gpus
    if 1 < gpus != int(gpus):
        raise DispatchError(f"{gpus:g} GPUs for a trial: a number above 1 must be whole.")
    slots = fitting(alive, resources.cpus, gpus, resources.concurrent)
    if slots == 0:
        most_cpus, most_gpus = (max(node.get(kind, 0) for node in alive) for kind in ("CPU", "GPU"))
        raise DispatchError(
            f"a trial asks for {resources.cpus} cores and {gpus:g} GPUs, but no node has that many: "
            f"the most on one node are {most_cpus:g} cores and {most_gpus:g} GPUs. Lower --cpus or --gpus."
        )
    return Cluster(cpus=resources.cpus, gpus=gpus, slots=slots, nodes=len(alive), most=resources.concurrent)


def resources_of(nodes: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Return what each node that is alive has, of what Ray says of all nodes."""
    return [node["Resources"] for node in nodes if node["Alive"]]


def fitting(nodes: list[dict[str, float]], cpus: int, gpus: float, most: int | None) -> int:
    """Return how many trials fit into nodes at once, of the most that the user allows."""
    found = sum(_fit(node.get("CPU", 0), node.get("GPU", 0), cpus, gpus) for node in nodes)
    return found if most is None else min(most, found)


def _fit(node_cpus: float, node_gpus: float, cpus: int, gpus: float) -> int:
    by_cpu = int(node_cpus // cpus)
    if gpus == 0:
        return by_cpu
    by_gpu = int(node_gpus // gpus) if gpus >= 1 else int(node_gpus) * int(1 / gpus + 1e-9)
    return min(by_cpu, by_gpu)


def _prepare(data: Data, folder: str) -> None:
    from qpsearch.training.prepare import prepare_images  # loads torch, so only on the node that needs it

    prepare_images(data, Path(folder))
