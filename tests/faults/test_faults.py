"""The short form of the fault suite, for every run of the tests; ``python -m tests.faults`` is the full one."""

import random

import pytest

from tests.faults.run import torment
from tests.faults.worlds import World, cluster_world, disk_world, server_world, simple_worlds, small_disk
from tests.postgres import Postgres

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


def go(world: World, count: int) -> None:
    seed = random.SystemRandom().randrange(10_000)
    print("seed", seed)
    outcome = torment(world, count, random.Random(seed), per_study=count)
    assert len(outcome.injections) == count


@pytest.mark.parametrize("index", [0, pytest.param(1, marks=pytest.mark.ray)], ids=["inline", "tune"])
def test_one_machine(index: int) -> None:
    world = simple_worlds()[index]
    go(world, len(world.actions))


def test_two_drivers_on_a_server_that_goes_away(postgres: Postgres) -> None:
    world = server_world(postgres, 3.0)
    go(world, len(world.actions))


def test_a_full_disk() -> None:
    with small_disk() as disk:
        go(disk_world(disk), 1)


@pytest.mark.ray
def test_a_cluster_that_loses_nodes() -> None:
    with cluster_world() as world:
        go(world, 2)
