"""Loading what the check of an ANOVA needs in another process, while the trials are read and fitted."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Final

from qpsearch.dispatch.meanwhile import helped

FOREST: Final = "sklearn.ensemble"  # takes longer to load than a forest to grow
CHECK: Final = "qpsearch.analysis.anova.check"


@contextmanager
def checked_meanwhile() -> Iterator[None]:
    """Have another process check the ANOVAs that are fitted within; a process that can do so at once does it itself."""
    if FOREST in sys.modules:
        yield
        return
    with helped(f"{__name__}:{load.__name__}"):
        yield


def load() -> None:
    """Load scikit-learn without pandas, which it loads where it can and does not need for arrays; and the check."""
    sys.modules["pandas"] = None  # type: ignore[assignment]  # None stands for a module that cannot be loaded
    import_module(FOREST)
    del sys.modules["pandas"]
    import_module(CHECK)
