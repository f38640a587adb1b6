"""What a user sees: tables and lines of a terminal, and the progress of a running study."""
