"""Mistakes that users make, each as a change of one good file. Their messages are in messages.txt."""

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
STAGE = "    - {width: 16, depth: {int: [1, 2]}, block: {choice: [additive, quotient]}}\n"
DEPTH = "depth: {int: [1, 2]}"
TRIALS = "trials: 40"


def with_second_stage(line: str) -> tuple[str, str]:
    """Add a stage behind the first."""
    return STAGE, f"{STAGE}    - {line}\n"


def with_arms(text: str, search: str = "") -> tuple[str, str]:
    """Compare arms, with what ``search`` says in place of the number of trials."""
    return f"{TRIALS}, objective: {{maximize: val_accuracy}}}}\n", (
        f"{search}objective: {{maximize: val_accuracy}}}}\ncompare: {text}\n"
    )


def with_levels(text: str) -> tuple[str, str]:
    """Train at levels of fidelity, with a pruner that judges them."""
    return "pruner: hyperband", f"fidelity: {{{text}}}, pruner: asha"


TWO = "a: {network.stages.0.block: additive}, b: "
MISTAKES: dict[str, tuple[str, str]] = {
    "a block misspelt": ("[additive, quotient]", "[additive, quotent]"),
    "a block that nobody knows": ("[additive, quotient]", "[additive, gated]"),
    "a word for a truth value": ("{alpha: {float: [1.5, 2.5]}}", "{through_one: yes}"),
    "a rule of one kind of block only": (
        "    quotient: {alpha",
        "    product_unit: {output_activation: none}\n    quotient: {alpha",
    ),
    "nothing for a word that is a value": ("{alpha: {float: [1.5, 2.5]}}", "{alpha: none}"),
    "a key misspelt": ("stem: {width: 16}", "stem: {widht: 16}"),
    "a top key misspelt": ("training:", "trainig:"),
    "a stage key misspelt": ("depth: {int", "dept: {int"),
    "a rule misspelt": ("norm: {choice", "nrm: {choice"),
    "a rule of a block misspelt": ("{alpha:", "{alhpa:"),
    "a domain misspelt": ("{int: [1, 2]}", "{ints: [1, 2]}"),
    "two domains at once": ("{int: [1, 2]}", "{int: [1, 2], choice: [1]}"),
    "a bare list": ("norm: {choice: [batch, group]}", "norm: [batch, group]"),
    "two numbers in a bare list": ("lr: {log: [0.01, 0.3]}", "lr: [0.01, 0.3]"),
    "two whole numbers in a bare list": (DEPTH, "depth: [1, 2]"),
    "two near numbers in a bare list": ("alpha: {float: [1.5, 2.5]}", "alpha: [1.5, 2.5]"),
    "a data set as others write it": ("dataset: digits", "dataset: CIFAR-10"),
    "a key that stands elsewhere": ("  epochs: 12\n", "  epochs: 12\n  lr: 0.1\n"),
    "a key of other programs": ("search: {sampler: tpe", "search: {direction: maximize, sampler: tpe"),
    "an empty choice": ("{choice: [batch, group]}", "{choice: []}"),
    "a choice with a repeat": ("{choice: [batch, group]}", "{choice: [batch, batch]}"),
    "a choice that is no list": ("{choice: [batch, group]}", "{choice: batch}"),
    "an inverted range": ("[1, 2]", "[2, 1]"),
    "a range of one value": ("[1, 2]", "[1, 1]"),
    "a range with three ends": ("[1, 2]", "[1, 2, 3]"),
    "a step that misses the end": ("{int: [1, 2]}", "{int: [1, 6], step: 2}"),
    "a step that is not a number": ("{int: [1, 2]}", "{int: [1, 2], step: x}"),
    "a step that is larger than the range": ("{int: [1, 2]}", "{int: [1, 6], step: 7}"),
    "a step of zero": ("{int: [1, 2]}", "{int: [1, 6], step: 0}"),
    "a step of decimals that misses the end": ("{float: [1.5, 2.5]}", "{float: [1.5, 2.5], step: 0.3}"),
    "a step of decimals that is larger than the range": ("{float: [1.5, 2.5]}", "{float: [1.5, 2.5], step: 2}"),
    "a step too fine to tell numbers apart": ("{float: [1.5, 2.5]}", "{float: [1.5, 2.5], step: 1.0e-9}"),
    "a step below zero": ("{float: [1.5, 2.5]}", "{float: [1.5, 2.5], step: -0.1}"),
    "a step of decimals that is not a number": ("{float: [1.5, 2.5]}", "{float: [1.5, 2.5], step: ten}"),
    "a prior between two steps": ("{float: [1.5, 2.5]}", "{float: [1.5, 2.5], step: 0.5, prior: 1.7}"),
    "a step of a log range": ("{log: [0.01, 0.3]}", "{log: [0.01, 0.3], step: 0.01}"),
    "a step of a log range of whole numbers": ("{int: [1, 2]}", "{log_int: [1, 8], step: 2}"),
    "a log range of whole numbers from zero": ("{sgd: {lr", "{sgd: {weight_decay: {log_int: [0, 8]}, lr"),
    "a log range of whole numbers, inverted": ("{int: [1, 2]}", "{log_int: [8, 1]}"),
    "a log range for a whole number": ("{int: [1, 2]}", "{log: [1, 2]}"),
    "a log range of whole numbers for a real number": ("{float: [1.5, 2.5]}", "{log_int: [1.5, 2.5]}"),
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
    "an option of an augmentation misspelt": ("[crop]", "[crop, {mixup: {alfa: 0.2}}]"),
    "an option of an augmentation out of range": ("[crop]", "[{cutout: {side: {float: [0.5, 2.0]}}}]"),
    "an augmentation with a number": ("[crop]", "[crop, {cutout: 0.5}]"),
    "an augmentation that is used sometimes": ("[crop]", "[crop, {cutout: {used: sometimes}}]"),
    "a choice among the augmentations of a list": ("[crop]", "[crop, {choice: [cutout, erase]}]"),
    "lists of augmentations without names": ("[crop]", "{choice: [[crop], [flip, crop]]}"),
    "lists of augmentations named as one": ("[crop]", "{choice: {none: [], flip: [flip]}}"),
    "a list of augmentations misspelt": ("[crop]", "{choice: {none: [], some: [flop]}}"),
    "a condition on an augmentation that is not listed": (
        "trials: 40,",
        "trials: 40, forbid: [data.augment.cutout.used == true],",
    ),
    "black padding of nothing": ("augment: [crop]", "padding: black"),
    "black padding of images that are cut": (
        "dataset: digits, validation: 300, augment: [crop]",
        "dataset: imagenet, validation: 5000, augment: [crop], padding: black",
    ),
    "a padding misspelt": ("augment: [crop]", "augment: [crop], padding: blak"),
    "a stream of what is not a folder": ("augment: [crop]", "stream: true"),
    "three means for one channel": ("augment: [crop]", "normalise: imagenet"),
    "a normalisation by other programs' name": ("augment: [crop]", "normalize: imagenet"),
    "too many validation images": ("validation: 300", "validation: 1400"),
    "too large a share of validation images": ("validation: 300", "validation: 0.6"),
    "too small a share of validation images": ("validation: 300", "validation: 0.001"),
    "a share of less than one validation image": ("validation: 300", "validation: 0.0001"),
    "less than no validation images": ("validation: 300", "validation: -1"),
    "more than all validation images": ("validation: 300", "validation: 1.5"),
    "no validation images, and their accuracy": ("validation: 300", "validation: 0"),
    "no validation images, and no objective": (
        GOOD,
        GOOD.replace("validation: 300", "validation: 0").replace(", objective: {maximize: val_accuracy}", ""),
    ),
    "a training loss to maximise": ("maximize: val_accuracy", "maximize: train_loss"),
    "two training metrics": ("{maximize: val_accuracy}", "{maximize: val_accuracy, minimize: train_loss}"),
    "too few validation images": ("validation: 300", "validation: 3"),
    "a data set that is searched": ("dataset: digits", "dataset: {choice: [digits, cifar10]}"),
    "an unknown optimiser": ("{sgd: {lr", "{sdg: {lr"),
    "two optimisers without a choice": ("{sgd: {lr: {log: [0.01, 0.3]}}}", "{sgd: {lr: 0.1}, adamw: {lr: 0.1}}"),
    "an optimiser's unknown setting": ("{lr: {log", "{rate: {log"),
    "an unknown sampler": ("sampler: tpe", "sampler: tep"),
    "an unknown pruner": ("pruner: hyperband", "pruner: hyperbnd"),
    "an unknown metric": ("maximize: val_accuracy", "maximize: accuracy"),
    "a score misspelt": (TRIALS, f"{TRIALS}, score: bets"),
    "a score that is searched": (TRIALS, f"{TRIALS}, score: {{choice: [last, best]}}"),
    "a score without its settings": (TRIALS, f"{TRIALS}, score: {{best: 93}}"),
    "a score of an epoch that no run reaches": (TRIALS, f"{TRIALS}, score: {{best: {{from_epoch: 93}}}}"),
    "a score of an epoch that some runs do not reach": (
        "epochs: 12\n  optimizer: {sgd: {lr: {log: [0.01, 0.3]}}}\nsearch: {",
        "epochs: {choice: [100, 50]}\nsearch: {score: {best: {from_epoch: 93}}, ",
    ),
    "a score of an epoch, and computed epochs": (
        "epochs: 12\n  optimizer: {sgd: {lr: {log: [0.01, 0.3]}}}\nsearch: {sampler: tpe, pruner: hyperband",
        "epochs: '6 * network.stages.0.depth'\nsearch: {score: {best: {from_epoch: 5}}, pruner: none",
    ),
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
    "a tie that joins nothing": ("{int: [1, 2]}", "{int: [1, 2], tie: depth}"),
    "a tie misspelt": with_second_stage("{width: 16, depth: {tie: dpth}, block: additive}"),
    "a tie misspelt, with one that is right": (
        STAGE,
        STAGE.replace("[1, 2]", "[1, 2], tie: depth") * 2 + "    - {width: 8, depth: {tie: dpth}, block: additive}\n",
    ),
    "a tie of two domains": (
        STAGE,
        STAGE.replace("[1, 2]", "[1, 2], tie: depth") + STAGE.replace("[1, 2]", "[1, 3], tie: depth"),
    ),
    "a tie that is no name": ("{int: [1, 2]}", "{int: [1, 2], tie: a-b}"),
    "a prior outside its domain": ("{int: [1, 2]}", "{int: [1, 2], prior: 3}"),
    "a prior that is not a number": ("[0.01, 0.3]", "[0.01, 0.3], prior: big"),
    "a confidence misspelt": ("{int: [1, 2]}", "{int: [1, 2], prior: 1, confidence: hihg}"),
    "a confidence in nothing": ("{int: [1, 2]}", "{int: [1, 2], confidence: high}"),
    "a key beside a domain misspelt": ("{int: [1, 2]}", "{int: [1, 2], pior: 1}"),
    "arithmetic with a path misspelt": ("stem: {width: 16}", "stem: {width: '2 * network.stages.0.wdth'}"),
    "arithmetic with a word": ("{width: 16, depth", "{width: '2 * wide', depth"),
    "arithmetic on a word": ("{width: 16, depth", "{width: '2 * network.stages.0.block', depth"),
    "arithmetic that does not end": ("{width: 16, depth", "{width: '2 *', depth"),
    "arithmetic in a circle": (
        "stem: {width: 16}\n  stages:\n    - {width: 16",
        "stem: {width: 'network.stages.0.width / 2'}\n  stages:\n    - {width: '2 * network.stem.width'",
    ),
    "arithmetic with the unit of something else": ("{width: 16, depth", "{width: '2kg * 3', depth"),
    "arithmetic that runs code": ("{width: 16, depth", "{width: '__import__(1).x', depth"),
    "arithmetic where nothing is computed": ("trials: 40", "trials: '2 * 20'"),
    "an option of a sampler that does not have any": ("sampler: tpe", "sampler: {random: {share: 0.2}}"),
    "epochs to a target, of runs that are not equally long": (
        GOOD[GOOD.index("epochs: 12") :],
        GOOD[GOOD.index("epochs: 12") :]
        .replace("epochs: 12", "epochs: {int: [5, 30]}")
        .replace("maximize: val_accuracy", "minimize: epochs_to_0.9"),
    ),
    "a forbid with a path misspelt": (TRIALS, f"{TRIALS}, forbid: [{{network.stages.0.blok: additive}}]"),
    "a forbid with a stage that is not there": (TRIALS, f"{TRIALS}, forbid: ['network.stages.1.depth == 1']"),
    "a forbid of a value that never comes": (TRIALS, f"{TRIALS}, forbid: [{{network.stages.0.block: quotent}}]"),
    "a forbid of a number out of range": (TRIALS, f"{TRIALS}, forbid: ['network.stages.0.depth in [1, 5]']"),
    "a forbid that is not a condition": (TRIALS, f"{TRIALS}, forbid: ['network.stages.0.depth + 1']"),
    "a forbid that is no list": (TRIALS, f"{TRIALS}, forbid: {{network.stages.0.block: additive}}"),
    "a forbid with one equals sign": (TRIALS, f"{TRIALS}, forbid: ['network.stages.0.depth = 1']"),
    "a require with or as others write it": (
        TRIALS,
        f"{TRIALS}, require: ['network.stages.0.depth == 1 || macs < 2M']",
    ),
    "a require with or in capitals": (TRIALS, f"{TRIALS}, require: ['network.stages.0.depth == 1 OR macs < 2M']"),
    "a require with a power as others write it": (TRIALS, f"{TRIALS}, require: ['network.stages.0.width^2 < 300']"),
    "a require of a cost with another name": (TRIALS, f"{TRIALS}, require: ['flops < 2M']"),
    "a forbid that compares a word": (TRIALS, f"{TRIALS}, forbid: ['network.stages.0.block < 3']"),
    "a forbid that is a chain": (TRIALS, f"{TRIALS}, forbid: ['1 < network.stages.0.depth < 3']"),
    "a require without a bracket": (TRIALS, f"{TRIALS}, require: ['(network.stages.0.depth == 1']"),
    "a require with a list that is none": (TRIALS, f"{TRIALS}, require: ['network.stages.0.depth in 1']"),
    "a limit misspelt": (TRIALS, f"{TRIALS}, limits: {{paramters: '<= 2M'}}"),
    "a limit without a sign": (TRIALS, f"{TRIALS}, limits: {{parameters: 2M}}"),
    "a limit with an unknown unit": (TRIALS, f"{TRIALS}, limits: {{parameters: '<= 2MB'}}"),
    "a limit upside down": (TRIALS, f"{TRIALS}, limits: {{macs: '>= 2M and <= 1M'}}"),
    "several objectives and a pruner": ("{maximize: val_accuracy}", "{maximize: val_accuracy, minimize: [macs]}"),
    "costs alone as objectives": (
        "pruner: hyperband, trials: 40, objective: {maximize: val_accuracy}",
        "objective: {minimize: [macs]}",
    ),
    "a cost to maximise": ("{maximize: val_accuracy}", "{maximize: [val_accuracy, macs]}"),
    "a grid without end": ("sampler: tpe, pruner: hyperband", "sampler: grid"),
    "a rule that no stage uses": ("[additive, quotient]", "[additive, product_unit]"),
    "a rule that every stage names itself": ("{width: 16, depth", "{norm: batch, width: 16, depth"),
    "a rule of a block that the stage cannot be": (
        "block: {choice: [additive, quotient]}",
        "block: quotient, product_unit: {exponent_clip: 8}",
    ),
    "a tie with a word of conditions": ("{int: [1, 2]}", "{int: [1, 2], tie: quotient}"),
    "a prior beside a tie without its domain": (
        STAGE,
        STAGE.replace("[1, 2]", "[1, 2], tie: n") + "    - {width: 8, depth: {tie: n, prior: 2}, block: additive}\n",
    ),
    "arithmetic that gives a fraction": ("{width: 16, depth", "{width: 'network.stem.width / 3', depth"),
    "arithmetic that divides by zero": ("{width: 16, depth", "{width: '16 / (2 - 2)', depth"),
    "a stage that is another from draw to draw": (
        STAGE,
        f"    - choice: {{one: {{width: 8, depth: 1, block: additive}}, none: []}}\n{STAGE}"
        "    - {width: '2 * network.stages.1.width', depth: 1, block: additive}\n",
    ),
    "a forbid with its sides swapped and a word misspelt": (
        TRIALS,
        f"{TRIALS}, forbid: ['quotent == network.stages.0.block']",
    ),
    "a forbid that compares a cost with a word": (TRIALS, f"{TRIALS}, forbid: ['parameters == quotient']"),
    "a forbid of two leaves that never meet": (
        TRIALS,
        f"{TRIALS}, forbid: ['network.stages.0.block == network.rules.norm']",
    ),
    "a forbid of a truth value": (TRIALS, f"{TRIALS}, forbid: ['network.stages.0.depth == true']"),
    "a forbid of a number in quotes": (TRIALS, f"{TRIALS}, forbid: [{{network.stages.0.depth: '2'}}]"),
    "a forbid that never changes": (TRIALS, f"{TRIALS}, forbid: ['1 < 2']"),
    "a limit with a small unit": (TRIALS, f"{TRIALS}, limits: {{parameters: '<= 500k'}}"),
    "a prior in a grid": (
        "optimizer: {sgd: {lr: {log: [0.01, 0.3]}}}\nsearch: {sampler: tpe, pruner: hyperband,",
        "optimizer: {sgd: {lr: {choice: [0.01, 0.3], prior: 0.01}}}\nsearch: {sampler: grid, pruner: none,",
    ),
    "a rung after the last epoch": ("pruner: hyperband", "pruner: {asha: {first: 12}}"),
    "a pruner's bounds in the wrong order": ("pruner: hyperband", "pruner: {threshold: {lower: 0.9, upper: 0.1}}"),
    "a pruner without bounds": ("pruner: hyperband", "pruner: {threshold: {}}"),
    "a pruner that waits until the last epoch": ("pruner: hyperband", "pruner: {median: {warmup: 12}}"),
    "a pruner that is too patient": ("pruner: hyperband", "pruner: {patient: {patience: 11}}"),
    "levels of images that do not reach the whole": with_levels("images: [0.1, 0.3]"),
    "levels of images that do not ascend": with_levels("images: [0.3, 0.1, 1]"),
    "a single level": with_levels("images: [1]"),
    "a level of no images": with_levels("images: [0, 1]"),
    "a level of too few images": with_levels("images: [0.005, 1]"),
    "levels of images of another size": with_levels("image_size: [8, 16]"),
    "a level of image size that is a share": with_levels("image_size: [0.5, 8]"),
    "levels of width that are channels": with_levels("width: [8, 16]"),
    "levels of two kinds": with_levels("images: [0.5, 1], width: [0.5, 1]"),
    "levels of epochs": with_levels("epochs: [1, 2]"),
    "levels without a pruner that judges them": (TRIALS, f"{TRIALS}, fidelity: {{images: [0.1, 1]}}"),
    "levels and a first rung": (
        "pruner: hyperband",
        "fidelity: {images: [0.1, 1]}, pruner: {asha: {first: 2}}",
    ),
    "levels and epochs that are searched": (
        "epochs: 12\n  optimizer: {sgd: {lr: {log: [0.01, 0.3]}}}\nsearch: {sampler: tpe, pruner: hyperband",
        "epochs: {int: [6, 12]}\nsearch: {fidelity: {width: [0.5, 1]}, pruner: asha",
    ),
    "a first configuration with a path misspelt": (TRIALS, f"{TRIALS}, first: [{{network.stages.0.blok: additive}}]"),
    "a first configuration with a value that never comes": (
        TRIALS,
        f"{TRIALS}, first: [{{network.stages.*.block: additive}}, {{network.stages.0.depth: 7}}]",
    ),
    "a first configuration of nothing": (TRIALS, f"{TRIALS}, first: [{{}}]"),
    "first configurations that are no list": (TRIALS, f"{TRIALS}, first: {{network.stages.0.block: additive}}"),
    "a first configuration with a list": (TRIALS, f"{TRIALS}, first: [{{network.stages.0.depth: [1, 2]}}]"),
    "a first configuration in a factorial design": (
        "search: {sampler: tpe, pruner: hyperband,",
        "search: {sampler: factorial, pruner: none, first: [{network.stages.0.block: additive}],",
    ),
    "computed epochs and a pruner": ("epochs: 12", "epochs: '6 * network.stages.0.depth'"),
    "a tag that runs code": ("study: s", "study: !!python/object:os.system s"),
    "mistakes of every sort at once": (
        TRIALS,
        "trials: many, limits: {macs: 2M}, forbid: ['network.stages.1.depth == 1'], require: ['macs = 3']",
    ),
    "a choice of stages without names": (STAGE, f"    - choice: [{{width: 8, depth: 1, block: additive}}]\n{STAGE}"),
    "a choice of stages with a key as a name": with_second_stage(
        "choice: {width: {width: 8, depth: 1, block: additive}}"
    ),
    "a base that is not there": ("study: s\n", "study: s\nextends: cifa\n"),
    "a base that is no name": ("study: s\n", "study: s\nextends: {a: 1}\n"),
    "a merge of what is no mapping": ("stem: {width: 16}", "stem: {<<: 3, width: 16}"),
    "a comparison of one arm": with_arms("{arms: {a: {network.stages.0.block: additive}}}"),
    "a comparison without arms": with_arms("{tune: {trials: 20}}"),
    "an arm whose name is no part of a study's": with_arms("{arms: {a: {network.stages.0.block: additive}, b.c: }}"),
    "an arm that changes the search": with_arms(f"{{arms: {{{TWO}{{search.seed: 3}}}}}}"),
    "an arm that changes what nobody knows": with_arms(f"{{arms: {{{TWO}{{netwrok.stem.width: 3}}}}}}"),
    "an arm with a block misspelt": with_arms(f"{{arms: {{{TWO}{{network.stages.*.block: quotent}}}}}}"),
    "an arm of a stage that is not there": with_arms(f"{{arms: {{{TWO}{{network.stages.3.block: quotient}}}}}}"),
    "an arm through a constant": with_arms(f"{{arms: {{{TWO}{{training.epochs.most: 3}}}}}}"),
    "an arm with other images": with_arms(f"{{arms: {{{TWO}{{data.validation: 200}}}}}}"),
    "an arm that is a word": with_arms(f"{{arms: {{{TWO}quotient}}}}"),
    "trials of a comparison in the search": with_arms(f"{{arms: {{{TWO}}}}}", "trials: 40, "),
    "a comparison of several objectives": (
        "pruner: hyperband, trials: 40, objective: {maximize: val_accuracy}}\n",
        "pruner: none, objective: {maximize: val_accuracy, minimize: macs}}\ncompare: {arms: {" + TWO + "}}\n",
    ),
    "no more trained again than one": with_arms(f"{{arms: {{{TWO}}}, retrain: {{top: 1}}}}"),
    "several mistakes": ("trials: 40", "trials: many, replicates: 0, seeds: 1, seed: x"),
}
