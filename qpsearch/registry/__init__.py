"""What a space file can name, one file or folder for each kind: data sets, optimisers, samplers and others.

Each file holds the names, the facts and the code of its kind, so that a new data set or sampler changes only one file.
Heavy packages are imported where they are used: a space file is checked without torch and without Optuna.
"""
