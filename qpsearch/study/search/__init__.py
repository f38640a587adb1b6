"""Sampling and pruning: Optuna on a copy of the study."""
