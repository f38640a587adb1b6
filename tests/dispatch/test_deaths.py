"""A machine whose memory runs low: Ray kills workers, and what it says is told."""

import re
from pathlib import Path

import pytest

from qpsearch.dispatch.deaths import node_lacked_memory
from qpsearch.protocol import Failed
from qpsearch.vocabulary import FailReason
from tests.cli.run import qpsearch
from tests.helpers import rows
from tests.scripted import Behaviour, space_text

TOLD = """1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 10.0.0.2, ID: c8fa) was {used}GB used / 24.00GB limit (0.95)
OOM kill reason: Memory usage exceeded threshold
Considered workers: [
Selected to kill: (Task: job ID=01, lease ID=02, task name=train, required resources={{CPU: 1}}, pid=4006, actual memory used={held}GB, worker ID=ba)
]"""
LOW = "the machine's memory ran low (22.8 of 24 GB in use), and Ray ended the worker, which held "
OTHERS = ". Other trials (fewer at once: --concurrent N) or other programs held the rest"


@pytest.mark.parametrize(
    ("told", "detail", "is_its_own"),
    [
        (TOLD.format(used="22.80", held="12.50"), f"{LOW}12.5 GB", True),
        (TOLD.format(used="22.80", held="3.00"), f"{LOW}3 GB{OTHERS}", False),
        ("Of another form,\nas a later Ray may have", "Of another form,", False),
    ],
    ids=["its own", "others", "not known"],
)
def test_who_held_the_memory_is_told(told: str, detail: str, is_its_own: bool) -> None:
    assert node_lacked_memory(told) == Failed(reason=FailReason.OUT_OF_MEMORY, detail=detail, in_step=is_its_own)


@pytest.mark.ray
def test_a_worker_that_ray_kills_for_its_memory_is_not_lost_without_a_word(tmp_path: Path) -> None:
    """Tune keeps that error as text alone. The limit is one that every machine has passed."""
    (tmp_path / "space.yaml").write_text(space_text(Behaviour.IMPROVES, trials=1))
    low = {"RAY_memory_usage_threshold": "0.001", "RAY_memory_monitor_refresh_ms": "50"}
    done = qpsearch(tmp_path, "run", "space.yaml", "--concurrent", "1", scripted=True, **low)
    assert re.search(rf"(?m)^ +{re.escape('the machine')}'s memory ran low \([\d.]+ of [\d.]+ GB in use\)", done.stdout)
    assert done.stdout.count("continues in another: the machine's memory ran low") == 2
    url = f"sqlite:///{tmp_path}/studies/qpsearch.db"
    assert rows(url, "SELECT ending, reason FROM qpsearch_attempts") == [
        ("lost", "out_of_memory"),
        ("lost", "out_of_memory"),
        ("failed", "out_of_memory"),
    ]
