"""Mistakes that users make, each as a change of one good file. Their messages stand in messages.txt."""

GOOD = """\
study: s
data: {dataset: digits, validation: 300, augment: [crop]}
network:
  stem: {width: 16}
  stages:
    - {width: 16, depth: {int: [1, 2]}, block: {choice: [additive, quotient]}}
  rules:
    norm: {choice: [batch, group]}
    quotient: {alpha: {float: [1.5, 2.5]}}
training:
  epochs: 12
  optimizer: {sgd: {lr: {log: [0.01, 0.3]}}}
search: {sampler: tpe, pruner: hyperband, trials: 40, objective: {maximize: val_accuracy}}
resources: {cpus: 1, report_timeout: 2h}
"""

MISTAKES: dict[str, tuple[str, str]] = {
    "a block misspelt": ("[additive, quotient]", "[additive, quotent]"),
    "a key misspelt": ("stem: {width: 16}", "stem: {widht: 16}"),
    "a top key misspelt": ("training:", "trainig:"),
    "a stage key misspelt": ("depth: {int", "dept: {int"),
    "a rule misspelt": ("norm: {choice", "nrm: {choice"),
    "a rule of a block misspelt": ("{alpha:", "{alhpa:"),
    "a domain misspelt": ("{int: [1, 2]}", "{ints: [1, 2]}"),
    "two domains at once": ("{int: [1, 2]}", "{int: [1, 2], choice: [1]}"),
    "a bare list": ("norm: {choice: [batch, group]}", "norm: [batch, group]"),
    "an empty choice": ("{choice: [batch, group]}", "{choice: []}"),
    "a choice with a repeat": ("{choice: [batch, group]}", "{choice: [batch, batch]}"),
    "a choice that is no list": ("{choice: [batch, group]}", "{choice: batch}"),
    "an inverted range": ("[1, 2]", "[2, 1]"),
    "a range of one value": ("[1, 2]", "[1, 1]"),
    "a range with three ends": ("[1, 2]", "[1, 2, 3]"),
    "a step that misses the end": ("{int: [1, 2]}", "{int: [1, 6], step: 2}"),
    "a step that is no number": ("{int: [1, 2]}", "{int: [1, 2], step: x}"),
    "a log range through zero": ("[0.01, 0.3]", "[0.0, 0.3]"),
    "an int range for a real number": ("{float: [1.5, 2.5]}", "{int: [1.5, 2.5]}"),
    "a float range for a whole number": ("{int: [1, 2]}", "{float: [1, 2]}"),
    "a range of words": ("{choice: [batch, group]}", "{int: [1, 2]}"),
    "an alpha of one": ("[1.5, 2.5]", "[1.0, 2.5]"),
    "a depth of zero": ("[1, 2]", "[0, 2]"),
    "a number as a word": ("epochs: 12", "epochs: twelve"),
    "a fraction for a whole number": ("epochs: 12", "epochs: 12.5"),
    "a truth value for a number": ("epochs: 12", "epochs: true"),
    "nothing for a number": ("epochs: 12", "epochs:"),
    "a missing key": ("  epochs: 12\n", ""),
    "a missing section": ("network:\n", "rest:\n"),
    "an empty list of stages": (
        "  stages:\n    - {width: 16, depth: {int: [1, 2]}, block: {choice: [additive, quotient]}}\n",
        "  stages: []\n",
    ),
    "a stage that is a word": (
        "    - {width: 16, depth: {int: [1, 2]}, block: {choice: [additive, quotient]}}",
        "    - quotient",
    ),
    "an unknown data set": ("dataset: digits", "dataset: cifar"),
    "an unknown augmentation": ("[crop]", "[crops]"),
    "an augmentation twice": ("[crop]", "[crop, crop]"),
    "an augmentation that is no list": ("[crop]", "crop"),
    "too many validation images": ("validation: 300", "validation: 1400"),
    "too few validation images": ("validation: 300", "validation: 3"),
    "a data set that is searched": ("dataset: digits", "dataset: {choice: [digits, cifar10]}"),
    "an unknown optimiser": ("{sgd: {lr", "{sdg: {lr"),
    "two optimisers without a choice": ("{sgd: {lr: {log: [0.01, 0.3]}}}", "{sgd: {lr: 0.1}, adamw: {lr: 0.1}}"),
    "an optimiser's unknown setting": ("{lr: {log", "{rate: {log"),
    "an unknown sampler": ("sampler: tpe", "sampler: tep"),
    "an unknown pruner": ("pruner: hyperband", "pruner: hyperbnd"),
    "an unknown metric": ("maximize: val_accuracy", "maximize: accuracy"),
    "a loss to maximise": ("maximize: val_accuracy", "maximize: val_loss"),
    "two objectives": ("{maximize: val_accuracy}", "{maximize: val_accuracy, minimize: val_loss}"),
    "a budget of none": ("trials: 40", "trials: 0"),
    "an unknown budget": ("trials: 40", "trials: 40, budget: {hours: 12}"),
    "a budget of time without a unit": ("trials: 40", "trials: 40, budget: {time: 12}"),
    "a budget of no GPU hours": ("trials: 40", "trials: 40, budget: {gpu_hours: 0}"),
    "a time without a unit": ("report_timeout: 2h", "report_timeout: 20"),
    "a name that cannot be a folder": ("study: s", "study: a/b"),
    "a tab": ("  epochs: 12", "\tepochs: 12"),
    "a key twice": ("  epochs: 12\n", "  epochs: 12\n  epochs: 13\n"),
    "a bracket left open": ("[0.01, 0.3]}}}", "[0.01, 0.3"),
    "an alias of nothing": ("{choice: [batch, group]}", "*norms"),
    "a mapping where a number belongs": ("stem: {width: 16}", "stem: {width: {width: 16}}"),
    "a list where keys belong": ("resources: {cpus: 1, report_timeout: 2h}", "resources: [1]"),
    "words that are a file": (GOOD, "hello\n"),
    "several mistakes": ("trials: 40", "trials: many, replicates: 0, seeds: 1, seed: x"),
}
