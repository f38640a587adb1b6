"""How far the epochs that a driver trains are, for ``status``.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a driver writes it with its next heartbeat."""
    op.add_column("qpsearch_leases", sa.Column("steps_json", sa.Text))


def downgrade() -> None:
    """Drop the column again."""
    op.drop_column("qpsearch_leases", "steps_json")
