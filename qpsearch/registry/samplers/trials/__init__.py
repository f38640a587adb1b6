"""What samplers see of the trials of a study; with Optuna, which is loaded when a study is opened."""
