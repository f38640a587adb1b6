"""A Ray on this machine for one driver: ``python -m qpsearch.dispatch.node``, started by ``qpsearch.dispatch.own_ray``.

It ends when its standard input does, and so with its driver, however that ends. It says what its driver must know in
lines of JSON: ``{"address": "host:port"}``, or ``{"fault": "..."}`` where Ray cannot be started, and
``{"died": "node"}`` when one of Ray's programs has ended by itself.
"""

import json
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ray._common.utils import get_default_ray_temp_dir
from ray._private import node as ray_node
from ray._private import services
from ray._private.authentication import authentication_token_setup as token
from ray._private.parameter import RayParams
from ray._private.resource_isolation_config import ResourceIsolationConfig
from ray.exceptions import RayError

from qpsearch.dispatch.environment import own_cores, ray_switches
from qpsearch.dispatch.sessions import check_room, hold, sweep
from qpsearch.errors import first_line

REGISTERED_S: Final = 30.0
POLL_S: Final = 0.01
WATCH_S: Final = 0.5
PROGRAMS: Final = {"raylet": "node", "gcs_server": "control store"}  # of Ray; without one of them nothing runs

# Workers start, and load, before they are asked for; a value that the user sets is kept.
AHEAD: Final = {"RAY_enable_worker_prestart": "1", "RAY_preload_python_modules": "qpsearch.dispatch.preloaded"}
WORKERS_AHEAD: Final = 1  # of all; the driver loads meanwhile, and does not know yet how many it needs


def serve(driver: int, say: Callable[..., None]) -> None:
    """Start Ray, say where it is, and end it when the driver's end of a pipe is closed."""
    if _is_over(driver):  # a space file with an error is read while Ray is imported
        return
    folder = Path(get_default_ray_temp_dir())
    try:
        check_room(folder)
        node = _started()
    except Exception as error:  # of whatever kind: the driver says why
        say(fault=first_line(error))
        return
    try:
        say(address=node.gcs_address)
        with suppress(OSError):  # then its folder stays for ever, as of any other Ray
            hold(Path(node.get_session_dir_path()))
            threading.Thread(target=sweep, args=(folder,), daemon=True).start()  # the driver is watched meanwhile
        is_told = False
        while not _is_over(driver, within_s=WATCH_S):
            dead = [PROGRAMS[program] for program, _ in node.dead_processes() if program in PROGRAMS]
            if dead and not is_told:
                say(died=dead[0])
                is_told = True
    finally:
        node.kill_all_processes(check_alive=False, allow_graceful=True)


def _is_over(driver: int, within_s: float = 0.0) -> bool:
    return bool(select.select([driver], [], [], within_s)[0])


def _started() -> ray_node.Node:
    """Start Ray as ``ray.init`` does, which would also make this process one of its drivers."""
    os.environ.update(ray_switches() | {name: value for name, value in AHEAD.items() if name not in os.environ})
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    token.enable_token_auth_by_default()
    token.ensure_token_if_auth_enabled(None, create_token_if_missing=True)
    settings = RayParams(
        num_cpus=own_cores(),
        include_dashboard=False,
        resource_isolation_config=ResourceIsolationConfig(),
    )
    return _LeanNode(settings, head=True, shutdown_at_exit=False, ray_init_cluster=True)


class _LeanNode(ray_node.Node):  # type: ignore[misc]  # Ray does not type it
    """Starts only what runs trials: the control store, the node, its two agents, and one worker.

    Ray starts three more, each a Python program: the autoscaler's, which has no other node to start, the dashboard's,
    for which it waits even where it has nothing to serve, and one that hands the workers' output to a driver that does
    not want it. Of workers it starts one for each core ahead, or none.
    """

    def start_monitor(self) -> None: ...

    def start_log_monitor(self) -> None: ...

    def start_api_server(self, **_: Any) -> None:
        self._webui_url = ""

    def start_ray_processes(self) -> None:
        """Return when the node is registered, for which Ray looks once a second; if it does not come, Ray says why."""
        usual = services.start_ray_process
        services.start_ray_process = _with_few_workers(usual)
        try:
            super().start_ray_processes()
        finally:
            services.start_ray_process = usual
        control_store, give_up = self.get_gcs_client(), time.monotonic() + REGISTERED_S
        try:
            while not (control_store.get_all_node_info() or self.dead_processes() or time.monotonic() > give_up):
                time.sleep(POLL_S)
        except RayError:
            return


def _with_few_workers(start: Callable[..., Any]) -> Callable[..., Any]:
    option = "--num_prestart_python_workers="

    def started(command: list[str], *rest: Any, **named: Any) -> Any:
        words = [f"{option}{WORKERS_AHEAD}" if word.startswith(option) else word for word in command]
        return start(words, *rest, **named)

    return started


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Ray prints is no answer
    serve(sys.stdin.fileno(), lambda **message: print(json.dumps(message), file=answers, flush=True))
