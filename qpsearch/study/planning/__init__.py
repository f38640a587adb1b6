"""Trials that are planned: retrained on fresh seeds, or enqueued by a user."""
