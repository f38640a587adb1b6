"""A study database as Optuna's dashboard shows it: with named objectives, and facts of each trial as user attributes.

Nothing of this is written: the dashboard reads through this storage.
"""

import contextlib
import copy
from collections.abc import Container
from functools import lru_cache
from typing import Any, Final

from optuna.storages import RDBStorage
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import select

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.cost import cost
from qpsearch.errors import QpsearchError
from qpsearch.study.drivers.stored import stored_space
from qpsearch.study.queries.trials import trial_records
from qpsearch.study.records import TrialRecord
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.optuna_tables import METRIC_NAMES
from qpsearch.study.storage.tables import studies, study_facts

KEPT: Final = 10_000  # configurations whose costs are remembered


class ShownStorage(RDBStorage):
    """Optuna's storage, whose studies and trials say more where qpsearch made them."""

    shown: Database

    @classmethod
    def of(cls, database: Database) -> "ShownStorage":
        """Return the storage of a database."""
        storage = database.optuna_storage(cls)
        assert isinstance(storage, cls)
        storage.shown = database
        return storage

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return all studies, with the names of their objectives."""
        found = super().get_all_studies()
        for study in found:
            if METRIC_NAMES not in study.system_attrs:
                study.system_attrs |= self._metric_names(study.study_name)
        return found

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return a study's attributes, with the names of its objectives."""
        found = super().get_study_system_attrs(study_id)
        return found if METRIC_NAMES in found else found | self._metric_names(self.get_study_name_from_id(study_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return a study's trials, those of qpsearch with what it knows about them."""
        found = super().get_all_trials(study_id, deepcopy, states)
        try:
            records = {each.number: each for each in trial_records(self.shown, self.get_study_name_from_id(study_id))}
        except QpsearchError:  # not qpsearch's, or damaged: Optuna's own part is shown
            return found
        return [_with_facts(trial, records.get(trial.number)) for trial in found]

    def _metric_names(self, name: str) -> dict[str, list[str]]:
        """Return what a study of qpsearch lacks that was made before the names were stored."""
        own = select(study_facts).join(studies, studies.c.study_id == study_facts.c.study_id)
        facts = self.shown.read(lambda c: c.execute(own.where(studies.c.study_name == name)).one_or_none())
        if facts is None:
            return {}
        try:
            return {METRIC_NAMES: [each.metric.value for each in stored_space(facts, name).search.objectives]}
        except QpsearchError:  # a custom block that is not imported here, say
            return {}


def _with_facts(trial: FrozenTrial, record: TrialRecord | None) -> FrozenTrial:
    if record is None:
        return trial
    shown = copy.copy(trial)
    shown.user_attrs = trial.user_attrs | facts_of_trial(record)
    return shown


def facts_of_trial(record: TrialRecord) -> dict[str, Any]:
    """Return what the dashboard shows of a trial beside what Optuna knows, by the words of the table's columns."""
    found: dict[str, Any] = {"blocks": " / ".join(record.stages), "seeds": ", ".join(map(str, record.seeds))}
    with contextlib.suppress(QpsearchError, ValueError):  # a custom block that is not imported here
        found["parameters"], found["MACs"] = _costs(record.config_json)
    if record.reason is not None:
        found |= {"reason": record.reason, "detail": record.detail or ""}
    return found


@lru_cache(maxsize=KEPT)
def _costs(config_json: str) -> tuple[int, int]:
    total = cost(TrialConfig.from_json(config_json).network)
    return total.parameters, total.macs
