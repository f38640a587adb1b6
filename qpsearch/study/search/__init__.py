"""Who proposes and who prunes: Optuna on a copy of the study."""
