"""``gpus: auto``: shares follow from what the heaviest network took."""

import pytest

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import cost
from qpsearch.dispatch import packing
from qpsearch.dispatch.cluster import Cluster
from qpsearch.dispatch.packing import Peak, heaviest, pack, trials_a_gpu
from qpsearch.dispatch.worker import WorkerSetup
from qpsearch.errors import OutOfMemory
from qpsearch.protocol import RunSettings
from qpsearch.space import parse_space
from qpsearch.training.memory import memory_fraction
from tests import scripted
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


def ten_of_eighty(config: TrialConfig, run: RunSettings) -> Peak:
    assert run.device == "cuda"
    return Peak(10 * GIB, 80 * GIB)


def does_not_fit(config: TrialConfig, run: RunSettings) -> Peak:
    raise OutOfMemory("CUDA out of memory")


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(("measure", "slots", "share"), [(ten_of_eighty, 8, 0.5), (does_not_fit, 4, 1.0)])
def test_a_study_is_packed_by_what_was_measured_on_a_gpu(measure: packing.Measure, slots: int, share: float) -> None:
    """The Ray of the tests declares four GPUs and eight cores: two cores a GPU bound the rest."""
    setup = WorkerSetup(
        trainer=scripted.train,
        checkpoints="none",
        data_folder=None,
        device="cuda",
        threads=1,
        report_timeout_s=None,
    )
    whole = Cluster(cpus=1, gpus=1, slots=4, nodes=1)
    packed, said = pack(whole, parse_space(space_text(Behaviour.IMPROVES)), setup, measure)
    assert (packed.slots, packed.gpus) == (slots, share)
    assert ("10.0 of 80 GiB: 2 trials per GPU" in said) is (share == 0.5)
    assert ("CUDA out of memory" in said) is (share == 1.0)
