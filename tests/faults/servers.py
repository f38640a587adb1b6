"""What is done to the servers that a study needs: PostgreSQL, and the Ray that a driver has started for itself."""

import random
import time

import psutil

from tests.faults.world import Action, Study
from tests.postgres import Postgres

RAY_ENDS_S = 150.0  # Ray asks for a control store that is gone for a minute, then ends the driver


def kill_ray(*names: str) -> Action:
    """kill -9 of programs of the Ray that a driver has started for itself: the driver says so, and ends with it."""

    def action(study: Study, generator: random.Random) -> int:
        process = generator.choice(study.processes)
        running, said = study.running(process.pid), len(study.output())
        killed = [child for child in psutil.Process(process.pid).children(recursive=True) if child.name() in names]
        for child in killed:
            child.kill()
        assert killed
        process.wait(timeout=RAY_ENDS_S)
        if process.returncode != 0:  # else the study was over
            assert study.output()[said:].count("continue: qpsearch resume scripted") == 1, study.output()[said:]
        return max(len(running), len(study.running(process.pid)))

    return action


def stop_database(server: Postgres, seconds: float) -> Action:
    """Take the server down as a crash does, for so many seconds."""

    def action(study: Study, generator: random.Random) -> int:
        server.stop()
        time.sleep(seconds)
        server.start()
        return 0

    return action


def forbid_writing(server: Postgres, seconds: float) -> Action:
    """Let nobody write for so many seconds, as while another server takes over."""

    def read_only(word: str) -> None:
        server.execute(f"ALTER SYSTEM SET default_transaction_read_only = {word}")
        server.execute("SELECT pg_reload_conf()")

    def action(study: Study, generator: random.Random) -> int:
        study.wait_for_drivers()
        said = len(study.output())
        read_only("on")
        try:
            begun = study.epochs_begun()
            time.sleep(seconds)
            assert study.epochs_begun() - begun <= 2 * study.drivers, "the server was written to"
        finally:
            read_only("off")
        assert {process.poll() for process in study.processes} <= {None, 0}, study.output()[said:]
        return 0

    return action


def break_connections(server: Postgres) -> Action:
    """End every connection in the middle of whatever it does."""

    def action(study: Study, generator: random.Random) -> int:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        for _ in range(5):
            server.execute(query)
            time.sleep(generator.uniform(0, 0.3))
        return 0

    return action
