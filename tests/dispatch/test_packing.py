"""``gpus: auto``: shares follow from what the heaviest network took, which ``test_tune.py`` measures."""

from types import SimpleNamespace

import pytest

from qpsearch.architecture.cost import cost
from qpsearch.dispatch import packing
from qpsearch.dispatch.cluster import Cluster
from qpsearch.dispatch.packing import Peak, heaviest, trials_a_gpu
from qpsearch.dispatch.worker import WorkerSetup
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


GIB_4 = Peak(4 * GIB, 80 * GIB)


@pytest.mark.parametrize(
    ("nodes", "most", "slots", "count"),
    [
        ([(4, 1), (60, 0)], None, 4, 4),  # cores of a node without a GPU do not help
        ([(4, 1), (64, 1)], None, 12, 8),  # each node by itself
        ([(16, 2), (16, 2)], None, 32, 8),
        ([(16, 2), (16, 2)], 5, 5, 8),
        ([(1, 2)], None, 1, 1),
    ],
)
def test_what_is_said_of_unlike_nodes_is_what_fits(
    monkeypatch: pytest.MonkeyPatch, nodes: list[tuple[int, int]], most: int | None, slots: int, count: int
) -> None:
    resources = [{"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus} for cpus, gpus in nodes]
    task = SimpleNamespace(remote=lambda *given: "answer")
    monkeypatch.setattr(
        packing,
        "ray",
        SimpleNamespace(
            remote=lambda **options: lambda measure: task,
            wait=lambda tasks, timeout: (tasks, []),
            get=lambda answer: GIB_4,
            nodes=lambda: [{"Alive": True, "Resources": each} for each in resources],
            cluster_resources=lambda: {kind: sum(each.get(kind, 0) for each in resources) for kind in ("CPU", "GPU")},
        ),
    )
    setup = WorkerSetup(
        trainer=scripted.train, checkpoints="", data_folder=None, device="cuda", threads=1, report_timeout_s=None
    )
    whole = Cluster(cpus=1, gpus=1, slots=sum(min(node) for node in nodes), nodes=len(nodes), most=most)
    found, said = packing.pack(whole, parse_space(space_text(Behaviour.IMPROVES)), setup, lambda *given: GIB_4)
    assert (found.slots, found.gpus) == (slots, 1 / count)
    assert f"{count} trial" in said


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
