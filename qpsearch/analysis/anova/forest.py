"""A forest's forecast of each trial, by the trees that have not seen it.

Loading scikit-learn takes longer than growing the forest. A command that will need one says so when it begins, by
``prepared``: another process loads it while the trials are read, and grows the forest while they are fitted.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from qpsearch.vocabulary import Variable

if TYPE_CHECKING:  # numpy takes a tenth of a second, which the other process need not wait for
    import numpy as np
    from numpy.typing import NDArray

TREES: Final = 100
LEAF: Final = 2  # trials in a leaf, at least

_helper: ContextVar[subprocess.Popen[bytes] | None] = ContextVar("_helper", default=None)


@contextmanager
def prepared() -> Iterator[None]:
    """Have another process grow the forests that are asked for within; it is ended with the block."""
    if "sklearn.ensemble" in sys.modules:  # a process that has loaded it grows them itself
        yield
        return
    command = [sys.executable, "-P", "-m", __name__]  # -P: a ./random.py must not stand in for Python's own
    try:
        helper = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_plain()
        )
    except OSError:  # no process or memory is left
        yield
        return
    before = _helper.set(helper)
    try:
        yield
    finally:
        _helper.reset(before)
        helper.kill()
        helper.communicate()  # waits, and closes the pipes


class Forest:
    """A forest of regression trees, which grows while other work is done where a process is prepared.

    Args:
        columns: Of the trials, (trials, columns).
        values: Their values, (trials,).
        seed: Of the forest.
    """

    def __init__(self, columns: "NDArray[np.float64]", values: "NDArray[np.float64]", seed: int) -> None:
        self._task, self._helper = (columns, values, seed), _helper.get()
        if self._helper is not None and self._helper.stdin is not None:
            try:
                pickle.dump(self._task, self._helper.stdin)
                self._helper.stdin.flush()
            except OSError:  # it has ended: short of memory, say
                self._helper = None

    def forecasts(self) -> "NDArray[np.float64]":
        """Return the mean forecast of each trial by the trees that were grown without it, (trials,)."""
        if self._helper is not None and self._helper.stdout is not None:
            try:
                found: NDArray[np.float64] = pickle.load(self._helper.stdout)
            except Exception:  # whatever became of it, the forest can grow here
                return _grown(*self._task)
            return found
        return _grown(*self._task)


def _grown(columns: "NDArray[np.float64]", values: "NDArray[np.float64]", seed: int) -> "NDArray[np.float64]":
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor  # only where it is grown

    forest = RandomForestRegressor(TREES, oob_score=True, min_samples_leaf=LEAF, random_state=seed)
    return np.asarray(forest.fit(columns, values).oob_prediction_)


def _plain() -> dict[str, str]:
    """Return the environment without the address of a database, which a forest does not need."""
    return {name: value for name, value in os.environ.items() if name != Variable.STORAGE}


def _serve() -> None:
    """Grow the forests that another process asks for, until it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a package prints while it is loaded is no answer
    import sklearn.ensemble  # noqa: F401 (ahead of the first task)

    while True:
        try:
            task = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(_grown(*task), answers)
        answers.flush()


if __name__ == "__main__":
    _serve()
