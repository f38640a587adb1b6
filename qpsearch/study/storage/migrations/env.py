"""Alembic's entry: runs the migrations of qpsearch's tables on the connection that it is given."""

from alembic import context

from qpsearch.study.storage.tables import OURS, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=OURS,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()
