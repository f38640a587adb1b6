"""Ray on this machine, without the programs of Ray that nothing here uses."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Final

from ray._private import node as ray_node
from ray.exceptions import RayError

REGISTERED_S: Final = 30.0
POLL_S: Final = 0.01


@contextlib.contextmanager
def lean() -> Iterator[None]:
    """Let a ``ray.init`` in the context start only what runs trials: the control store, the node and its two agents.

    Ray starts three more, each a Python program: the autoscaler's, which has no other node to start, the dashboard's,
    for which it waits even where it has nothing to serve, and one that hands the workers' output to a driver that does
    not want it. Then it looks once a second whether the node is there; here it finds the node at once.
    """
    usual = ray_node.Node
    ray_node.Node = _LeanNode
    try:
        yield
    finally:
        ray_node.Node = usual


class _LeanNode(ray_node.Node):  # type: ignore[misc]  # Ray does not type it
    def start_monitor(self) -> None: ...

    def start_log_monitor(self) -> None: ...

    def start_api_server(self, **_: Any) -> None:
        self._webui_url = ""

    def start_ray_processes(self) -> None:
        """Return when the node is registered; if it does not come, Ray says why."""
        super().start_ray_processes()
        control_store, give_up = self.get_gcs_client(), time.monotonic() + REGISTERED_S
        with contextlib.suppress(RayError):
            while not (control_store.get_all_node_info() or self.dead_processes() or time.monotonic() > give_up):
                time.sleep(POLL_S)
