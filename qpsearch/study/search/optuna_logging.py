"""Silencing Optuna, which announces every study that it makes, even internal ones, and warns of experimental parts."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import optuna
from optuna.exceptions import ExperimentalWarning

_FILTERS: Final = threading.Lock()  # of warnings: they are global


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Show only Optuna's warnings and errors; restore its log level at the end."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)


@contextmanager
def experimental_on_purpose() -> Iterator[None]:
    """Silence Optuna's warning about experimental arguments, one thread at a time."""
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
