"""Alembic's history of our tables; Optuna's has its own."""
