"""One Ray for all tests of a module, told that it has four cores and two GPUs: it starts a process for each core."""

import logging
from collections.abc import Iterator

import pytest
import ray

from qpsearch.dispatch.environment import held, ray_switches


@pytest.fixture(scope="module")
def local_ray() -> Iterator[str]:
    """A local Ray; gives its session folder."""
    with held(ray_switches()):
        ray.init(
            address="local",
            num_cpus=4,
            num_gpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )
        yield ray._private.worker.global_worker.node.get_session_dir_path()
        ray.shutdown()
