"""Epochs of studies that hold out no validation images: such epochs do not have an accuracy.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OF_TRIALS = ("configs", "runs", "attempts", "epochs")


def upgrade() -> None:
    """Let the accuracy be null."""
    _set_nullable(True)


def downgrade() -> None:
    """Give such epochs the accuracy 0: earlier versions always have one."""
    op.execute("UPDATE qpsearch_epochs SET val_accuracy = 0 WHERE val_accuracy IS NULL")
    _set_nullable(False)


def _set_nullable(nullable: bool) -> None:
    """Change the column; SQLite copies the table, and renames the copy only while no trigger names the original."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        op.execute("DROP TRIGGER qpsearch_after_trials")
    with op.batch_alter_table("qpsearch_epochs") as table:
        table.alter_column("val_accuracy", existing_type=sa.Float(), nullable=nullable)
    if is_sqlite:
        deletes = " ".join(f"DELETE FROM qpsearch_{name} WHERE trial_id = OLD.trial_id;" for name in OF_TRIALS)
        op.execute(f"CREATE TRIGGER qpsearch_after_trials AFTER DELETE ON trials BEGIN {deletes} END")
