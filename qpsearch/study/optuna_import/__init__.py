"""Importing the ended trials of a plain Optuna study, so that qpsearch can continue its search.

``foreign`` reads the study, ``matching`` says which of its names and values stand for those of the space, ``fitting``
finds the trials that fit the space, and ``writing`` makes the study of them.
"""

from qpsearch.study.optuna_import.fitting import Fit, fit
from qpsearch.study.optuna_import.foreign import Foreign, read_foreign
from qpsearch.study.optuna_import.matching import Matching
from qpsearch.study.optuna_import.writing import import_study

__all__ = ["Fit", "Foreign", "Matching", "fit", "import_study", "read_foreign"]
