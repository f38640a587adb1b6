"""Entry of the ``qpsearch`` command: runs the command; errors become one message and an exit code."""

import errno
import gc
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from signal import SIGINT, pthread_kill
from threading import Timer, main_thread
from typing import TYPE_CHECKING, Final

from qpsearch.display.plain import is_left, say
from qpsearch.errors import QpsearchError, SpaceError, UserError, remember
from qpsearch.vocabulary import PluginGroup, Variable

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED: Final = 130
AGAIN_S: Final = 0.05
STDERR: Final = 2
FULL: Final = (errno.ENOSPC, errno.EDQUOT)  # the disk, or the user's share of it
PROGRAM: Final = "qpsearch"
COLLECTED: Final = 100_000  # new objects after which memory is looked through


def main() -> None:
    """Run the command line; exit 0 done, 1 the run failed, 2 your file or flag, 130 interrupted."""
    _open_closed_streams()
    sys.unraisablehook = _interrupt_again
    gc.set_threshold(COLLECTED)  # what is loaded stays: looking through it after every 700 objects takes long
    try:
        words = sys.argv[1:] = _without_imports(sys.argv[1:])
        if Variable.COMPLETE.given is not None:
            from qpsearch.cli.app import make_app
            from qpsearch.cli.completion import asked_command

            make_app(asked_command())(prog_name=PROGRAM)
        if Variable.IMPORT.given is not None or not entry_points().groups.isdisjoint(PluginGroup):
            from qpsearch.architecture.plugins import load_everything

            load_everything()
        if words[:2] == ["space", "check"] and len(words) == 3 and not words[2].startswith("-"):
            from qpsearch.cli.check import check  # editors run it at every save; loading typer takes equally long

            check(words[2])
        else:
            from qpsearch.cli.app import make_app

            make_app(words[0] if words else None)(prog_name=PROGRAM)
    except QpsearchError as error:
        place = "" if isinstance(error, SpaceError) else "qpsearch: "  # FILE:LINE:COLUMN comes first, for editors
        say(f"{place}{error}", out=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        if not is_left(sys.stdout):
            raise  # of something else that a command talks to
        sys.stderr.close()  # `qpsearch trials | head` is not an error
        sys.exit(0)
    except OSError as error:
        if error.errno not in FULL:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would fail again at the end
        say(f"qpsearch: {error.strerror}. Make room, and give the command again.", out=sys.stderr)
        sys.exit(1)
    finally:
        gc.freeze()  # the process ends: looking for what could be freed took it half a second with 5,000 trials


def _open_closed_streams() -> None:
    """Let a command run whose streams the shell has closed (``>&-``); a database must not take the number of one."""
    while (free := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(free)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode))


def _interrupt_again(lost: "UnraisableHookArgs") -> None:
    """Repeat a Ctrl-C that came while Python called something that cannot raise, and would be lost."""
    if lost.exc_type is KeyboardInterrupt:
        Timer(AGAIN_S, pthread_kill, (main_thread().ident, SIGINT)).start()
    else:
        sys.__unraisablehook__(lost)


def _without_imports(words: list[str]) -> list[str]:
    """Remove ``--import MODULE`` from the words, wherever it stands; workers read the modules from QPSEARCH_IMPORT."""
    rest: list[str] = []
    modules: list[str] = []
    given = iter(words)
    for word in given:
        name, _, value = word.partition("=")
        if name != "--import":
            rest.append(word)
            continue
        value = value or next(given, "")
        if not value:
            raise UserError("--import: names no module. Expected --import MODULE, or a file such as ./blocks.py.")
        path = Path(value)
        if path.suffix == ".py" and path.stem.isidentifier() and not path.is_file():
            raise UserError(f"--import {value}: there is no file {path.absolute()}. Expected one such as ./blocks.py.")
        modules.append(value)
    remember("--import", *modules)
    if modules:
        os.environ[Variable.IMPORT] = ",".join(filter(None, [Variable.IMPORT.given, *modules]))
    return rest


if __name__ == "__main__":
    main()
