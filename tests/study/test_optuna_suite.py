"""Optuna's own storage suite, on Optuna's storage over a database that has our tables and triggers beside its own.

We do not subclass Optuna's storages or samplers, but our tables and triggers must not disturb its storage.
"""

import gc
import warnings
from collections.abc import Iterator

import pytest
from optuna.storages import RDBStorage
from optuna.testing.pytest_storages import StorageTestCase

from tests.helpers import release


class TestOptunasStorageBesideOurTables(StorageTestCase):
    @pytest.fixture
    def storage(self, url: str) -> Iterator[RDBStorage]:
        made = RDBStorage(url)
        gc.freeze()  # the collection below looks at this test's objects alone
        yield made
        release(made)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # the suite copies storages and closes none of them
            gc.collect()
        gc.unfreeze()
