"""What workers need not know: the URL of the study database, which may hold a password."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from qpsearch.vocabulary import Variable


@contextmanager
def without_storage() -> Iterator[None]:
    """Start processes that do not inherit the variable which names the database."""
    given = os.environ.pop(Variable.STORAGE, None)
    try:
        yield
    finally:
        if given is not None:
            os.environ[Variable.STORAGE] = given
