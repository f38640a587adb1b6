"""What only Ray can show: several at once, GPUs, and files that do not hold secrets."""

import os
import shutil
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import optuna
import pytest
import ray
from ray.exceptions import TaskCancelledError
from ray.tune.execution import class_cache
from ray.tune.experiment import Trial

from qpsearch.architecture.config import TrialConfig
from qpsearch.dispatch import cluster, packing, tune
from qpsearch.dispatch.interrupt import Interrupt
from qpsearch.dispatch.worker import WorkerSetup
from qpsearch.errors import DispatchError, OutOfMemory
from qpsearch.protocol import EpochReport, RunSettings
from qpsearch.runner import trainer as real
from qpsearch.space import parse_space
from qpsearch.space.space import Resources
from qpsearch.study.ledger import Ledger
from qpsearch.study.search.replica import Replica
from qpsearch.vocabulary import Fuse
from tests import scripted
from tests.dispatch.study import dispatch, run_study
from tests.helpers import new_ledger, rows
from tests.scripted import Behaviour, space_text

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


def overlapping(url: str) -> list[set[str]]:
    """For each moment at which a trial reported: the devices of the trials that were running then."""
    spans = rows(
        url,
        "SELECT a.device, min(e.reported), max(e.reported) FROM qpsearch_attempts a JOIN qpsearch_epochs e USING (trial_id) GROUP BY trial_id",
    )
    return [{f"{device}/{begin}" for device, begin, end in spans if begin <= moment <= end} for _, moment, _ in spans]


def together(config: TrialConfig, run: RunSettings, folder: str, count: int) -> Iterator[EpochReport]:
    """Train when ``count`` trials are there: workers take seconds to start, one after another.

    Each writes down the runtime environment of its worker, for one of whose own Ray would start the worker twice.
    """
    there = Path(folder)
    there.mkdir(exist_ok=True)
    (there / str(run.seed)).write_text(str(ray.get_runtime_context().runtime_env))
    deadline = time.monotonic() + 100
    while len(list(there.iterdir())) < count:
        assert time.monotonic() < deadline, f"{len(list(there.iterdir()))} of {count} trials run at once"
        time.sleep(0.05)
    for epoch in range(1, config.recipe.epochs + 1):
        time.sleep(0.3)
        yield EpochReport(epoch=epoch, train_loss=1, val_loss=1, val_accuracy=0.5)


def test_fractional_gpus_pack_trials_each_on_its_own_device(sqlite_url: str, tmp_path: Path) -> None:
    """Without a limit a searcher runs one trial at a time."""
    share, at_once = 0.5, 4
    text = space_text(Behaviour.IMPROVES, trials=at_once, epochs=12, pruner="none")
    size = cluster._size(
        Resources(gpus=share, cpus=1, concurrent=None, report_timeout_s=None), ray.cluster_resources(), ray.nodes()
    )
    assert (size.slots, size.device) == (at_once, "cuda")
    trainer = partial(together, folder=str(tmp_path / "there"), count=at_once)
    found = run_study("tune", sqlite_url, text, slots=size.slots, gpus=share, trainer=trainer)
    assert [record.state for record in found] == ["COMPLETE"] * at_once
    assert max(len(moment) for moment in overlapping(sqlite_url)) == at_once
    assert [file.read_text() for file in (tmp_path / "there").iterdir()] == ["{}"] * at_once
    devices = [row[0] for row in rows(sqlite_url, "SELECT device FROM qpsearch_attempts")]
    assert set(devices) == {"cuda 0", "cuda 1"}
    for moment in overlapping(sqlite_url):
        names = sorted(name.split("/")[0] for name in moment)
        assert max(names.count(name) for name in names) <= round(1 / share)


class SlowSecond:
    """Takes five seconds to be read by each worker but the first, as if libraries were loaded there."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        own = Path(self._folder) / str(os.getpid())
        if list(Path(self._folder).iterdir()):
            own.touch()
            time.sleep(5)
        own.touch()


def at_once(config: TrialConfig, run: RunSettings, read: SlowSecond) -> Iterator[EpochReport]:
    for epoch in range(1, config.recipe.epochs + 1):
        time.sleep(0.1)
        yield EpochReport(epoch=epoch, train_loss=1, val_loss=1, val_accuracy=0.5)


def test_a_worker_that_loads_is_not_killed_for_one_that_has_ended_its_trial(sqlite_url: str, tmp_path: Path) -> None:
    """Tune gave the waiting trial to the free worker, killed the loading one, and started a third."""
    (folder := tmp_path / "workers").mkdir()
    text = space_text(Behaviour.IMPROVES, trials=30, epochs=2, pruner="none")
    found = run_study("tune", sqlite_url, text, slots=2, trainer=partial(at_once, read=SlowSecond(str(folder))))
    assert [record.state for record in found] == ["COMPLETE"] * 30
    assert len(list(folder.iterdir())) == 2


def test_a_driver_without_a_trial_gives_its_workers_back(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It kept two cores while it waited for trials of another driver, which waited for these cores."""
    free, whole = list[float](), ray.cluster_resources()["CPU"]
    finished = cast("property", Ledger.finished).fget
    assert finished is not None

    def once_cores_are_free(ledger: Ledger) -> bool:
        if not finished(ledger):
            return False
        free.append(ray.available_resources().get("CPU", 0.0))
        return free[-1] == whole or len(free) > 40  # it is asked each second

    monkeypatch.setattr(Ledger, "finished", property(once_cores_are_free))
    found = run_study("tune", sqlite_url, space_text(Behaviour.IMPROVES, trials=4, epochs=2, pruner="none"))
    assert [record.state for record in found] == ["COMPLETE"] * 4
    assert (free[0] < whole, free[-1]) == (True, whole)


def test_time_in_which_a_driver_did_not_listen_is_not_silence(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that was away for longer than the timeout, or a driver that was stopped, failed healthy trials."""
    now, killed = [0.0], list[object]()
    monkeypatch.setattr("qpsearch.dispatch.tune.time.monotonic", lambda: now[0])
    monkeypatch.setattr(ray, "kill", killed.append)
    setup = WorkerSetup(
        trainer=scripted.train, checkpoints="", data_folder=None, device="cpu", threads=1, report_timeout_s=10.0
    )
    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES))) as ledger:
        bridge = tune._Bridge(ledger, Interrupt(), setup, is_ahead=False)
        trial = SimpleNamespace(trial_id="a", status="RUNNING", temporary_state=SimpleNamespace(ray_actor="its worker"))
        bridge.trials["a"] = cast("Trial", trial)
        for _ in range(5):
            bridge.end_frozen()
            now[0] += 1000.0  # the database was away
        assert killed == []
        bridge.silent.clear()  # it has reported
        bridge.end_frozen()
        for _ in range(40):
            now[0] += 1.9
            bridge.end_frozen()
        assert killed == ["its worker"]


def test_who_stops_does_not_wait_for_trials_that_wait_for_their_cores(sqlite_url: str) -> None:
    setup = WorkerSetup(
        trainer=scripted.train, checkpoints="", data_folder=None, device="cpu", threads=1, report_timeout_s=None
    )
    with new_ledger(sqlite_url, parse_space(space_text(Behaviour.IMPROVES))) as ledger:
        interrupt = Interrupt()
        bridge = tune._Bridge(ledger, interrupt, setup, is_ahead=False)
        stop, trial = (
            tune._Stop(bridge),
            SimpleNamespace(status="RUNNING", temporary_state=SimpleNamespace(ray_actor=None)),
        )
        bridge.trials["a"] = cast("Trial", trial)
        assert not stop.stop_all()
        interrupt.request()
        assert not stop.stop_all()  # it finishes its epoch
        trial.status = "PENDING"
        assert stop.stop_all()
        assert bridge.trials == {}


def ten_of_eighty(config: TrialConfig, run: RunSettings) -> packing.Peak:
    assert run.device == "cuda"
    return packing.Peak(10 * 2**30, 80 * 2**30)


def does_not_fit(config: TrialConfig, run: RunSettings) -> packing.Peak:
    raise OutOfMemory("CUDA out of memory")


@pytest.mark.parametrize(
    ("measure", "seeds", "slots", "share", "said"),
    [
        (ten_of_eighty, 1, 4, 0.5, "10.0 of 80 GiB: 2 trials per GPU"),
        (ten_of_eighty, 4, 2, 1.0, "10.0 of 80 GiB, 4 seeds as one network 40.0: 1 trial per GPU"),
        (does_not_fit, 1, 2, 1.0, "CUDA out of memory"),
    ],
)
def test_a_study_is_packed_by_what_was_measured_on_a_gpu(
    measure: packing.Measure, seeds: int, slots: int, share: float, said: str
) -> None:
    """The Ray of the tests declares two GPUs and four cores: two cores a GPU bound the rest."""
    setup = WorkerSetup(
        trainer=scripted.train,
        checkpoints="none",
        data_folder=None,
        device="cuda",
        threads=1,
        report_timeout_s=None,
        runs_trainer=partial(real.train_runs, fuse=Fuse.ALWAYS),
    )
    whole = cluster.Cluster(cpus=1, gpus=1, slots=2, nodes=1)
    space = parse_space(space_text(Behaviour.IMPROVES, replicates=seeds, pruner="none"))
    packed, told = packing.pack(whole, space, setup, measure)
    assert (packed.slots, packed.gpus) == (slots, share)
    assert said in told


class Holder:
    """An actor that holds GPUs."""

    def is_there(self) -> bool:
        return True


def test_a_gpu_that_is_busy_is_not_asked_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The forgotten question took the GPU of a trial."""
    monkeypatch.setattr(cluster, "GPU_S", 0.3)
    wait, asked = ray.wait, list[Any]()
    monkeypatch.setattr(ray, "wait", lambda tasks, **named: asked.extend(tasks) or wait(tasks, **named))
    holder = ray.remote(num_gpus=2, num_cpus=0)(Holder).remote()
    assert ray.get(holder.is_there.remote())
    assert cluster.Cluster(cpus=1, gpus=1, slots=2, nodes=1).ask_gpu(lambda: None) is None
    ray.kill(holder)
    with pytest.raises(TaskCancelledError):
        ray.get(asked)


def test_a_study_on_cpus_sees_no_gpu(sqlite_url: str) -> None:
    """An actor with num_gpus=0 may see every GPU. What the study sets for Tune does not stay."""
    before = dict(os.environ), dict(class_cache.DEFAULT_ENV_VARS), set(class_cache.ENV_VARS_TO_PROPAGATE)
    run_study("tune", sqlite_url, space_text(Behaviour.IMPROVES, trials=2))
    assert {row[0] for row in rows(sqlite_url, "SELECT device FROM qpsearch_attempts")} == {"cpu"}
    assert before[1]
    assert (dict(os.environ), class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE) == before


def test_no_file_of_rays_holds_the_storage_url(tmp_path: Path, local_ray: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage URL held by the searcher lay in tuner.pkl in 4 of 4 runs."""
    secret = "folder-with-a-secret-name"
    url = f"sqlite:///{tmp_path}/{secret}.db"
    kept = tmp_path / "kept"
    remove = shutil.rmtree

    def keep(path: str, **options: bool) -> None:
        if Path(path).exists():
            shutil.copytree(path, kept)
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", keep)
    ledger = new_ledger(url, parse_space(space_text(Behaviour.IMPROVES, trials=3)))
    with ledger:
        dispatch("tune", ledger)
    files = [path for folder in (kept, Path(local_ray)) for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "tuner.pkl" for path in files)
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


def resources(**changes: object) -> Resources:
    return Resources(**({"gpus": None, "cpus": 1, "concurrent": None, "report_timeout_s": None} | changes))  # type: ignore[arg-type]


def node(cpus: float, gpus: float = 0) -> dict[str, object]:
    return {"Alive": True, "Resources": {"CPU": cpus, "GPU": gpus}}


@pytest.mark.parametrize(
    ("asked", "nodes", "slots", "gpus"),
    [
        (resources(), [node(2)], 2, 0),
        (resources(cpus=2), [node(3), node(5)], 3, 0),
        (resources(), [node(16, 4)], 4, 1),
        (resources(gpus=0.5), [node(16, 4)], 8, 0.5),
        (resources(gpus=0.3), [node(16, 2)], 6, 0.3),
        (resources(gpus=2), [node(16, 3), node(16, 2)], 2, 2),
        (resources(gpus=0), [node(4, 4)], 4, 0),
        (resources(concurrent=3), [node(8)], 3, 0),
        (resources(concurrent=30), [node(8)], 8, 0),
    ],
)
def test_the_default_concurrency_fits_the_machine(
    asked: Resources, nodes: list[dict[str, object]], slots: int, gpus: float
) -> None:
    total = {kind: sum(n["Resources"][kind] for n in nodes) for kind in ("CPU", "GPU")}  # type: ignore[index]
    found = cluster._size(asked, total, nodes)
    assert (found.slots, found.gpus) == (slots, gpus)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (resources(cpus=9), "9 cores and 0 GPUs"),
        (resources(gpus=1), "1 GPUs"),
        (resources(gpus=1.5), "a number above 1 must be whole"),
    ],
)
def test_asking_for_more_than_there_is_says_what_there_is(asked: Resources, message: str) -> None:
    with pytest.raises(DispatchError, match=message):
        cluster._size(asked, {"CPU": 8}, [node(8)])


def test_attempts_follow_one_another_in_their_slots(sqlite_url: str) -> None:
    run_study("tune", sqlite_url, space_text(Behaviour.SLOW, trials=4, epochs=2), slots=1)
    spans = rows(sqlite_url, "SELECT began, ended FROM qpsearch_attempts ORDER BY began")
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_reports_are_taken_while_the_next_trial_is_drawn(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that takes three seconds holds up no running trial: nothing but its own trial waits for it."""
    real = Replica.ask

    def slow(self: Replica, *given: Any) -> optuna.Trial:
        time.sleep(3.0)
        return real(self, *given)

    monkeypatch.setattr(Replica, "ask", slow)
    found = run_study("tune", sqlite_url, space_text(Behaviour.SLOW, trials=3, epochs=12, pruner="none"))
    assert [record.state for record in found] == ["COMPLETE"] * 3
    reported = rows(sqlite_url, "SELECT trial_id, reported FROM qpsearch_epochs ORDER BY trial_id, epoch")
    gaps = [after[1] - before[1] for before, after in pairwise(reported) if before[0] == after[0]]
    assert max(gaps) < 2.0
