"""A running Ray cluster of two nodes, joined with --address through the real command line."""

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray._private import node as ray_node
from ray._private import services
from ray.cluster_utils import Cluster

from qpsearch.dispatch import node, own_ray, sessions, tokens
from qpsearch.dispatch.cluster import connected
from qpsearch.dispatch.own_ray import OwnRay, begun, begun_early
from qpsearch.errors import DispatchError
from qpsearch.space.space import Resources
from tests.cli.run import ROOT
from tests.dispatch.study import records_of
from tests.helpers import rows
from tests.scripted import Behaviour, space_text

pytestmark = pytest.mark.ray

OWN = Resources(gpus=0, cpus=1, concurrent=None, report_timeout_s=None)


def below(pid: int | None = None) -> dict[str, psutil.Process]:
    """The processes that a process has started, and those have: by the last word of their command lines."""
    found = {}
    for each in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            words = " ".join(each.cmdline()).split()  # none for a moment, while a program is being started
            if words:
                found[each.name() if each.name() in ("raylet", "gcs_server") else words[-1]] = each
    return found


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
    states = [record.state for record in records_of(url)]
    assert (len(states), set(states)) == (6, {"COMPLETE", "PRUNED"})
    assert {row[0] for row in rows(url, "SELECT device FROM qpsearch_attempts")} <= {"cuda 0", "cuda 1"}
    session = Path(cluster.head_node.get_session_dir_path())
    files = [path for path in session.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_a_folder_whose_name_is_too_long_for_sockets_names_rays_own_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    with pytest.raises(DispatchError, match=r"AF_UNIX path length .* RAY_TMPDIR=/tmp"), connected(OWN, None, print):
        pass


def test_a_folder_that_cannot_be_written_is_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "file"))
    why = rf"\({tmp_path}/file/ray: its files cannot be written there: Not a directory\)\. Make room there, or"
    with pytest.raises(DispatchError, match=why), connected(OWN, None, print):
        pass


def test_sessions_of_ended_rays_are_removed_and_others_stay(tmp_path: Path) -> None:
    for name in ("session_ended", "session_lives", "session_of_rays_own"):
        (tmp_path / name / "logs").mkdir(parents=True)
    os.close(sessions.hold(tmp_path / "session_ended"))
    lock = sessions.hold(tmp_path / "session_lives")
    (tmp_path / "session_latest").symlink_to("session_ended")
    sessions.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"session_lives", "session_of_rays_own", "session_latest"}
    os.close(lock)


def test_a_ray_that_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("raise ImportError('a broken ray')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    why = r"cannot be started on this machine \(ImportError: a broken ray\)"
    with pytest.raises(DispatchError, match=why), connected(OWN, None, print):
        pass


def test_workers_of_a_ray_of_our_own_do_not_know_the_database_and_yield(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPSEARCH_STORAGE", "postgresql+psycopg://user:secret@host/db")
    before = dict(os.environ)
    with connected(OWN, None, print):
        session = Path(ray._private.worker.global_worker.node.get_session_dir_path())
        seen = ray.get(ray.remote(num_cpus=0)(lambda: dict(os.environ)).remote())
        sessions.sweep(session.parent)
    assert (session / sessions.LOCK).exists()  # until the next one comes
    assert not [name for name, value in seen.items() if "secret@host" in value]
    assert seen["OMP_WAIT_POLICY"] == "PASSIVE"  # threads that wait leave their core to others
    assert seen["GOMP_SPINCOUNT"] == "1000"  # soon
    by_ray = {"PYTHONBREAKPOINT", "RAY_CLIENT_MODE"}
    assert {name: value for name, value in os.environ.items() if name not in by_ray - set(before)} == before


def test_a_ray_of_our_own_starts_only_what_runs_trials_and_one_worker_that_loads_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three more programs of Ray's would take 1.4 s of CPU while the first workers start."""
    monkeypatch.delenv("RAY_preload_python_modules")
    with connected(OWN, None, print):
        started = below()
        rays = {"gcs_server", "raylet", "ray::DashboardAgent", "ray::RuntimeEnvAgent", "ray::IDLE"}
        assert set(started) == {"qpsearch.dispatch.node"} | rays
        worker = ray.remote(_Asked).remote()
        assert ray.get(worker.pid.remote()) == started["ray::IDLE"].pid
        assert ray.get(worker.loaded.remote()) == (True, True, False)
        assert ray.get(worker.threads.remote()) == {"OMP_NUM_THREADS": "1", "openblas": 1}  # the first is Ray's
    assert not psutil.wait_procs(list(started.values()), timeout=20)[1]


@pytest.mark.parametrize(("mode", "is_refused"), [("disabled", True), ("token", False)])
def test_a_process_that_sends_a_token_does_not_join_a_cluster_without(
    monkeypatch: pytest.MonkeyPatch, mode: str, is_refused: bool
) -> None:
    """All trials would fail there, as if their workers were lost."""
    monkeypatch.setenv(tokens.MODE, mode)
    other = OwnRay()
    try:
        address = other.address()
        monkeypatch.delenv(tokens.MODE)
        monkeypatch.setattr(tokens, "_begun", threading.Event())
        with tokens.token_sent():
            assert os.environ[tokens.MODE] == "token"
        assert tokens.is_sent()
        if not is_refused:
            tokens.check_token(address)
            return
        with pytest.raises(DispatchError, match="does not ask for a token"), connected(OWN, address, print):
            pass
    finally:
        other.end()


class _Asked:
    """An actor that says what its process has loaded."""

    def pid(self) -> int:
        return os.getpid()

    def loaded(self) -> tuple[bool, bool, bool]:
        """Whether torch and Ray Tune are loaded, and whether torch has touched a GPU."""
        return "torch" in sys.modules, "ray.tune" in sys.modules, sys.modules["torch"].cuda.is_initialized()

    def threads(self) -> dict[str, object]:
        import threadpoolctl

        pools = {pool["internal_api"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
        return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"), "openblas": pools["openblas"]}


def test_no_worker_is_started_ahead_that_would_lack_the_users_modules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QPSEARCH_IMPORT", "json")
    with connected(OWN, None, print):
        assert "raylet" in below()
        assert "ray::IDLE" not in below()


@pytest.mark.parametrize(("given", "wanted"), [(None, "0"), ("1", "1")])
def test_what_the_user_says_of_workers_ahead_is_kept(
    monkeypatch: pytest.MonkeyPatch, given: str | None, wanted: str
) -> None:
    """Also with ``--import``."""
    monkeypatch.setenv("QPSEARCH_IMPORT", "json")
    monkeypatch.delenv("RAY_enable_worker_prestart", raising=False)
    if given is not None:
        monkeypatch.setenv("RAY_enable_worker_prestart", given)
    monkeypatch.setattr(own_ray.subprocess, "Popen", lambda command, env, **rest: env)
    own: Any = OwnRay()
    own._errors.close()
    assert own._process["RAY_enable_worker_prestart"] == wanted


def test_rays_start_of_a_process_is_restored_where_ray_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = services.start_ray_process

    def fails(self: ray_node.Node) -> None:
        assert services.start_ray_process is not usual
        raise NotImplementedError

    monkeypatch.setattr(ray_node.Node, "start_ray_processes", fails)
    with pytest.raises(NotImplementedError):
        node._LeanNode.start_ray_processes(object.__new__(node._LeanNode))
    assert services.start_ray_process is usual


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_the_death_of_a_program_of_rays_is_told(name: str) -> None:
    """Ray ends its driver without a word to the user, after up to a minute."""
    own, told = OwnRay(), queue.SimpleQueue[str]()
    own.address()
    own.watch(told.put)
    below()[name].kill()
    assert told.get(timeout=20) == {"raylet": "node", "gcs_server": "control store"}[name]
    own.end()
    assert told.empty()


def test_a_ray_of_our_own_ends_with_its_driver() -> None:
    """Also when that is killed, and while Ray is still starting."""
    code = "from qpsearch.dispatch.own_ray import OwnRay; own = OwnRay(); print(own.address()); input()"
    for wait in (True, False):
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as driver:
            assert driver.stdout is not None
            if wait:
                assert b":" in driver.stdout.readline()
            else:
                while "qpsearch.dispatch.node" not in below(driver.pid):
                    time.sleep(0.01)
            started = below(driver.pid)
            driver.kill()
        assert "qpsearch.dispatch.node" in started
        assert ("raylet" in started) == wait
        assert not psutil.wait_procs(list(started.values()), timeout=30)[1]


def test_a_ray_that_was_begun_early_is_taken_once_or_ends() -> None:
    with begun_early(wanted=True):
        with begun_early(wanted=True):  # the same one
            first = begun()
        assert first.address()
        second = begun()
        first.end()
        second.end()
    with begun_early(wanted=True):
        while (left := below().get("qpsearch.dispatch.node")) is None:
            time.sleep(0.01)
    left.wait(timeout=20)
    with begun_early(wanted=False):
        assert "qpsearch.dispatch.node" not in below()
