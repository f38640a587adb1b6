"""What was read from the test split: a row for each look of each run.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OF_TRIALS = ("configs", "runs", "attempts", "epochs")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "qpsearch_evaluations",
        sa.Column("evaluation_id", sa.Integer, primary_key=True),
        sa.Column(
            "trial_id", sa.Integer, sa.ForeignKey("trials.trial_id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("replicate", sa.Integer, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("noise", sa.Float, nullable=False),
        sa.Column("images", sa.Integer, nullable=False),
        sa.Column("accuracy", sa.Float, nullable=False),
        sa.Column("loss", sa.Float),
        sa.Column("nonfinite", sa.Integer, nullable=False),
        sa.Column("evaluated", sa.Float, nullable=False),
    )
    _delete_with_their_trial((*OF_TRIALS, "evaluations"))


def downgrade() -> None:
    """Drop the table again."""
    _delete_with_their_trial(OF_TRIALS)
    op.drop_table("qpsearch_evaluations")


def _delete_with_their_trial(ours: tuple[str, ...]) -> None:
    """Make SQLite's trigger anew: Optuna does not switch foreign keys on there, and ids are reused."""
    if op.get_bind().dialect.name == "sqlite":
        deletes = " ".join(f"DELETE FROM qpsearch_{name} WHERE trial_id = OLD.trial_id;" for name in ours)
        op.execute("DROP TRIGGER qpsearch_after_trials")
        op.execute(f"CREATE TRIGGER qpsearch_after_trials AFTER DELETE ON trials BEGIN {deletes} END")
