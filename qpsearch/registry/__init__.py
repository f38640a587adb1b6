"""What a space file can name, one file a kind: data sets, augmentations, samplers, pruners.

Each file holds the names, the facts about each and the code behind it, so that a new one is a change of one file.
Whatever is heavy is imported where it is used: a space file is checked without torch and without Optuna.
"""
