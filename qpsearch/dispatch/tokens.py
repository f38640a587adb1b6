"""The token that a Ray cluster asks for, or does not.

Ray settles once in a process whether it sends a token, whatever is set later. A process that sends one can join a
cluster that does not ask for it, but no worker there can answer: every trial would fail as ``worker_lost``.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Final

from ray._private.authentication.authentication_utils import is_token_auth_enabled
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]  # not in its list of types

from qpsearch.dispatch.environment import held
from qpsearch.errors import DispatchError
from qpsearch.vocabulary import Variable

MODE: Final = "RAY_AUTH_MODE"
ASK_S: Final = 30.0
OPEN: Final = "open"

# Asks a cluster for something without a token; one that wants a token refuses.
ASKS: Final = f"""
import sys
from ray._private.services import canonicalize_bootstrap_address_or_die
from ray._raylet import GcsClient
GcsClient(address=canonicalize_bootstrap_address_or_die(sys.argv[1])).check_alive([], {ASK_S / 2})
print({OPEN!r})
"""

_begun = Event()  # set when this process begins to send a token, though the user did not ask for it


@contextmanager
def token_sent() -> Iterator[None]:
    """Send the token that a Ray on this machine asks for, unless the user does without; for an address Ray does not."""
    if MODE in os.environ:
        yield
        return
    with held({MODE: "token"}):
        Config.initialize("")  # Ray has read its settings already
        _begun.set()
        yield


def is_sent() -> bool:
    """Whether this process has begun to send a token by itself, and so has to go on."""
    return _begun.is_set()


def check_token(address: str) -> None:
    """Refuse a cluster that does not ask for a token, if this process sends one.

    Args:
        address: ``auto``, or ``host:port`` of a running cluster.

    Raises:
        DispatchError: Its workers could not answer.
    """
    why = _why_sent(address)
    if why and _is_open(address):
        raise DispatchError(
            f"--address {address}: this cluster does not ask for a token, and this process sends one ({why}): "
            f"no worker there could answer it. Join it in a new process, after export {MODE}=disabled."
        )


def _why_sent(address: str) -> str:
    """Say why this process sends a token to an address; empty if it does not."""
    if _begun.is_set():
        return "since it had a Ray of its own"
    if is_token_auth_enabled():
        return f"{MODE}=token"
    is_found = address == "auto" and MODE not in os.environ  # Ray looks for one then
    found = is_found and AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True)
    return "Ray has found one" if found else ""


def _is_open(address: str) -> bool:
    """Whether a cluster answers a process that does not send a token; False, too, where it cannot be asked."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", ASKS, address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=ASK_S,
            env=Variable.for_child() | {MODE: "disabled"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip().endswith(OPEN)
