"""A table of checkpoint folders that no study needs, filled whenever a study is deleted, by whatever tool.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NOTE = (
    "INSERT INTO qpsearch_leftovers (uid, first_name, checkpoint_root) "
    "VALUES (OLD.uid, OLD.first_name, OLD.checkpoint_root)"
)


def upgrade() -> None:
    """Make the table, and a trigger that fills it."""
    op.create_table(
        "qpsearch_leftovers",
        sa.Column("uid", sa.String(32), primary_key=True),
        sa.Column("first_name", sa.String(512), nullable=False),
        sa.Column("checkpoint_root", sa.Text),
        sa.Column("host", sa.String(255)),
        sa.Column("boot", sa.String(255)),
        sa.Column("pid", sa.Integer),
        sa.Column("process_started", sa.Float),
    )
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        op.execute(f"CREATE TRIGGER qpsearch_after_facts AFTER DELETE ON qpsearch_studies BEGIN {NOTE}; END")
    elif dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION qpsearch_note_leftovers() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {NOTE}; RETURN OLD; END $$"
        )
        op.execute(
            "CREATE TRIGGER qpsearch_after_facts AFTER DELETE ON qpsearch_studies "
            "FOR EACH ROW EXECUTE FUNCTION qpsearch_note_leftovers()"
        )


def downgrade() -> None:
    """Drop both again."""
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        op.execute("DROP TRIGGER qpsearch_after_facts")
    elif dialect == "postgresql":
        op.execute("DROP TRIGGER qpsearch_after_facts ON qpsearch_studies")
        op.execute("DROP FUNCTION qpsearch_note_leftovers()")
    op.drop_table("qpsearch_leftovers")
