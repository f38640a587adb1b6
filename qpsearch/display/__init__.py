"""What a user sees: tables and lines of a terminal, and how far a study is while it runs."""
