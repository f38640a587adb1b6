"""A running Ray cluster of two nodes, joined with --address through the real command line."""

import os
import queue
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

from qpsearch.dispatch.cluster import connected, watched
from qpsearch.errors import DispatchError
from qpsearch.space.space import Resources
from tests.cli.run import ROOT
from tests.dispatch.study import records_of
from tests.helpers import rows
from tests.scripted import Behaviour, space_text

pytestmark = pytest.mark.ray


@pytest.fixture(params=[True, False], ids=["installed", "not-installed"])
def equipped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bool:
    """Whether the nodes can import what workers need: here a trainer's module, elsewhere qpsearch itself."""
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(ROOT / "tests" / "scripted.py", own / "own_trainer.py")
    if request.param:
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{own}")
    return bool(request.param)


@pytest.fixture
def cluster(equipped: bool) -> Iterator[Cluster]:
    """Two nodes on this machine that declare two cores and two GPUs each."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "num_gpus": 2, "include_dashboard": False})
    made.add_node(num_cpus=2, num_gpus=2)
    yield made
    made.shutdown()


def test_address_joins_a_cluster_and_leaves_no_secret_there(cluster: Cluster, equipped: bool, tmp_path: Path) -> None:
    """A storage URL lay in a file of Ray's; here it is on the command line too.

    Where workers cannot even start, the sweep stops with that message and no trial pays for it.
    """
    secret = "folder-with-a-secret-name"
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.SLOW, trials=6, epochs=4))
    url = f"sqlite:///{tmp_path}/{secret}.db"
    arguments = ["run", "s.yaml", "--address", cluster.address, "--gpus", "1", "--storage", url]
    done = subprocess.run(
        [sys.executable, "-m", "tests.driver", *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path / 'own'}", "TEST_TRAINER": "own_trainer"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    if not equipped:
        assert done.returncode == 2
        assert (
            "a worker cannot start: ModuleNotFoundError: No module named 'own_trainer'. Is qpsearch installed"
            in done.stderr
        )
        assert {record.state for record in records_of(url)} == {"RUNNING"}
        return
    assert done.returncode == 0, done.stderr
    assert "4 at once on 2 nodes, 1 core and 1 GPU each" in done.stdout
    assert [record.state for record in records_of(url)] == ["COMPLETE"] * 6
    assert {row[0] for row in rows(url, "SELECT device FROM qpsearch_attempts")} <= {"cuda 0", "cuda 1"}
    session = Path(cluster.head_node.get_session_dir_path())
    files = [path for path in session.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_a_folder_whose_name_is_too_long_for_sockets_names_rays_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: object) -> None:
        raise OSError("validate_socket_filename failed: AF_UNIX path length cannot exceed 107 bytes: '/long/...'")

    monkeypatch.setattr("qpsearch.dispatch.cluster.ray.init", fail)
    own = Resources(gpus=None, cpus=1, concurrent=None, report_timeout_s=None)
    with pytest.raises(DispatchError, match="RAY_TMPDIR=/tmp"), connected(own, None):
        pass


def test_workers_of_a_ray_of_our_own_do_not_know_the_database_and_yield(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPSEARCH_STORAGE", "postgresql+psycopg://user:secret@host/db")
    own = Resources(gpus=0, cpus=1, concurrent=None, report_timeout_s=None)
    with connected(own, None):
        seen = ray.get(ray.remote(num_cpus=0)(lambda: dict(os.environ)).remote())
    assert not [name for name, value in seen.items() if "secret@host" in value]
    assert os.environ["QPSEARCH_STORAGE"].startswith("postgresql")
    assert seen["OMP_WAIT_POLICY"] == "PASSIVE"  # threads that wait leave their core to others
    assert seen["GOMP_SPINCOUNT"] == "1000"  # soon
    assert "OMP_WAIT_POLICY" not in os.environ


def test_a_ray_of_our_own_starts_only_what_runs_trials() -> None:
    """Three more programs of Ray's would take 1.4 s of CPU while the first workers start."""
    before = set(psutil.Process().children())
    own = Resources(gpus=0, cpus=1, concurrent=None, report_timeout_s=None)
    with connected(own, None):
        started = set(psutil.Process().children()) - before
        assert sorted(program.name() for program in started) == ["gcs_server", "raylet"]
        (node,) = (program for program in started if program.name() == "raylet")
        agents = {" ".join(program.cmdline()).strip() for program in node.children()}
        assert {agent for agent in agents if "Agent" in agent} == {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}
        assert ray.get(ray.remote(lambda: 1).remote()) == 1
    assert not psutil.wait_procs(started, timeout=20)[1]


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_the_death_of_a_program_of_rays_is_told(tmp_path: Path, name: str) -> None:
    """Ray ends its driver without a word to the user, after up to a minute."""
    shutil.copy("/bin/sleep", tmp_path / name)
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    with subprocess.Popen([tmp_path / name, "100"]) as program, watched("s", told.put):
        program.kill()
        text = told.get(timeout=20)
        assert text.startswith({"raylet": "Ray's node has died", "gcs_server": "Ray's control store has died"}[name])
        assert text.endswith("continue: qpsearch resume s")
    assert told.empty()
