"""The trials of a study: their rows, their state in memory, their checkpoints."""
