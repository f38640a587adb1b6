"""The texts of an exported network: a card in Markdown and a loader in Python, made of ``config.json``."""

import time
from collections.abc import Mapping
from typing import Any, Final

from qpsearch.errors import counted
from qpsearch.registry.metrics import ON_TEST

FORMS: Final = {
    "model.safetensors": "weights, for qpsearch",
    "model.pt2": "`torch.export` program, for torch alone",
    "model.onnx": "ONNX program, for onnxruntime and others",
}
WITHOUT: Final = (
    "Install what weights are written with (`pip install 'qpsearch[export]'`), and run the same command with "
    "`--resume`: then this folder can be loaded with `qpsearch.load_exported`."
)
TOLD: Final = ("epochs", "batch_size", "optimizer", "schedule", "precision")  # of the recipe, in words of their own


def loader(info: Mapping[str, Any]) -> str:
    """Return a module that loads the network of its folder."""
    needs = (
        f"import os\n\nos.environ.setdefault('QPSEARCH_IMPORT', {','.join(info['imports'])!r})  # its own blocks\n\n"
        if info["imports"]
        else ""
    )
    return f'''"""Loads the network of this folder; needs qpsearch alone: pip install 'qpsearch[export]'."""

{needs}from pathlib import Path

import qpsearch

exported = qpsearch.load_exported(Path(__file__).parent)
network, preprocess, classes = exported.network, exported.preprocess, exported.classes

if __name__ == "__main__":
    print(network, exported.info["input"], exported.info["output"], sep="\\n")
'''


def card(info: Mapping[str, Any]) -> str:
    """Return the model card."""
    sections = {
        f"{info['study']}, trial {info['trial']}" if info["study"] else info["name"]: _head(info),
        "How good it is": _numbers(info),
        "Input and output": _input(info),
        "Use it": _use(info),
        "Files, compared with the network": _files(info),
        "The network": _network(info),
        "How it was trained": _training(info),
    }
    (title, head), *others = sections.items()
    return "\n\n".join([f"# {title}", head, *(f"## {name}\n\n{text}" for name, text in others)]) + "\n"


def _head(info: Mapping[str, Any]) -> str:
    cost = info["cost"]
    kinds = ", ".join(dict.fromkeys(stage["block"] for stage in info["config"]["network"]["stages"]))
    return (
        f"A classifier of `{info['config']['data']['dataset']}` images into {info['output']['shape'][1]} classes, of "
        f"{kinds} blocks: {cost['parameters']:,} parameters, {cost['macs']:,} multiply-accumulates an image. "
        f"{_verdict(info)}."
    )


def _verdict(info: Mapping[str, Any]) -> str:
    """Return the score of the run beside what tells whether it was lucky."""
    results = info["results"]
    found = f"{results['metric']} {_value(results['score'])}"
    if not info["study"]:
        return f"{found}, one seed"
    found += " in this run"
    if results["n"] > 1:
        found += f", {_value(results['mean'])} over the runs of its configuration (n = {results['n']})"
    if results["on_fresh_seeds"]:
        return f"{found}, on fresh seeds"
    if results["confirmed"]:
        return f"{found}, {_value(results['fresh_mean'])} on fresh seeds (n = {len(results['fresh'])})"
    return f"{found}, not confirmed on fresh seeds"


def _numbers(info: Mapping[str, Any]) -> str:
    results = info["results"]
    count = results["validation_images"]
    images = f"{count:,} validation images" if count else results["measured_on"]
    spread = "" if results["sd"] is None else f", sd {_value(results['sd'])}"
    lines = [
        "| what | value | n |",
        "| --- | --- | --- |",
        f"| {results['metric']} of this run, on {images} | {_value(results['score'])} | 1 seed |",
    ]
    if results["n"] > 1:
        lines.append(
            f"| mean over the runs of its configuration{spread} | {_value(results['mean'])} | {_seeds(results['n'])} |"
        )
    if results["confirmed"]:
        again = "" if results["fresh_sd"] is None else f", sd {_value(results['fresh_sd'])}"
        lines.append(
            f"| trained again on fresh seeds{again} | {_value(results['fresh_mean'])} | "
            f"{_seeds(len(results['fresh']))} |"
        )
    for row in results["test"]:
        noise = f" under poisson:{row['noise']:g}" if row["noise"] else ""
        for metric in ("accuracy", *(name for name in row if name.startswith(ON_TEST))):
            images = f"{row['images']:,} images"
            lines.append(f"| {metric} of this run{noise}, on test images | {_value(row[metric])} | {images} |")
    honest = _honest(info) if info["study"] else _honest_alone(info)
    return "\n".join(lines) + "\n\n" + "\n".join(f"- {line}" for line in honest)


def _honest(info: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know to believe the numbers, a sentence or two each."""
    results, trials = info["results"], info["results"]["complete_trials"]
    if not results["is_best"]:
        found = [
            f"Trial {info['trial']} was named for this export; the best of the study is trial {results['best_trial']}."
        ]
    elif not results["was_chosen"]:
        found = ["The study has no other complete configuration, so this one was not chosen by its score."]
    else:
        on_front = "on the Pareto front" if len(results["objectives"]) > 1 else "the best"
        of = "this study" if results["on_fresh_seeds"] else "one search"
        found = [f"It is {on_front} of {trials} complete trials of {of}."]
    if results["on_fresh_seeds"]:
        found.append(
            "The study does not search: it trains again what other studies chose, on fresh seeds that took no part in "
            "that choice. So the mean over them is not optimistic, unless it was chosen again among several here."
        )
    elif results["confirmed"]:
        studies = ", ".join(dict.fromkeys(f"`{each['study']}`" for each in results["fresh"]))
        found.append(
            f"Confirmed: the same configuration was trained again on {_seeds(len(results['fresh']))} that took no "
            f"part in choosing it (study {studies}). The mean there is "
            f"{_value(results['fresh_mean'])}, against {_value(results['mean'])} in the search. The weights in this "
            "folder are the search's."
        )
    elif results["was_chosen"]:
        found.append(
            "Not confirmed: if it was named for its score, the score is optimistic until the configuration is trained "
            "again on fresh seeds."
            if not results["is_best"]
            else "Not confirmed: it was chosen by the images on which its score was measured, so the score is "
            "optimistic until the configuration is trained again on fresh seeds."
        )
    else:
        found.append("Not confirmed: the configuration was not trained again in another study.")
    if results["counting_epoch"] != "last":
        found.append(
            f"Its weights are those of epoch {info['epoch']}, which the same images chose "
            f"(`{results['counting_epoch']}`)."
        )
    looks = results["looks_at_test_images"]
    times = "once" if looks == 1 else f"{looks} times"
    if results["test"]:
        day = time.strftime("%Y-%m-%d", time.gmtime(results["test"][0]["evaluated"]))
        found.append(
            f"The test accuracy is the last that `qpsearch evaluate` recorded for these weights ({day}). The study's "
            f"test images were looked at {times}: each look that takes part in a choice makes them validation images."
        )
    elif looks:
        found.append(
            f"These weights were not tested. The study's test images were looked at {times}, for other weights."
        )
    else:
        found.append("Nobody has looked at the test images: `qpsearch evaluate` does, once, when all is chosen.")
    return found


def _honest_alone(info: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know to believe the numbers of a network that was trained outside studies."""
    results, looks = info["results"], info["results"]["looks_at_test_images"]
    found = ["It was trained by itself with `qpsearch train`, on one seed: another seed gives another number."]
    if results["counting_epoch"] != "last":
        found.append(
            f"Its weights are those of epoch {info['epoch']}, which the same images chose "
            f"(`{results['counting_epoch']}`), so the number is optimistic."
        )
    times = "once" if looks == 1 else f"{looks} times"
    found.append(
        f"The test images were looked at {times} from this folder." if looks else "The test images were not looked at."
    )
    return found


def _input(info: Mapping[str, Any]) -> str:
    given, out = info["input"], info["output"]
    _, channels, size, _ = given["shape"]
    order = "red, green, blue" if given["channels"] == "RGB" else "grey levels"
    names = "" if out["classes"] is None else _class_names(out["classes"])
    return (
        f"The programs take `{given['name']}`, float32 of shape (N, {channels}, {size}, {size}) for any N from 1: "
        f"{order}, already normalised. Of a pixel from 0 to {given['peak']} that is `(pixel / {given['peak']} - "
        f"mean) / std`, with mean {_list(given['mean'])} and std {_list(given['std'])} for the channels in this "
        f"order; of a larger image the centre.{_resizing(info)} They give `{out['name']}`, float32 of shape "
        f"(N, {out['shape'][1]}): the largest is the class, and softmax makes them probabilities.{names}"
    )


def _resizing(info: Mapping[str, Any]) -> str:
    """Say how images of the user's own are made alike, where they were not."""
    own = info["config"]["data"].get("own")
    if not own or not own["stored_size"]:
        return ""
    side = own["stored_size"]
    return f" Images of other sizes are first resized, their shorter side to {side} pixels (bilinear, antialiased)."


def _class_names(names: list[str]) -> str:
    return f"\n\nClasses, from 0: {', '.join(names)}. `config.json` has them, too."


def _use(info: Mapping[str, Any]) -> str:
    _, channels, size, _ = info["input"]["shape"]
    written = [check["file"] for check in info["checks"] if check["problem"] is None]
    parts = []
    if "model.safetensors" in written:
        parts.append(
            "With qpsearch (`pip install 'qpsearch[export]'`), from raw images, here in this folder:\n\n"
            "```python\nimport torch\n\nfrom load import classes, network, preprocess\n\n"
            f"images = torch.zeros(4, {channels}, {size}, {size}, dtype=torch.uint8)  # yours, as the data set "
            "stores them\nwith torch.inference_mode():\n    labels = network(preprocess(images)).argmax(1)\n"
            "print([classes[label] if classes else int(label) for label in labels])\n```"
        )
    if "model.pt2" in written:
        parts.append(
            "With torch alone, from normalised images:\n\n```python\nimport torch\n\n"
            "network = torch.export.load('model.pt2').module()\n"
            f"print(network(torch.zeros(4, {channels}, {size}, {size})).shape)\n```"
        )
    if "model.onnx" in written:
        parts.append(
            "With onnxruntime, from normalised images:\n\n```python\nimport numpy as np\nimport onnxruntime\n\n"
            "session = onnxruntime.InferenceSession('model.onnx', providers=['CPUExecutionProvider'])\n"
            f"images = np.zeros((4, {channels}, {size}, {size}), np.float32)\n"
            "print(session.run(None, {'images': images})[0].shape)\n```"
        )
    return "\n\n".join(parts) or WITHOUT


def _files(info: Mapping[str, Any]) -> str:
    checks = info["checks"]
    if not checks:
        return (
            f"The checkpoint `{info['results']['checkpoint']}`, which `torch.load` reads, has the weights in `model`."
        )
    lines = ["| file | what it is | largest difference of a logit |", "| --- | --- | --- |"]
    for check in checks:
        told = "not written" if check["problem"] else f"{check['difference']:.2g}"
        lines.append(f"| `{check['file']}` | {FORMS[check['file']]} | {told} |")
    first = checks[0]
    batches = ", ".join(map(str, first["batches"]))
    split = "validation" if info["config"]["data"]["validation"] else "training"
    notes = [
        f"Compared on {first['images']} {split} images, in batches of {batches}, with the outputs of the network "
        f"itself, whose largest logit is {first['largest']:.3g}. A file that differs by more than a thousandth of "
        "that is not written."
    ]
    others = sum(check["other_classes"] for check in checks if not check["problem"])
    if others:
        notes.append(f"In {others} cases the most likely class is another, since two logits are nearly equal.")
    if first["not_finite"]:
        notes.append(f"On {first['not_finite']} of these images the network itself gives logits that are not finite.")
    notes += [f"`{check['file']}` was not written: {check['problem']}." for check in checks if check["problem"]]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def _network(info: Mapping[str, Any]) -> str:
    network = info["config"]["network"]
    lines = ["| stage | block | width | blocks | stride | rules |", "| --- | --- | --- | --- | --- | --- |"]
    for index, stage in enumerate(network["stages"]):
        own = (stage.get("quotient") or {}) | (stage.get("product_unit") or {}) | dict(stage.get("own") or ())
        rules = {
            name: stage[name] for name in ("branch", "norm", "norm_placement", "init", "shortcut") if name in stage
        } | own
        told = ", ".join(f"{name} {_word(value)}" for name, value in rules.items())
        shape = f"{stage['width']} | {stage['depth']} | {stage['stride']}"
        lines.append(f"| {index} | {stage['block']} | {shape} | {told} |")
    stem = f"The stem has {network['stem_width']} channels; images are {network['size']} x {network['size']}."
    custom = [f"Block `{name}` is code of the module `{module}`." for name, module in info["custom_blocks"].items()]
    return "\n".join([*lines, "", " ".join([stem, *custom])])


def _training(info: Mapping[str, Any]) -> str:
    recipe, data = info["config"]["recipe"], info["config"]["data"]
    optimizer = ", ".join(f"{name} {_word(value)}" for name, value in recipe["optimizer"].items() if name != "kind")
    precision = "" if recipe["precision"] == "float32" else " The programs compute in float32 all the same."
    options: dict[str, list[str]] = {word: [] for word in data["augment"]}
    for path, value in data.get("augment_options", ()):
        word, _, name = path.partition(".")
        options[word].append(f"{name} {value:g}")
    augment = ", ".join(f"{word} ({', '.join(own)})" if own else word for word, own in options.items()) or "none"
    more = "".join(f"{name} {_word(value)}, " for name, value in recipe.items() if name not in TOLD)
    count = f"{data['validation']:,} images"
    held = f"validated on its own split of {count}" if data.get("own_validation") else f"of which {count} were held out"
    return (
        f"{counted(recipe['epochs'], 'epoch')} of `{data['dataset']}`, {held}; "
        f"batches of {recipe['batch_size']}, {recipe['optimizer']['kind']} ({optimizer}), schedule "
        f"{recipe['schedule']}, {more}augmentation {augment}, {recipe['precision']}.{precision} Seed {info['seed']} "
        f"(replicate {info['replicate']}); the weights are those of epoch {info['epoch']}. Exported by qpsearch "
        f"{info['qpsearch']} with torch {info['torch']}. `config.json` has every setting."
    )


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count != 1)}"


def _value(number: float | None) -> str:
    return "not finite" if number is None else f"{number:.4f}"


def _word(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _list(values: list[float]) -> str:
    return f"({', '.join(map(str, values))})"
