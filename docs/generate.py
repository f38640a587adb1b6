"""The pages that follow from the code: ``python docs/generate.py`` writes them, and a test holds them equal.

Keys of a space file come from the schema, commands from the command line, rules from the table of rules.
"""

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from ruamel.yaml import YAML
from typer.main import get_command

from qpsearch.analysis.compare.comparison import Comparison
from qpsearch.analysis.effects import EffectTable
from qpsearch.analysis.importance import ImportanceTable
from qpsearch.cli.app import make_app
from qpsearch.cli.rules_table import markdown
from qpsearch.registry.metrics import Metric
from qpsearch.registry.metrics import words as metric_words
from qpsearch.registry.metrics.base import ValuesFrom
from qpsearch.runner.documents import (
    BestDocument,
    ConfirmDocument,
    ExportDocument,
    RerunDocument,
)
from qpsearch.runner.evaluate_documents import EvaluateDocument
from qpsearch.runner.tool_documents import DoctorDocument, EnqueueDocument, SimulateDocument, TrainDocument
from qpsearch.space.schema.data import USED
from qpsearch.space.schema.fields import (
    REQUIRED,
    ArmsField,
    AugmentField,
    ConditionsField,
    Field,
    LeafField,
    ListField,
    PointsField,
    RecipeField,
    SectionField,
    SeedsField,
    StagesField,
    VariantField,
)
from qpsearch.space.schema.settings import SPACE
from qpsearch.space.schema.value_types import Flag, Integer, Number, OneOf, Optional, Words
from qpsearch.vocabulary import Direction

SOURCES = {
    ValuesFrom.REPORT: "In every report",
    ValuesFrom.LOGITS: "From the network's outputs",
    ValuesFrom.TARGET: "From the epochs so far",
    ValuesFrom.CLOCK: "Timed once a run",
    ValuesFrom.NETWORK: "Costs, known without training",
}
REFERENCE = Path(__file__).parent / "reference"
SPACES = Path(__file__).parent.parent / "spaces"
DOCUMENTS = {
    "importance": ImportanceTable,
    "effects": EffectTable,
    "compare": Comparison,
    "best": BestDocument,
    "confirm": ConfirmDocument,
    "doctor": DoctorDocument,
    "enqueue": EnqueueDocument,
    "simulate": SimulateDocument,
    "train": TrainDocument,
    "rerun": RerunDocument,
    "evaluate": EvaluateDocument,
    "model export": ExportDocument,
}
OWN = {  # where no shipped space has the key, and its type does not tell
    "data.folder": "folder: photos",
    "data.archive": "archive: images.npz",
    "data.size": "size: 64",
    "data.facts": "(written by qpsearch)",
    "extends": "extends: cifar",
    "training.optimizer": "optimizer: {sgd: {lr: 0.1, momentum: 0.9}}",
    "training.recipe": "recipe: modern",
    "training.warmup": "warmup: {choice: [0, 0.05]}",
    "training.label_smoothing": "label_smoothing: {float: [0.0, 0.2]}",
    "training.grad_clip": "grad_clip: 1.0",
    "training.gradient_accumulation": "gradient_accumulation: 4",
    "training.dropout": "dropout: {float: [0.0, 0.5]}",
    "training.drop_path": "drop_path: {float: [0.0, 0.2]}",
    "training.ema": "ema: {choice: [none, 0.999]}",
    "search.budget.gpu_hours": "gpu_hours: 48",
    "search.budget.epochs": "epochs: 2000",
    "search.budget.time": "time: 12h",
    "search.limits.activation_bytes": 'activation_bytes: "<= 4MiB"',
    "search.fidelity.images": "images: [0.1, 0.3, 1]",
    "search.fidelity.image_size": "image_size: [16, 24, 32]",
    "search.fidelity.width": "width: [0.25, 0.5, 1]",
    "search.first": "first: [{network.stages.*.block: additive, training.optimizer.sgd.lr: 0.1}]",
    "search.warm_start": "warm_start: [cifar, digits]",
    "search.forbid": "forbid: [{network.stages.0.block: product_unit, network.rules.norm: group}]",
    "search.require": 'require: ["network.stages.0.depth <= 4 or macs < 100M"]',
    "compare.arms": "arms: {plain: {network.stages.*.block: additive}, quotient: {network.stages.*.block: quotient}}",
    "search.metrics": "metrics: [val_macro_f1, latency_ms]",
    "resources.report_timeout": "report_timeout: 2h",
    "resources.gpus": "gpus: 0.5",
    "resources.fuse": "fuse: auto",
    "resources.concurrent": "concurrent: 4",
}


def pages() -> dict[Path, str]:
    """Return the text of each generated page, by its place."""
    return {
        REFERENCE / "space-file.md": keys_page(),
        REFERENCE / "commands.md": commands_page(),
        REFERENCE / "metrics.md": metrics_page(),
        REFERENCE / "rules.md": rules_page(),
        REFERENCE / "json.md": json_page(),
    }


def metrics_page() -> str:
    """Return the page of all metrics."""
    lines = [
        "# Every metric",
        "",
        "What `search.objective` and `search.metrics` can name; [the guide](../guides/metrics.md) says how it is used.",
        "Values of `val_` are of the validation images; `qpsearch evaluate` gives those of the test images.",
    ]
    for source, title in SOURCES.items():
        lines += ["", f"## {title}", "", "| word | what it is | better | range | defined by |", f"|{'---|' * 5}"]
        for word in metric_words():
            kind = Metric(word).kind
            if kind.source is source:
                better = "more" if kind.direction is Direction.MAXIMIZE else "less"
                reach = f"from {kind.low:g}" if math.isinf(kind.high) else f"{kind.low:g} to {kind.high:g}"
                unit = f" {kind.unit}" if kind.unit else ""
                cells = (f"`{word}`", kind.doc, better, f"{reach}{unit}", kind.paper or "-")
                lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def keys_page() -> str:
    """Return the page of all keys of a space file."""
    lines = [
        "# Every key of a space file",
        "",
        "Below `network` and `training`, a value is a constant or a *domain*: `{choice: [a, b]}`, `{int: [1, 9]}`,",
        "`{log_int: [8, 512]}`, `{float: [0.0, 0.5]}` or `{log: [1.0e-4, 0.1]}`; `int` and `float` may have a `step`.",
        "Elsewhere it is a constant. Each key is listed with its type, its default and an example.",
        "[Write a space file](../guides/space-file.md) explains how keys are used, and [the rules](rules.md) what the",
        "papers chose: Q and P are numbers of rules.",
        "",
    ]
    for title, path, fields in _sections("", SPACE):
        lines += [f"## {title}", "", *([path, ""] if path else [])]
        lines += ["| key | what it may be | default | meaning | example |", f"|{'---|' * 5}"]
        lines += [f"| {' | '.join(map(_cell, row))} |" for row in fields]
        lines.append("")
    return "\n".join(lines)


def commands_page() -> str:
    """Return the page of all commands."""
    lines = [
        "# Every command",
        "",
        "`qpsearch COMMAND --help` prints the same. With `--json` a command prints one JSON document and nothing else.",
        "Exit codes: 0 done, 1 the run failed, 2 your file or flag, 130 interrupted.",
        "",
    ]
    root = get_command(make_app())
    for words, command in _commands(["qpsearch"], root):
        lines += _command(words, command)
    return "\n".join(lines)


def rules_page() -> str:
    """Return the page of the papers' rules."""
    return "\n".join([
        "# The papers' design rules",
        "",
        "Each rule is a setting of a space file: below `network.rules` for all stages, or in a stage for itself. Rules",
        "of blocks are also keywords of the blocks in `qpsearch.layers`. P20 is a command, and P21 is out of scope.",
        "\"Not recovered\" is what could not be found out about the papers. The reimplementations are independent",
        "work, from versions 1 and 3 of the PURe paper.",
        "[The two papers](../background/papers.md) lists what is known about them, with sources.",
        "`qpsearch model rules` prints this table.",
        "",
        markdown(),
        "",
    ])  # fmt: skip


def json_page() -> str:
    """Return the page of the documents that analyses print."""
    lines = [
        "# What `--json` prints",
        "",
        "The documents of the commands that analyse a study or work with its winner, as",
        "[JSON Schema](https://json-schema.org). `importance` and `effects` have one more key, `page`: where the HTML",
        "page was written. A number that is not finite is null.",
        "",
    ]
    for command, table in DOCUMENTS.items():
        schema = TypeAdapter(table).json_schema(mode="serialization")
        lines += [f"## `qpsearch {command}`", "", "```json", json.dumps(schema, indent=1), "```", ""]
    return "\n".join(lines)


def _sections(path: str, field: Field) -> Iterator[tuple[str, str, list[tuple[str, ...]]]]:
    """Yield the title, the sentence and the rows of every section."""
    assert isinstance(field, SectionField)
    rows = [_row(_join(path, name), inner) for name, inner in field.fields.items() if not _is_section(inner)]
    if rows:
        yield (f"`{path}`" if path else "At the top"), _doc(field), rows
    for name, inner in field.fields.items():
        place = _join(path, name)
        match inner:
            case SectionField():
                yield from _sections(place, inner)
            case StagesField(section=section, doc=doc):
                own = {key: each for key, each in section.fields.items() if key not in _rules(SPACE)}
                title = _join(place, "N")
                text = f"{doc} A stage may also name any rule of `network.rules` for itself."
                yield f"`{title}`", text, [_row(_join(title, key), each) for key, each in own.items()]
            case VariantField(branches=branches, doc=doc):
                for word, branch in branches.items():
                    for title, _, found in _sections(_join(place, word), branch):
                        yield title, f"{doc} These are the settings of `{word}`.", found
            case AugmentField(branches=branches):
                options = [
                    (f"`{word}.{key}`", *_row(_join(_join(place, word), key), each)[1:])
                    for word, branch in branches.items()
                    for key, each in branch.fields.items()
                    if key != USED
                ]
                text = f"What may stand with an augmentation. Each has `{USED}`, too: true, false or a choice of both."
                yield f"`{place}`", text, options
            case _:
                pass


def _rules(space: SectionField) -> dict[str, Field]:
    network = space.fields["network"]
    assert isinstance(network, SectionField)
    rules = network.fields["rules"]
    assert isinstance(rules, SectionField)
    return rules.fields


def _is_section(field: Field) -> bool:
    return isinstance(field, SectionField | StagesField)


def _doc(field: SectionField) -> str:
    blocks = f" For blocks of the kind {' or '.join(sorted(field.blocks))}." if field.blocks else ""
    return f"{field.doc}{blocks}".strip()


def _row(path: str, field: Field) -> tuple[str, ...]:
    name = f"`{path.rpartition('.')[2]}`"
    match field:
        case LeafField(type=type_, default=default, doc=doc, rule=rule, blocks=blocks):
            given = {REQUIRED: "required", None: "left out"}.get(default) or f"`{_spelled(default)}`"
            only = f" Only for {' or '.join(sorted(blocks))}." if blocks else ""
            meaning = f"{doc}{only}{f' ({rule})' if rule else ''}"
            return name, type_.expected, given, meaning, f"`{example(path, field)}`"
        case ListField(type=type_, default=default, doc=doc):
            return name, f"a list: {type_.expected}", f"`{_spelled(list(default))}`", doc, f"`{example(path, field)}`"
        case AugmentField(branches=branches, doc=doc):
            expected = f"a list of {', '.join(branches)}, each with its options, or a choice of lists"
            return name, expected, "`[]`", doc, f"`{example(path, field)}`"
        case SeedsField(type=type_, default=default, doc=doc):
            return name, f"{type_.expected}, or a race", f"`{default}`", doc, f"`{name.strip('`')}: {{race: [1, 5]}}`"
        case VariantField(branches=branches, default=default, doc=doc):
            expected = f"one of {', '.join(branches)}, with its settings"
            return name, expected, f"`{default}`", doc, f"`{example(path, field)}`"
        case ArmsField(doc=doc):
            return name, "two names or more, each with what the arm changes", "none", doc, f"`{example(path, field)}`"
        case RecipeField(names=names, doc=doc):
            return name, f"one of {', '.join(names)}", "none", doc, f"`{example(path, field)}`"
        case PointsField(doc=doc):
            return name, "a list of configurations", "`[]`", doc, f"`{example(path, field)}`"
        case ConditionsField(doc=doc):
            return name, "a list of conditions", "`[]`", doc, f"`{example(path, field)}`"
    raise AssertionError(path)


def example(path: str, field: Field) -> str:
    """Return a key as a shipped space has it, or one made from its type."""
    if path in OWN:
        return OWN[path]
    name = path.rpartition(".")[2]
    for tree in _shipped():
        found = _at(tree, path.split("."))
        if found is not None and not isinstance(found, dict | list):
            continue  # a domain says more than a constant, where some file has one
        if found is not None:
            return f"{name}: {_spelled(found)}"
    for tree in _shipped():
        found = _at(tree, path.split("."))
        if found is not None:
            return f"{name}: {_spelled(found)}"
    assert isinstance(field, LeafField), path
    return f"{name}: {_spelled(_made(field))}"


@cache
def _shipped() -> list[Any]:
    """Return the shipped spaces as plain data, by their names."""
    return [YAML(typ="safe").load(file.read_text()) for file in sorted(SPACES.glob("*.yaml"))]


def _at(tree: Any, parts: list[str]) -> Any:
    """Return what stands at a path; ``N`` is any stage."""
    for index, part in enumerate(parts):
        if part == "N" and isinstance(tree, list):
            return next((found for each in tree if (found := _at(each, parts[index + 1 :])) is not None), None)
        if not isinstance(tree, dict):
            return None
        tree = tree.get(part, tree.get("choice", {}).get(part) if isinstance(tree.get("choice"), dict) else None)
    return tree


def _made(field: LeafField) -> Any:
    kind = field.type.type if isinstance(field.type, Optional) else field.type
    words: list[Any] = []
    match kind:
        case OneOf(words=enum):
            words = [str(word) for word in enum]
        case Words(words=named):
            words = list(named)
        case Flag():
            words = [True, False]
    if words:
        return words[-1] if field.fixed else {"choice": words[:3]}
    if field.tried:
        low, *_, high = (value for value in field.tried if value is not None)
        return {"float": [float(low), float(high)]} if low != high else low
    if isinstance(kind, Integer):
        return kind.low if field.fixed else {"int": [kind.low, min(kind.high, kind.low + 4)]}
    assert isinstance(kind, Number), field
    return field.default


def _spelled(value: Any) -> str:
    """Return a value as one line of YAML."""
    if value is None:
        return "none"
    yaml, out = YAML(typ="safe"), StringIO()
    yaml.default_flow_style, yaml.width = True, 10_000
    yaml.dump(value, out)
    return out.getvalue().strip().removesuffix("...").strip()


def _commands(words: list[str], command: Any) -> Iterator[tuple[list[str], Any]]:
    if hasattr(command, "commands"):
        if command.invoke_without_command and len(words) > 1:
            yield words, command
        for name, inner in command.commands.items():
            yield from _commands([*words, name], inner)
    else:
        yield words, command


def _command(words: list[str], command: Any) -> list[str]:
    context = command.make_context(words[-1], [], resilient_parsing=True)
    usage = " ".join(
        [*words, *(piece.replace("{", "").replace("}", "") for piece in command.collect_usage_pieces(context))]
    )
    lines = [f"## {' '.join(words)}", "", _text(command.help), "", "```text", usage, "```", ""]
    if command.epilog:
        head, *examples = _text(command.epilog).splitlines()
        lines += [head, "", "```text", *examples, "```", ""]
    records = [each.get_help_record(context) for each in command.get_params(context) if each.name != "help"]
    rows = [(f"`{_plain(names)}`", _plain(meaning)) for names, meaning in filter(None, records)]
    if rows:
        lines += ["| argument or option | meaning |", "|---|---|"]
        lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows] + [""]
    return lines


def _plain(text: str) -> str:
    """Return what --help prints, with the ranges of numbers in words."""
    for word, shown in (("  [", " ["), (" <str>", ""), ("<int range>", "N"), ("<float range>", "X"), ("<int>", "N")):
        text = text.replace(word, shown)
    text = re.sub(r"\[([\d.e+-]+)<=x<=([\d.e+-]+)\]", r"(\1 to \2)", text.strip())
    text = re.sub(r"\[x>=(\d+)\]", r"(at least \1)", text).replace("N N", "N")
    return re.sub(r" *\[(env var: [^;\]]+|default: [^\]]+|required|env var: [^\]]+)\]", r" (\1)", text)


def _text(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").replace(r"\[", "[").strip().splitlines())


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    for place, text in pages().items():
        place.write_text(text.rstrip() + "\n")
        print(place)
