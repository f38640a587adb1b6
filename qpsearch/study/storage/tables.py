"""The tables of qpsearch, beside Optuna's tables in the same database.

Optuna's tables hold trials, parameters and values, so every Optuna tool works on a study; qpsearch's tables hold the
rest. Times are Unix seconds. Rows are deleted with their study or trial, whatever tool deletes it.
"""

from collections.abc import Callable
from typing import Any, Final

from optuna.storages._rdb import models as optuna_models
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Text,
    select,
)
from sqlalchemy.engine.processors import to_float

VERSION_TABLE: Final = "qpsearch_version"  # where Alembic keeps the revision; Optuna has its own table

# Optuna's tables, as its own package declares them.
OPTUNA: Final = optuna_models.BaseModel.metadata
studies: Final = OPTUNA.tables["studies"]
directions: Final = OPTUNA.tables["study_directions"]
trials: Final = OPTUNA.tables["trials"]
params: Final = OPTUNA.tables["trial_params"]
values: Final = OPTUNA.tables["trial_values"]
intermediate: Final = OPTUNA.tables["trial_intermediate_values"]
system_attrs: Final = OPTUNA.tables["trial_system_attributes"]
user_attrs: Final = OPTUNA.tables["trial_user_attributes"]
study_attrs: Final = OPTUNA.tables["study_system_attributes"]

OURS: Final = MetaData()


class Real(Float[float]):
    """A column of numbers that raises ValueError for what is none: SQLite keeps any text in it."""

    def result_processor(self, dialect: object, coltype: object) -> Callable[[Any], float | None]:
        """Return what reads a cell."""
        found: Callable[[Any], float | None] = to_float
        return found


def _study_id() -> Column[int]:
    return Column("study_id", Integer, ForeignKey(studies.c.study_id, ondelete="CASCADE"), nullable=False, index=True)


def _trial_id() -> Column[int]:
    return Column("trial_id", Integer, ForeignKey(trials.c.trial_id, ondelete="CASCADE"), primary_key=True)


study_facts: Final = Table(
    "qpsearch_studies",
    OURS,
    Column(
        "study_id", Integer, ForeignKey(studies.c.study_id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("uid", String(32), nullable=False, comment="with the first name, names the study's checkpoint folder"),
    Column("first_name", String(512), nullable=False, comment="the name it was made under, which pruners hash"),
    Column("space_text", Text, nullable=False, comment="the space file as it was given"),
    Column("space_source", Text, nullable=False, comment="its file name"),
    Column("seed", Integer, nullable=False),
    Column("revision", Integer, nullable=False, comment="moves with every write to the study, whichever driver's"),
    Column("asked", Integer, nullable=False, comment="the budget in trials"),
    Column("most_epochs", BigInteger, comment="the budget in epochs; null for no bound"),
    Column("most_s", Real, comment="the budget in seconds of wall time"),
    Column("most_gpu_s", Real, comment="the budget in seconds of one GPU"),
    Column("sampler", String(40), nullable=False),
    Column("pruner", String(40), nullable=False),
    Column("resources_json", Text, nullable=False, comment="what a trial gets, flags of the command line included"),
    Column("checkpoint_root", Text, comment="folder or URI of checkpoints; relative, or null: beside an SQLite file"),
    Column("environment_json", Text, nullable=False, comment="versions and machine where the study was made"),
    Column("created", Real, nullable=False),
)

leases: Final = Table(
    "qpsearch_leases",
    OURS,
    Column("lease_id", Integer, primary_key=True),
    _study_id(),
    Column("host", String(255), nullable=False),
    Column("boot", String(255), nullable=False, comment="which boot and process namespace of that host"),
    Column("pid", Integer, nullable=False),
    Column("process_started", Real, nullable=False, comment="tells a process from a later one with its number"),
    Column("beat", Integer, nullable=False, comment="moves while the driver lives"),
    Column("written", Integer, nullable=False, comment="ledger steps committed, so that each is committed once"),
    Column("seconds", Real, nullable=False, comment="how long it was held, by its driver's monotonic clock"),
    Column("state", String(20), nullable=False, comment="held, released or superseded"),
    Column("began", Real, nullable=False),
    Column("ended", Real),
    Column("steps_json", Text, comment="how far its epochs were at its last beat, by trial"),
)

configs: Final = Table(
    "qpsearch_configs",
    OURS,
    _trial_id(),
    Column("config_json", Text, nullable=False, comment="TrialConfig: enough to run the trial again"),
    Column("revision", Integer, nullable=False, index=True, comment="the study's when the trial last changed"),
)

runs: Final = Table(
    "qpsearch_runs",
    OURS,
    _trial_id(),
    Column("replicate", Integer, primary_key=True, autoincrement=False),
    Column("seed", BigInteger, nullable=False),
    Column("score", Real, comment="null until the run is complete"),
)

attempts: Final = Table(
    "qpsearch_attempts",
    OURS,
    _trial_id(),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="from 1"),  # 0: planned
    Column("lease_id", Integer, ForeignKey("qpsearch_leases.lease_id", ondelete="CASCADE"), nullable=False),
    Column("host", String(255)),
    Column("device", String(255)),
    Column("threads", Integer),
    Column("memory_format", String(40)),
    Column("gpus", Real, comment="GPUs, or the share of one, that it holds"),
    Column("began", Real, nullable=False),
    Column("ended", Real),
    Column("seconds", Real, nullable=False, comment="how long it ran, by its driver's monotonic clock"),
    Column("repeated_s", Real, nullable=False, comment="of those, work whose result was lost or there before"),
    Column("ending", String(20), comment="vocabulary.Ending; null while it runs"),
    Column("reason", String(20), comment="vocabulary.FailReason where it failed"),
    Column("detail", Text),
)

epochs: Final = Table(
    "qpsearch_epochs",
    OURS,
    _trial_id(),
    Column("replicate", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    Column("attempt", Integer, nullable=False),
    Column("train_loss", Real, nullable=False),
    Column("val_loss", Real, comment="null where logits were not finite, or no images are held out"),
    Column("val_accuracy", Real, comment="null where no images are held out"),
    Column("val_nonfinite", Integer, nullable=False),
    Column("lr", Real, nullable=False),
    Column("seconds", Real, nullable=False),
    Column("images_per_s", Real, nullable=False),
    Column("peak_memory_bytes", BigInteger, nullable=False),
    Column("checkpoint", Text, nullable=False, comment="file written after this epoch; a resumed run loads the newest"),
    Column("reported", Real, nullable=False),
)

measured: Final = Table(
    "qpsearch_measured",
    OURS,
    _trial_id(),
    Column("replicate", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("values_json", Text, nullable=False, comment="metrics that the study asked for beyond those of every epoch"),
)

leftovers: Final = Table(
    "qpsearch_leftovers",
    OURS,
    Column("uid", String(32), primary_key=True, comment="of a study that is deleted, or not yet copied"),
    Column("first_name", String(512), nullable=False),
    Column("checkpoint_root", Text),
    Column("host", String(255), comment="where a process fills the folder; null for a deleted study"),
    Column("boot", String(255)),
    Column("pid", Integer),
    Column("process_started", Real),
)

evaluations: Final = Table(
    "qpsearch_evaluations",
    OURS,
    Column("evaluation_id", Integer, primary_key=True),
    Column("trial_id", Integer, ForeignKey(trials.c.trial_id, ondelete="CASCADE"), nullable=False, index=True),
    Column("replicate", Integer, nullable=False),
    Column("checkpoint", Text, nullable=False, comment="file of the weights that were evaluated on the test images"),
    Column("noise", Real, nullable=False, comment="level of Poisson noise; 0 for none"),
    Column("images", Integer, nullable=False),
    Column("accuracy", Real, nullable=False),
    Column("loss", Real, comment="null where logits were not finite"),
    Column("nonfinite", Integer, nullable=False),
    Column("evaluated", Real, nullable=False, comment="when; the same for all rows of one look"),
    Column(
        "correct", LargeBinary, comment="a bit for each image, in their order; null for a look of an earlier version"
    ),
    Column("values_json", Text, comment="metrics that the study asked for beyond accuracy and loss; null for none"),
)

infeasible: Final = Table(
    "qpsearch_infeasible",
    OURS,
    Column("infeasible_id", Integer, primary_key=True),
    _study_id(),
    Column("number", Integer, nullable=False, comment="of the trial that was being drawn"),
    Column("revision", Integer, nullable=False, comment="the study's when it was drawn"),
    Column("params_json", Text, nullable=False, comment="name to [internal value, distribution]"),
    Column("reason", Text, nullable=False),
)


def facts_of(connection: Connection, study: int) -> Row[Any]:
    """Return qpsearch's row about a study, by its id."""
    return connection.execute(select(study_facts).where(study_facts.c.study_id == study)).one()
