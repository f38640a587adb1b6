"""Work that other processes of this machine do meanwhile.

A command that will need something that takes long to load says so when it begins: a helper loads it while the command
does something else, and is then given work that depends on its arguments alone. Where a helper cannot be had, or ends,
the work is done by the process that asked.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import import_module
from itertools import cycle
from threading import Lock, Thread
from typing import Any, Generic, ParamSpec, TypeVar

from qpsearch.vocabulary import Variable

P = ParamSpec("P")
T = TypeVar("T")


class _Helper:
    """A process that calls functions, one after the other.

    Args:
        loads: What it loads first: ``MODULE``, or ``MODULE:FUNCTION`` to call a function of it, too.
    """

    def __init__(self, loads: Sequence[str]) -> None:
        # -P: a ./random.py must not stand in for Python's own
        command = [sys.executable, "-P", "-m", __name__, *loads]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=Variable.for_child(),
        )
        self._sent, self._answers, self._writing = 0, dict[int, Any](), Lock()

    def send(self, task: tuple[Any, ...]) -> int:
        """Have a function called with its arguments; return the number of its answer."""
        self._sent += 1
        # A process that is still loading does not read: who sends must not wait for it.
        Thread(target=self._write, args=(pickle.dumps((self._sent, *task)),), daemon=True).start()
        return self._sent

    def _write(self, task: bytes) -> None:
        assert self._process.stdin is not None
        with self._writing, suppress(OSError, ValueError):  # it has ended: who waits for its answer sees that
            self._process.stdin.write(task)
            self._process.stdin.flush()

    def answer(self, number: int) -> Any:
        """Return an answer; raises some error where the process has ended, whatever became of it."""
        assert self._process.stdout is not None
        while number not in self._answers:
            of, answer = pickle.load(self._process.stdout)
            self._answers[of] = answer
        return self._answers.pop(number)

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()


_turns: ContextVar[Iterator[_Helper | None] | None] = ContextVar("_turns", default=None)


@contextmanager
def helped(*loads: str, helpers: int = 1, shares: bool = False) -> Iterator[None]:
    """Have other processes do, in turn, what is begun within; they are ended with the block.

    Args:
        loads: What each helper loads first: ``MODULE``, or ``MODULE:FUNCTION`` to call a function of it, too.
        helpers: How many there are.
        shares: Whether this process takes its turn, too.
    """
    there: list[_Helper] = []
    with suppress(OSError):  # no process or memory is left
        there += (_Helper(loads) for _ in range(helpers))
    before = _turns.set(cycle([*there, *([None] if shares or not there else [])]))
    try:
        yield
    finally:
        _turns.reset(before)
        for helper in there:
            helper.end()


class Later(Generic[T]):
    """What a function returns: called by a helper meanwhile where there is one, else here when it is needed.

    Args:
        function: The function, of a module; it must depend on its arguments alone.
        arguments: Its arguments, which can be pickled.
    """

    def __init__(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> None:
        self._task = (function, arguments, named)
        turns = _turns.get()
        self._helper = None if turns is None else next(turns)
        self._number = 0 if self._helper is None else self._helper.send(self._task)

    @property
    def is_here(self) -> bool:
        """Whether this process does the work."""
        return self._helper is None

    def result(self) -> T:
        """Return it. To be asked once."""
        if self._helper is not None:
            try:
                found: T = self._helper.answer(self._number)
            except Exception:  # whatever became of the process, the work can be done here
                return _called(*self._task)
            return found
        return _called(*self._task)


def _called(function: Callable[..., T], arguments: tuple[Any, ...], named: dict[str, Any]) -> T:
    return function(*arguments, **named)


def _serve(loads: Sequence[str]) -> None:
    """Call the functions that another process sends, until it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a package prints while it is loaded is no answer
    for each in loads:
        module, _, function = each.partition(":")
        loaded = import_module(module)
        if function:
            getattr(loaded, function)()
    while True:
        try:
            number, *task = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump((number, _called(*task)), answers)
        answers.flush()


if __name__ == "__main__":
    _serve(sys.argv[1:])
