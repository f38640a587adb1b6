"""``gpus: auto``: how many trials share a GPU, found by measuring the largest of them.

Arithmetic picks the heaviest network of a sample of the space, which trains a few steps alone on a GPU. Its peak
memory, with a margin, is what each trial gets; where seeds are trained as one network, that of as many networks. A
trial that needs more runs out of memory by itself (``memory_share``) and does not disturb the others.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import ray
from ray.exceptions import RayError

from qpsearch.architecture.candidates import sample
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import CUDA_CONTEXT_BYTES, cost
from qpsearch.dispatch.cluster import Cluster, fitting, resources_of
from qpsearch.dispatch.worker import WorkerSetup
from qpsearch.protocol import RunSettings
from qpsearch.seeds import derive_seed
from qpsearch.space import Space

SAMPLE: Final = 64
MARGIN: Final = 1.25
MOST: Final = 8  # trials on one GPU; more would take turns rather than run at once
PROBE_S: Final = 600.0
PROBE_POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Peak:
    """The GPU memory that a few steps of training took, and all that the GPU has, in bytes."""

    used: int
    total: int


Measure = Callable[[TrialConfig, RunSettings], Peak]


def heaviest(space: Space) -> TrialConfig:
    """Return the configuration that needs the most memory for training, among a seeded sample of the space.

    Raises:
        SpaceError: None of the points drawn can be trained.
    """
    drawn = sample(space, SAMPLE, derive_seed(space.search.seed, "packing"))
    return max(
        (found.config for found in drawn),
        key=lambda config: cost(config.network).training_bytes(config.recipe.batch_size),
    )


def trials_a_gpu(peak: Peak, cores_a_gpu: float, cpus: int) -> int:
    """Return how many trials fit on one GPU by memory and by the cores of its node for each GPU; at least 1."""
    by_memory = peak.total / (MARGIN * peak.used + CUDA_CONTEXT_BYTES)
    return max(1, min(math.floor(by_memory), math.floor(cores_a_gpu / cpus), MOST))


def pack(
    cluster: Cluster, space: Space, setup: WorkerSetup, measure: Measure, is_over: Callable[[], bool] = lambda: False
) -> tuple[Cluster, str]:
    """Measure, and share GPUs accordingly.

    Args:
        cluster: The cluster, with one whole GPU for each trial.
        space: The space that is searched.
        setup: The setup of a worker.
        measure: Trains a few steps in a process that sees one GPU.
        is_over: Returns whether the user wants to stop.

    Returns:
        The cluster with shares of GPUs, and a sentence about it for the user.
    """
    config = heaviest(space)
    settings = RunSettings(
        seed=0,
        device=setup.device,
        threads=setup.threads,
        memory_format=setup.memory_format,
        data_folder=setup.data_folder,
        cuda_graphs=setup.cuda_graphs,
    )
    task = ray.remote(num_cpus=cluster.cpus, num_gpus=1, max_retries=0)(measure)
    probe = task.remote(config, settings)
    deadline = time.monotonic() + PROBE_S
    try:
        while not ray.wait([probe], timeout=PROBE_POLL_S)[0]:
            if is_over() or time.monotonic() > deadline:
                ray.cancel(probe, force=True)  # it would keep its GPU, or its place in the queue for one
                return cluster, f"the heaviest of {SAMPLE} sampled networks was not measured in time: one trial per GPU"
        peak: Peak = ray.get(probe)
    except RayError as error:
        why = str(error).strip().splitlines()[-1]
        return cluster, f"the heaviest of {SAMPLE} sampled networks could not be measured ({why}): one trial per GPU"
    nodes = resources_of(ray.nodes())
    cores = max((node.get("CPU", 0) / node["GPU"] for node in nodes if node.get("GPU")), default=0.0)
    fused = 1 if setup.runs_trainer is None else space.search.most_fused
    count = trials_a_gpu(replace(peak, used=fused * peak.used), cores, cluster.cpus)
    used, whole = peak.used / 2**30, peak.total / 2**30
    said = (
        f"the heaviest of {SAMPLE} sampled networks took {used:.1f} of {whole:.0f} GiB"
        f"{f', {fused} seeds as one network {fused * used:.1f}' * (fused > 1)}: "
        f"{count} trial{'s' * (count > 1)} per GPU"
    )
    return replace(cluster, gpus=1 / count, slots=fitting(nodes, cluster.cpus, 1 / count, cluster.most)), said
