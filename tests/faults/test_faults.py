"""The short form of the fault suite: a few kinds, drawn anew each time; ``python -m tests.faults`` is the full one."""

import random

import pytest

from tests.faults import world as world_module
from tests.faults.run import torment
from tests.faults.worlds import World, cluster_world, disk_world, inline_world, server_world, tune_world

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def _short_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "TRIALS", 14)


def go(world: World, count: int) -> None:
    seed = random.SystemRandom().randrange(10_000)
    print("seed", seed)
    outcome = torment(world, count, random.Random(seed), per_study=count)
    assert len(outcome.injections) == count


def test_one_driver_inline() -> None:
    go(inline_world(), 4)


@pytest.mark.ray
def test_one_driver_on_ray() -> None:
    go(tune_world(), 3)


def test_two_drivers_on_a_server_that_goes_away() -> None:
    with server_world(3.0) as world:
        go(world, 5)


def test_a_full_disk() -> None:
    with disk_world() as world:
        go(world, 1)


@pytest.mark.ray
def test_a_cluster_that_loses_nodes() -> None:
    with cluster_world() as world:
        go(world, 2)
