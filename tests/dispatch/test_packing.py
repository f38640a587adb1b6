"""``gpus: auto``: shares follow from what the heaviest network took, which ``test_tune.py`` measures."""

import pytest

from qpsearch.architecture.cost import cost
from qpsearch.dispatch.packing import Peak, heaviest, trials_a_gpu
from qpsearch.space import parse_space
from qpsearch.training.memory import memory_fraction
from tests.scripted import Behaviour, space_text

GIB = 2**30


@pytest.mark.parametrize(
    ("used", "total", "cores", "cpus", "count"),
    [
        (10, 80, 16, 1, 6),  # 80 / (12.5 + 0.6)
        (10, 80, 16, 4, 4),  # cores are fewer
        (60, 80, 16, 1, 1),
        (90, 80, 16, 1, 1),
        (0.1, 80, 64, 1, 8),
        (1, 8, 1, 2, 1),
    ],
)
def test_memory_and_cores_bound_the_trials_on_a_gpu(
    used: float, total: float, cores: float, cpus: int, count: int
) -> None:
    assert trials_a_gpu(Peak(int(used * GIB), int(total * GIB)), cores, cpus) == count


def test_shares_leave_room_for_what_a_process_takes_beside_its_tensors() -> None:
    assert memory_fraction(1.0, 80 * GIB) == 1.0
    assert 2 * memory_fraction(0.5, 8 * GIB) * 8 * GIB == pytest.approx(8 * GIB - 2 * 600 * 2**20)
    assert memory_fraction(0.01, GIB) > 0


def test_the_heaviest_network_of_the_sample_is_measured() -> None:
    space = parse_space(space_text(Behaviour.IMPROVES).replace("depth: {int: [1, 3]}", "depth: {int: [1, 60]}"))
    found = heaviest(space)
    assert found.network.stages[0].depth > 50
    assert cost(found.network).activation_bytes > 0
    assert heaviest(space) == found
