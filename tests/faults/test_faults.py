"""The short form of the fault suite; ``python -m tests.faults`` is the full one.

Left to the full form is what other tests do to a ledger or a driver: databases moved and replaced (tests/study/test_vanished.py),
copies (tests/study/test_owner.py), frozen workers (tests/dispatch/test_contract.py), drivers killed one by one
(tests/dispatch/test_kill.py) or told to end (tests/dispatch/test_interrupt.py); and the control store, for which Ray waits a
minute (that it is said: tests/dispatch/test_cluster.py).
"""

import random

import pytest

from tests.faults import world as world_module
from tests.faults.run import torment
from tests.faults.worlds import (
    EATEN,
    World,
    cluster_world,
    disks_world,
    inline_world,
    promotion_world,
    server_world,
    tune_world,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
SEED = 1  # of the moments; what trials do is drawn anew


@pytest.fixture(autouse=True)
def _short_studies(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(world_module, "TRIALS", 6 if request.node.get_closest_marker("ray") else 8)


def go(world: World, *kinds: str) -> None:
    outcome = torment(world, [*reversed(kinds)], random.Random(SEED), per_study=len(kinds))
    assert sum(len(study.kinds) for study in outcome.studies) == len(kinds)


def test_one_driver_inline() -> None:
    torn = "kill -9 of a worker that writes a checkpoint"
    damaged = "newest checkpoint damaged, kill -9"
    go(inline_world(), torn, EATEN, "database removed", damaged, "kill -9 of all drivers, two resumes at once")


def test_kills_in_the_middle_of_promotions() -> None:
    both = "kill -9 of driver and worker after the hand-out of a promoted trial"
    go(promotion_world(), "kill -9 of worker after a pause", both)


@pytest.mark.ray
def test_one_driver_on_ray() -> None:
    go(tune_world(), "kill -9 of the driver's raylet")


def test_two_drivers_on_a_server_that_goes_away() -> None:
    with server_world(2.0, 2.0) as world:
        go(world, "PostgreSQL read-only for 2 s", "connections broken", "clock jumps", "PostgreSQL down for 2 s")


def test_a_full_disk() -> None:
    with disks_world() as world:
        go(world, "disk of the checkpoints full", "disk of the database full")


@pytest.mark.ray
def test_a_cluster_that_loses_nodes() -> None:
    with cluster_world() as world:
        go(world, "kill -9 of a Ray node")
