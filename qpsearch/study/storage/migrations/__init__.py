"""Alembic's history of qpsearch's tables; Optuna's tables have their own history."""
