"""The study database: connections, tables, migrations."""
