"""The study database and the ledger that writes it. Knows Optuna and SQLAlchemy; no Ray, no torch."""
