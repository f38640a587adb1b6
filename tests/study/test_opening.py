"""Resuming a study: who may, when, and with which settings."""

import importlib.metadata
import json
import os
import subprocess
import sys
import threading

import psutil
import pytest

from qpsearch.errors import StudyBusy, Superseded
from qpsearch.space import Space
from qpsearch.space.search import Budget
from qpsearch.study import opening, queries
from qpsearch.study.drivers import lease
from qpsearch.study.drivers.clock import Clock
from qpsearch.study.drivers.lease import Driver, Lease
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage.database import Database
from qpsearch.study.trials.events import Event, TakenOver
from tests.helpers import abandon, new_ledger, progress, resumed_ledger, rows, train_all


def test_a_study_whose_driver_lives_is_not_taken(url: str, space: Space) -> None:
    """Neither its trials nor its lease: a second driver works beside it."""
    with new_ledger(url, space) as ledger:
        first = ledger.ask()
        assert first is not None
        with resumed_ledger(url) as second:
            assert [f"process {os.getpid()}" in str(driver) for driver in second_drivers(url)] == [True, True]
            other = second.ask()
            assert other is not None
            assert (first.trial, other.trial, other.attempt) == (0, 1, 1)
        assert ledger.report(first.trial, first.attempt, progress(1, 0.5))


def second_drivers(url: str) -> tuple[str, ...]:
    database = Database.open(url)
    drivers = queries.summary(database, "scripted").drivers
    database.close()
    return drivers


def test_the_orphans_of_a_dead_driver_are_found_at_once(url: str, space: Space) -> None:
    """Optuna's heartbeats do not work with ask and tell; 0 of 2 orphans were found."""
    ledger = new_ledger(url, space)
    orphans = [ledger.ask() for _ in range(2)]
    assert all(orphans)
    abandon(ledger)
    with resumed_ledger(url) as second:
        again = [second.ask() for _ in range(3)]
        assert [(a.trial, a.attempt) for a in again if a] == [(0, 2), (1, 2), (2, 1)]
    query = "SELECT ending FROM qpsearch_attempts WHERE number = 1 AND trial_id < 3"
    assert rows(url, query) == [("lost",), ("lost",)]
    states = rows(url, "SELECT state FROM qpsearch_leases ORDER BY lease_id")
    assert [row[0] for row in states] == ["superseded", "released"]


def test_a_larger_budget_is_taken_and_kept(url: str, space: Space) -> None:
    with new_ledger(url, space) as ledger:
        while (assignment := ledger.ask()) is not None:
            train_all(ledger, assignment)
    with resumed_ledger(url, asked=8) as ledger:
        assert not ledger.finished
        assert [ledger.ask().trial for _ in range(2)] == [6, 7]  # type: ignore[union-attr]
        assert ledger.ask() is None
    with resumed_ledger(url) as ledger:
        assert ledger.budget.trials == 8


def test_drivers_that_resume_at_once_share_the_study_and_no_trial_twice(url: str, space: Space) -> None:
    ledger = new_ledger(url, space)
    ledger.ask()
    abandon(ledger)
    got: list[tuple[int, int]] = []
    barrier = threading.Barrier(6)

    def take() -> None:
        database = Database.create(url)
        barrier.wait()
        with Ledger(opening.resume(database, "scripted")) as own:
            barrier.wait()  # all have joined
            while (assignment := own.ask()) is not None:
                got.append((assignment.trial, assignment.attempt))
            barrier.wait()  # else the others would take what this one leaves

    threads = [threading.Thread(target=take) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(got) == [(0, 2), *((trial, 1) for trial in range(1, 6))]
    assert rows(url, "SELECT * FROM qpsearch_leases WHERE state = 'held'") == []


def held(driver: Driver) -> Lease:
    return Lease(lease_id=1, driver=driver, beat=0, steps=None)


def test_a_lease_expires_with_its_process() -> None:
    here = Driver.this()
    assert held(here).expired_on(here) is False
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    other = Driver(host=here.host, boot=here.boot, pid=process.pid, process_started=lease._started(process.pid))
    assert held(other).expired_on(here) is False
    process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert held(other).expired_on(here) is True  # dead, though nobody has reaped it yet
    process.communicate()
    assert held(other).expired_on(here) is True


def test_a_later_process_with_the_same_number_is_another_driver() -> None:
    here = Driver.this()
    assert held(
        Driver(host=here.host, boot=here.boot, pid=here.pid, process_started=here.process_started - 60)
    ).expired_on(here)


def test_another_boot_of_this_host_is_gone_but_another_host_or_container_can_only_be_watched() -> None:
    here = Driver.this()

    def on(host: str, boot: str) -> bool | None:
        return held(Driver(host=host, boot=boot, pid=here.pid, process_started=here.process_started)).expired_on(here)

    machine, boot, _ = here.boot.split()
    assert on(here.host, f"{machine} an-earlier-boot pid:[1]") is (None if machine == "-" else True)
    assert on("elsewhere", here.boot) is None
    assert on(here.host, f"{machine} {boot} pid:[1]") is None
    assert on(here.host, f"another-machine-of-that-name {boot}x pid:[1]") is None


class Hands:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(("beats", "gone"), [([5], True), ([5, 5, 5, 6], False), ([5, 5, None], True)])
def test_a_driver_elsewhere_is_judged_by_its_counter(beats: list[int | None], gone: bool) -> None:
    clock, told, left = Hands(), [], list(beats)

    def beat() -> int | None:
        return left.pop(0) if len(left) > 1 else left[0]

    assert (
        lease.wait_until_silent(
            beat, lease_s=60, clock=Clock(monotonic=clock.monotonic, sleep=clock.sleep), tell=told.append
        )
        is gone
    )
    assert told[0] == 60
    assert clock.now >= 60 or beats[-1] != 5


def elsewhere(ledger: Ledger) -> None:
    """Leave a ledger as the driver of another host does, whose process nobody can look at from here."""
    ledger._database.write(lambda c: c.exec_driver_sql("UPDATE qpsearch_leases SET host = 'elsewhere'"))
    ledger._database.close()


def test_a_dead_driver_elsewhere_is_waited_for(url: str, space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite before the study is opened, on a server meanwhile: new trials come first."""
    ledger = new_ledger(url, space)
    ledger.ask()
    elsewhere(ledger)
    monkeypatch.setattr(lease, "LEASE_S", 0.4)
    monkeypatch.setattr("qpsearch.study.ledger.LOOK_S", 0.05)
    told: list[float] = []
    seen: list[Event] = []
    opened = opening.resume(Database.create(url), "scripted", wait=told.append)
    with Ledger(opened, seen.append) as second:
        got = []
        while not second.finished or second.running:
            if (assignment := second.ask()) is not None:
                got.append((assignment.trial, assignment.attempt))
                train_all(second, assignment)
    assert bool(told) is url.startswith("sqlite")
    first_of = {trial: min(attempt for number, attempt in got if number == trial) for trial, _ in got}
    assert first_of == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}
    assert len(set(got)) == len(got)
    assert [event.trials for event in seen if isinstance(event, TakenOver)] == ([] if told else [1])


def test_take_over_waits_for_nobody_and_the_other_stops_without_writing(url: str, space: Space) -> None:
    first = new_ledger(url, space)
    with pytest.raises(Superseded), first:
        old = first.ask()
        assert old is not None
        with resumed_ledger(url, take_over=True) as second:
            new = second.ask()
            assert new is not None
            assert (new.trial, new.attempt) == (old.trial, 2)
            second.report(0, 2, progress(1, 0.5))
        before = rows(url, "SELECT * FROM qpsearch_epochs"), rows(url, "SELECT revision FROM qpsearch_studies")
        first.report(0, 1, progress(1, 0.9))
    assert before == (rows(url, "SELECT * FROM qpsearch_epochs"), rows(url, "SELECT revision FROM qpsearch_studies"))
    assert rows(url, "SELECT state FROM qpsearch_leases ORDER BY lease_id") == [("superseded",), ("released",)]


def test_a_living_driver_elsewhere_keeps_an_sqlite_file(
    sqlite_url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = new_ledger(sqlite_url, space)
    ledger._database.write(lambda c: c.exec_driver_sql("UPDATE qpsearch_leases SET host = 'elsewhere'"))
    monkeypatch.setattr(lease, "LEASE_S", 0.6)
    with ledger:
        database = Database.create(sqlite_url)
        with pytest.raises(StudyBusy, match=r"on elsewhere\. An SQLite file cannot be shared between hosts"):
            opening.resume(database, "scripted")
        database.close()


def test_the_heartbeat_moves_the_counter_while_the_driver_waits(
    url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 0.2)
    with new_ledger(url, space):
        stop = threading.Event()
        for _ in range(100):
            if rows(url, "SELECT beat FROM qpsearch_leases")[0][0] >= 3:
                break
            stop.wait(0.1)
        assert rows(url, "SELECT beat FROM qpsearch_leases")[0][0] >= 3


def test_resuming_needs_the_database_alone(url: str, space: Space) -> None:
    """Without Ray's folder Tune's restore left zombies, and counted the budget from zero."""
    ledger = new_ledger(url, space)
    for _ in range(2):
        assignment = ledger.ask()
        assert assignment is not None
        train_all(ledger, assignment)
    open_one = ledger.ask()
    assert open_one is not None
    ledger.report(open_one.trial, open_one.attempt, progress(1, 0.5, checkpoint="r0-a1-e001.pt"))
    abandon(ledger)  # neither Ray's files nor a checkpoint file exist here
    with resumed_ledger(url) as second:
        while (assignment := second.ask()) is not None:
            train_all(second, assignment)
        assert second.finished
    database = Database.open(url)
    found = [(record.state, record.epochs) for record in queries.trial_records(database, "scripted")]
    assert set(found) == {("COMPLETE", 4), ("PRUNED", 3)}
    assert len(found) == 6
    database.close()


def test_the_study_remembers_its_space_its_seed_and_its_machine(url: str, space: Space) -> None:
    changed = space.with_search(study="renamed", budget=Budget(trials=3, seconds=60.0), seed=9)
    with new_ledger(url, changed):
        pass
    database = Database.open(url)
    stored = queries.space_of(database, "renamed")
    assert (stored.study, stored.search.budget, stored.search.seed) == ("renamed", changed.search.budget, 9)
    assert stored.fingerprint == changed.fingerprint
    (environment,) = rows(url, "SELECT environment_json FROM qpsearch_studies")[0]
    assert all(f'"{package}"' in environment for package in ("optuna", "ray", "torch", "python", "cores"))
    database.close()


def test_a_study_is_made_where_ray_is_not_installed(url: str, space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package == "ray":
            raise importlib.metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    with new_ledger(url, space):
        pass
    (environment,) = rows(url, "SELECT environment_json FROM qpsearch_studies")[0]
    packages = {"qpsearch", "python", "optuna", "torch", "torchvision", "numpy", "sqlalchemy"}
    assert set(json.loads(environment)["versions"]) == packages
