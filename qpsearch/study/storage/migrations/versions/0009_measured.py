"""Metrics beyond the columns of epochs: a row for each epoch of a study that asks for some.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OF_TRIALS = ("configs", "runs", "attempts", "epochs", "evaluations")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "qpsearch_measured",
        sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.trial_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("replicate", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("values_json", sa.Text, nullable=False),
    )
    op.add_column("qpsearch_evaluations", sa.Column("values_json", sa.Text))
    _delete_with_their_trial((*OF_TRIALS, "measured"))


def downgrade() -> None:
    """Drop the table and the column again."""
    _delete_with_their_trial(OF_TRIALS)
    op.drop_column("qpsearch_evaluations", "values_json")
    op.drop_table("qpsearch_measured")


def _delete_with_their_trial(ours: tuple[str, ...]) -> None:
    """Make SQLite's trigger anew: Optuna does not switch foreign keys on there, and ids are reused."""
    if op.get_bind().dialect.name == "sqlite":
        deletes = " ".join(f"DELETE FROM qpsearch_{name} WHERE trial_id = OLD.trial_id;" for name in ours)
        op.execute("DROP TRIGGER qpsearch_after_trials")
        op.execute(f"CREATE TRIGGER qpsearch_after_trials AFTER DELETE ON trials BEGIN {deletes} END")
