"""The first schema: studies, leases, configurations, runs, attempts, epochs, infeasible draws.

Written out rather than imported from ``tables.py``, since ``tables.py`` changes and this file must not.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _study() -> sa.ForeignKey:
    return sa.ForeignKey("studies.study_id", ondelete="CASCADE")


def _trial() -> "sa.Column[int]":
    return sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.trial_id", ondelete="CASCADE"), primary_key=True)


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "qpsearch_studies",
        sa.Column("study_id", sa.Integer, _study(), primary_key=True, autoincrement=False),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("space_text", sa.Text, nullable=False),
        sa.Column("space_source", sa.Text, nullable=False),
        sa.Column("schema_json", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("sampler", sa.String(40), nullable=False),
        sa.Column("pruner", sa.String(40), nullable=False),
        sa.Column("resources_json", sa.Text, nullable=False),
        sa.Column("checkpoint_root", sa.Text),
        sa.Column("environment_json", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_table(
        "qpsearch_leases",
        sa.Column("lease_id", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.Integer, _study(), nullable=False, index=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("boot", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_started", sa.Float, nullable=False),
        sa.Column("beat", sa.Integer, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("began", sa.Float, nullable=False),
        sa.Column("ended", sa.Float),
    )
    op.create_table(
        "qpsearch_configs",
        _trial(),
        sa.Column("config_json", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
    )
    op.create_table(
        "qpsearch_runs",
        _trial(),
        sa.Column("replicate", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("score", sa.Float),
    )
    op.create_table(
        "qpsearch_attempts",
        _trial(),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column(
            "lease_id", sa.Integer, sa.ForeignKey("qpsearch_leases.lease_id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("host", sa.String(255)),
        sa.Column("device", sa.String(255)),
        sa.Column("threads", sa.Integer),
        sa.Column("memory_format", sa.String(40)),
        sa.Column("began", sa.Float, nullable=False),
        sa.Column("ended", sa.Float),
        sa.Column("ending", sa.String(20)),
        sa.Column("reason", sa.String(20)),
        sa.Column("detail", sa.Text),
    )
    op.create_table(
        "qpsearch_epochs",
        _trial(),
        sa.Column("replicate", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("train_loss", sa.Float, nullable=False),
        sa.Column("val_loss", sa.Float),
        sa.Column("val_accuracy", sa.Float, nullable=False),
        sa.Column("val_nonfinite", sa.Integer, nullable=False),
        sa.Column("lr", sa.Float, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("images_per_s", sa.Float, nullable=False),
        sa.Column("peak_memory_bytes", sa.BigInteger, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("reported", sa.Float, nullable=False),
    )
    op.create_table(
        "qpsearch_infeasible",
        sa.Column("infeasible_id", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.Integer, _study(), nullable=False, index=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("params_json", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )

    if op.get_bind().dialect.name == "sqlite":
        _delete_with_their_owner("studies", "study_id", ("studies", "leases", "infeasible"))
        _delete_with_their_owner("trials", "trial_id", ("configs", "runs", "attempts", "epochs"))


def _delete_with_their_owner(owner: str, key: str, ours: tuple[str, ...]) -> None:
    """Do by trigger what foreign keys do elsewhere: Optuna does not switch them on in SQLite, and ids are reused."""
    deletes = " ".join(f"DELETE FROM qpsearch_{name} WHERE {key} = OLD.{key};" for name in ours)
    op.execute(f"CREATE TRIGGER qpsearch_after_{owner} AFTER DELETE ON {owner} BEGIN {deletes} END")


def downgrade() -> None:
    """Drop the tables again, children first."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER qpsearch_after_studies")
        op.execute("DROP TRIGGER qpsearch_after_trials")
    for name in ("infeasible", "epochs", "attempts", "runs", "configs", "leases", "studies"):
        op.drop_table(f"qpsearch_{name}")
