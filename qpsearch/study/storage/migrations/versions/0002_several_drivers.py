"""Several drivers on one study, budgets in epochs, time and GPU hours, and accounts of repeated work.

Revision: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# table: columns; the default is the value for rows of the older schema
COLUMNS: dict[str, tuple[tuple[str, Any, str | None], ...]] = {
    "studies": (
        ("first_name", sa.String(512), "''"),
        ("revision", sa.Integer, "0"),
        ("most_epochs", sa.BigInteger, None),
        ("most_s", sa.Float, None),
        ("most_gpu_s", sa.Float, None),
    ),
    "leases": (("written", sa.Integer, "0"), ("seconds", sa.Float, "0")),
    "configs": (("revision", sa.Integer, "0"),),
    "attempts": (("gpus", sa.Float, None), ("seconds", sa.Float, "0"), ("repeated_s", sa.Float, "0")),
    "infeasible": (("revision", sa.Integer, "0"),),
}


def upgrade() -> None:
    """Add the columns; the seconds of older attempts and leases are computed from their beginning and end."""
    for table, columns in COLUMNS.items():
        for name, kind, default in columns:
            column: sa.Column[object] = sa.Column(name, kind, nullable=default is None, server_default=default)
            op.add_column(f"qpsearch_{table}", column)
    name = "SELECT study_name FROM studies WHERE studies.study_id = qpsearch_studies.study_id"
    op.execute(f"UPDATE qpsearch_studies SET first_name = ({name})")
    op.create_index("ix_qpsearch_configs_revision", "qpsearch_configs", ["revision"])
    for table in ("leases", "attempts"):
        op.execute(f"UPDATE qpsearch_{table} SET seconds = ended - began WHERE ended > began")


def downgrade() -> None:
    """Drop the columns again."""
    op.drop_index("ix_qpsearch_configs_revision", "qpsearch_configs")
    for table, columns in COLUMNS.items():
        for name, _, _ in columns:
            op.drop_column(f"qpsearch_{table}", name)
