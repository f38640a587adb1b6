"""Which test images a run classified correctly, a bit each: comparisons take the chance in the images from it.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; earlier looks do not have it."""
    op.add_column("qpsearch_evaluations", sa.Column("correct", sa.LargeBinary))


def downgrade() -> None:
    """Drop the column again."""
    op.drop_column("qpsearch_evaluations", "correct")
