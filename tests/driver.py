"""The real command line with the scripted trainer in place of the real one: ``python -m tests.driver run ...``.

TEST_LEASE_S shortens leases; TEST_CLOCK names a file that holds the seconds by which this process's clock is wrong;
TEST_TRAINER names another module with the scripted trainer.
"""

import sys

sys.path.append(sys.path.pop(0))  # as ``python -m qpsearch`` does

import os
import time
from importlib import import_module
from pathlib import Path

_right = time.time


def _wrong() -> float:
    path = Path(os.environ["TEST_CLOCK"])
    return _right() + (float(path.read_text() or 0) if path.exists() else 0.0)


if __name__ == "__main__":
    if "TEST_CLOCK" in os.environ:
        time.time = _wrong  # before anything takes it
    from qpsearch.cli import main
    from qpsearch.runner import trainer
    from qpsearch.study.drivers import lease
    from tests import scripted

    lease.LEASE_S = float(os.environ.get("TEST_LEASE_S", lease.LEASE_S))  # type: ignore[misc]
    trainer.train = import_module(os.environ.get("TEST_TRAINER", "tests.scripted")).train
    trainer.gpu_fault = scripted.gpu_fault  # Ray is told of GPUs that are not there
    main.main()
