"""Drop columns that are not read: the resolved space and hashes, which can be computed from the stored texts.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the columns."""
    op.drop_column("qpsearch_studies", "schema_json")
    op.drop_column("qpsearch_studies", "fingerprint")
    op.drop_column("qpsearch_configs", "fingerprint")


def downgrade() -> None:
    """Add the columns again, empty."""
    op.add_column("qpsearch_studies", sa.Column("schema_json", sa.Text, nullable=False, server_default=""))
    for table in ("qpsearch_studies", "qpsearch_configs"):
        op.add_column(table, sa.Column("fingerprint", sa.String(64), nullable=False, server_default=""))
