"""Work that another process does meanwhile.

Loading scikit-learn takes longer than growing a forest. A command that will need one says so when it begins, by
``prepared``: another process loads it while the trials are read, and looks for doubts while they are fitted.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import import_module
from threading import Lock, Thread
from typing import Any, Final, Generic, ParamSpec, TypeVar

from qpsearch.vocabulary import Variable

P = ParamSpec("P")
T = TypeVar("T")

MODULES: Final = ("sklearn.ensemble", "qpsearch.analysis.anova.check")  # what takes long to load


class _Helper:
    """A process that calls functions, one after the other."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", __name__]  # -P: a ./random.py must not stand in for Python's own
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_plain()
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


_helper: ContextVar[_Helper | None] = ContextVar("_helper", default=None)


@contextmanager
def prepared() -> Iterator[None]:
    """Have another process do what is begun within; it is ended with the block."""
    if MODULES[0] in sys.modules:  # a process that has loaded it does the work itself
        yield
        return
    try:
        helper = _Helper()
    except OSError:  # no process or memory is left
        yield
        return
    before = _helper.set(helper)
    try:
        yield
    finally:
        _helper.reset(before)
        helper.end()


class Later(Generic[T]):
    """What a function returns: called by another process meanwhile where one is prepared, else here when it is needed.

    Args:
        function: The function, of a module; it must depend on its arguments alone.
        arguments: Its arguments, which can be pickled.
    """

    def __init__(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> None:
        self._task, self._helper = (function, arguments, named), _helper.get()
        self._number = self._helper.send(self._task) if self._helper is not None else 0

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


def _plain() -> dict[str, str]:
    """Return the environment without the address of a database, which the work does not need."""
    return {name: value for name, value in os.environ.items() if name != Variable.STORAGE}


def _serve() -> None:
    """Call the functions that another process sends, until it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a package prints while it is loaded is no answer
    sys.modules["pandas"] = None  # type: ignore[assignment]  # scikit-learn loads it where it can; arrays do without
    for module in MODULES:
        import_module(module)
    del sys.modules["pandas"]
    while True:
        try:
            number, *task = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump((number, _called(*task)), answers)
        answers.flush()


if __name__ == "__main__":
    _serve()
