"""``gpus: auto``: how many trials share a GPU, found by measuring the largest of them.

One network, the heaviest of a sample of the space by arithmetic, trains a few steps alone on a GPU. What it took at
most, with a margin, is what each trial gets; a trial that takes more runs out of memory alone (``memory_share``).
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
from qpsearch.architecture.cost import CUDA_CONTEXT_BYTES, training_bytes
from qpsearch.dispatch.cluster import Cluster
from qpsearch.dispatch.worker import WorkerSetup
from qpsearch.protocol import RunSettings
from qpsearch.seeds import derive_seed
from qpsearch.space import Space

SAMPLE: Final = 64
MARGIN: Final = 1.25
MOST: Final = 8  # trials on one GPU; more take turns rather than run at once
PROBE_S: Final = 600.0
PROBE_POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Peak:
    """What a few steps of training took of a GPU, in bytes."""

    used: int
    total: int


Measure = Callable[[TrialConfig, RunSettings], Peak]


def heaviest(space: Space) -> TrialConfig:
    """Return the configuration that keeps most for backward, among a seeded sample of the space.

    Raises:
        SpaceError: Nothing that is drawn may be trained.
    """
    drawn = sample(space, SAMPLE, derive_seed(space.search.seed, "packing"))
    return max(
        (found.config for found in drawn),
        key=lambda config: training_bytes(config.network, config.recipe.batch_size),
    )


def trials_a_gpu(peak: Peak, cores_a_gpu: float, cpus: int) -> int:
    """Return how many trials fit on one GPU by memory, and by the cores that come with it; at least 1."""
    by_memory = peak.total / (MARGIN * peak.used + CUDA_CONTEXT_BYTES)
    return max(1, min(math.floor(by_memory), math.floor(cores_a_gpu / cpus), MOST))


def pack(
    cluster: Cluster, space: Space, setup: WorkerSetup, measure: Measure, is_over: Callable[[], bool] = lambda: False
) -> tuple[Cluster, str]:
    """Measure, and share GPUs accordingly.

    Args:
        cluster: With whole GPUs.
        space: What is searched.
        setup: What a worker gets.
        measure: Trains a few steps in a process that sees one GPU.
        is_over: Tells whether the user wants to stop.

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
    )
    task = ray.remote(num_cpus=cluster.cpus, num_gpus=1, max_retries=0)(measure)
    probe = task.remote(config, settings)
    deadline = time.monotonic() + PROBE_S
    try:
        while not ray.wait([probe], timeout=PROBE_POLL_S)[0]:
            if is_over() or time.monotonic() > deadline:
                ray.cancel(probe, force=True)  # it would keep its GPU, or its place in the queue for one
                return cluster, f"the heaviest of {SAMPLE} networks was not measured in time: one trial a GPU"
        peak: Peak = ray.get(probe)
    except RayError as error:
        why = str(error).strip().splitlines()[-1]
        return cluster, f"the heaviest of {SAMPLE} networks could not be measured ({why}): one trial a GPU"
    total = ray.cluster_resources()
    count = trials_a_gpu(peak, total["CPU"] / total["GPU"], cluster.cpus)
    used, whole = peak.used / 2**30, peak.total / 2**30
    said = (
        f"the heaviest of {SAMPLE} networks took {used:.1f} of {whole:.0f} GiB: {count} trial{'s' * (count > 1)} a GPU"
    )
    slots = min(cluster.slots * count, cluster.most or cluster.slots * count)
    return replace(cluster, gpus=1 / count, slots=slots), said
