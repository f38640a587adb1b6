"""The start of the command line, as ``qpsearch`` and as ``python -m qpsearch``."""

import os
import signal
import sys
from typing import Final

INTERRUPTED: Final = 130  # the exit code after Ctrl-C, as in ``cli.main``, which is not loaded yet


def start() -> None:
    """Run the command line; Ctrl-C while it is loaded ends it in silence, as later."""
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a process in the background ignores it
    if is_heard:
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(INTERRUPTED))
    from qpsearch.cli.main import main

    try:
        if is_heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
    except KeyboardInterrupt:  # before main listens to it
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        sys.path.append(sys.path.pop(0))  # the current folder: a ./torch.py there must not stand in for torch
    start()
