"""``qpsearch model ...``: the papers' networks and rules, untrained; and export of trained networks."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from qpsearch.architecture.blocks import custom_blocks
from qpsearch.architecture.config import Network
from qpsearch.architecture.cost import Cost, cost, try_custom_blocks
from qpsearch.architecture.named import list_networks, named_network
from qpsearch.architecture.paper_rules import PAPER_RULES, PaperRule, yaml_text
from qpsearch.architecture.resolve import check_shapes
from qpsearch.architecture.variations import one_at_a_time
from qpsearch.cli.options import Json, Storage, StudyArgument, print_json
from qpsearch.cli.rules_table import described, markdown, short, values_of
from qpsearch.display.console import Column, open_console, open_table, print_line, print_rows
from qpsearch.display.plain import say
from qpsearch.display.shown import score, short_number
from qpsearch.errors import Infeasible, UserError, blamed, nearest
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.space.schema.fields import REQUIRED
from qpsearch.space.schema.numbers import WIDTH
from qpsearch.vocabulary import Precision

if TYPE_CHECKING:
    from qpsearch.models.audit import AuditPlan, Look
    from qpsearch.runner.exporting import Export

LOOK = "{:<9} {:>7} {:>6}  {:<5}  {:<10}  {:<10}  {:<23}  {:<23}  {:>8}  {}"  # the format of an audit's line
LOOKED_AT = (
    "precision",
    "inputs",
    "steps",
    "mode",
    "forward",
    "backward",
    "activations",
    "gradients",
    "at floor",
    "ln of units",
)

app = typer.Typer(
    help="Look at networks and at the papers' design rules; export a trained network.", no_args_is_help=True
)

NetworkName = Annotated[
    str, typer.Argument(help="A network, such as quotient44; see qpsearch model list.", metavar="NAME")
]
Classes = Annotated[int | None, typer.Option(min=2, max=100_000, help="Outputs of the head; default 10 or 1000.")]
Width = Annotated[
    int | None, typer.Option(min=1, max=WIDTH.high, help="Channels of the first stage of a depth 6n + 2.")
]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show the named networks with their costs.

    Examples:
        qpsearch model list
    """
    rows = [(name, source, named_network(name)) for name, source in list_networks()]
    if as_json:
        print_json(
            {"models": [{"name": name} | asdict(cost(network)) | {"source": source} for name, source, network in rows]}
        )
        return
    columns = [
        Column(title="name"),
        Column(title="layers", is_number=True),
        *(Column(title=title, is_number=True) for title in ("params", "MACs", "memory")),
        Column(title="source"),
    ]
    found = [
        [name, str(network.layers), *_short_costs(cost(network)), source.removesuffix("; ImageNet shape")]
        for name, source, network in rows
    ]
    console = open_console()
    print_rows(console, columns, found)
    print_line(console, Text("MACs and memory (of activations) are for one image; exact: qpsearch model show NAME"))


@app.command("show")
def show(name: NetworkName, classes: Classes = None, width: Width = None, as_json: Json = False) -> None:
    """Show a network layer by layer: shapes, parameters, multiply-accumulates, activation bytes of one image.

    Examples:
        qpsearch model show quotient44
        qpsearch model show resnet18 --classes 100
    """
    from qpsearch.models.summary import layers_of

    network = named_network(name, classes=classes, width=width)
    try_custom_blocks(network)
    layers, total = layers_of(network), cost(network)
    if as_json:
        rows = [{"name": layer.name, "kind": layer.kind, "shape": layer.shape} | asdict(layer.cost) for layer in layers]
        image = [network.channels, network.size, network.size]
        print_json({"name": name} | asdict(total) | {"image": image, "blocks": network.blocks, "layers": rows})
        return
    table = open_table("layer", "kind", ">output", ">parameters", ">MACs", ">activations")
    for layer in layers:
        shape = "x".join(map(str, layer.shape))
        table.add_row(layer.name, layer.kind, shape, *_costs(layer.cost))
    console = open_console(soft_wrap=True)
    console.print(table)
    parameters, macs, activations = _costs(total)
    size = f"{network.channels}x{network.size}x{network.size}"
    console.print(f"{name}: {parameters} parameters, {macs} MACs, {activations} of activations for one image of {size}")


@app.command("rules")
def rules(
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: Json = False,
) -> None:
    """Show the papers' design rules: the setting of a space file for each, its values, and what is not known.

    Examples:
        qpsearch model rules
        qpsearch model rules --markdown
    """
    if as_json:
        print_json({"rules": list(map(_rule, PAPER_RULES))})
        return
    if as_markdown:
        say(markdown())
        return
    for rule in PAPER_RULES:
        say(f"{rule.id:<4} {rule.choice}")
        say(f"     {described(rule).replace('`', '')}")
        say(f"     paper: {rule.paper} ({rule.source}){f'; not recovered: {rule.open}' if rule.open else ''}")


@app.command("audit")
def audit(
    name: NetworkName,
    steps: Annotated[str, typer.Option(metavar="N,...", help="Numbers of steps after which to look.")] = "0,1,10,100",
    scales: Annotated[str, typer.Option(metavar="X,...", help="Standard deviations of the inputs.")] = "1e-3,1,1e3",
    precisions: Annotated[
        str, typer.Option(metavar="NAME,...", help="Number formats to compute in.")
    ] = "float32,bfloat16",
    lr: Annotated[float, typer.Option(min=0, max=100, help="Learning rate of SGD.")] = 0.1,
    batch: Annotated[int, typer.Option(min=2, max=100_000, help="Images per step.")] = 16,
    size: Annotated[
        int | None, typer.Option(min=4, max=4096, help="Side of the images; the default is the network's own.")
    ] = None,
    each: Annotated[
        bool, typer.Option("--settings", help="Also audit the network with each rule changed, one at a time.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and inputs.")] = 0,
    as_json: Json = False,
) -> None:
    """Train on noise, and see whether everything stays finite: at all scales, in both modes, in float32 and bfloat16.

    Exits with 1 where something of the network itself did not.

    Examples:
        qpsearch model audit quotient44
        qpsearch model audit pure20 --steps 0,10 --precisions float32
    """
    network = _resized(named_network(name), size)
    counts, spreads = _numbers(steps, "steps", int), _numbers(scales, "scales", float)
    words = [word.strip() for word in precisions.split(",")]
    if unknown := [word for word in words if word not in list(Precision)]:
        raise UserError(f"--precisions: unknown precision {unknown[0]!r}. {nearest(unknown[0], list(Precision))}")
    from qpsearch.models.audit import AuditPlan

    plan = AuditPlan(
        steps=tuple(sorted(set(counts))),
        scales=tuple(spreads),
        precisions=tuple(map(Precision, words)),
        batch=batch,
        lr=lr,
        seed=seed,
    )
    device = _device()
    try_custom_blocks(network)
    looks = list(_shown(_looks(network, plan, device), quiet=as_json))
    failed = sum(not look.passed for look in looks)
    if not as_json:
        say("activations, gradients: root mean square behind the first, a middle and the last block")
        verdict = f"{failed} of {len(looks)} looks not finite" if failed else "everything finite"
        say(f"{name}: {verdict}", flush=True)
    found = {}
    for label, other in one_at_a_time(network) if each else ():
        found[label] = _passes(_looks(other, plan, device))
        if not as_json:
            say(f"  {label}: {found[label][1]}", flush=True)
    if as_json:
        print_json(_document(name, looks, found, device))
    if failed:
        raise typer.Exit(1)


@app.command("export")
def export(
    study: StudyArgument,
    trial: Annotated[
        int | None, typer.Option(metavar="N", help="Which trial; default the first of the best configuration.")
    ] = None,
    replicate: Annotated[int, typer.Option(min=0, help="Which of the trial's runs.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder to write into; default studies/export/STUDY-TRIAL.", metavar="FOLDER"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export in the folder.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Write a trained network into a folder: weights, configuration, loader, torch.export and ONNX programs, a card.

    Each file is compared with the network on validation images; one that differs is not written. Exits with 1 where a
    file could not be written. Needs: pip install 'qpsearch[export]'.

    Examples:
        qpsearch model export digits
        qpsearch model export digits --trial 7 --output exported/seven
    """
    from qpsearch.runner.winner import export_model
    from qpsearch.study.storage.database import Database

    done = export_model(Database.open(storage), study, output, trial=trial, replicate=replicate, overwrite=overwrite)
    if as_json:
        print_json(done.to_dict())
    else:
        _print_export(done)
    if done.problems:
        raise typer.Exit(1)


def _print_export(done: "Export") -> None:
    info, results = done.info, done.info["results"]
    say(
        f"study {info['study']}, trial {info['trial']}: "
        f"{results['metric']} {score(results['score'])} in epoch {info['epoch']}"
    )
    differences = {check["file"]: check["difference"] for check in info["checks"]}
    for name in done.files:
        compared = f"  largest difference of a logit {differences[name]:.2g}" if name in differences else ""
        say(f"  {done.folder / name}{compared}")
    by_reason: dict[str, list[str]] = {}
    for name, problem in done.problems.items():
        by_reason.setdefault(problem, []).append(name)
    for problem, names in by_reason.items():
        say(f"not written: {' and '.join(names)}: {problem}.")
    if results["on_fresh_seeds"]:
        say("The study does not search: its runs are on fresh seeds, which took no part in choosing what it trains.")
    elif results["confirmed"]:
        say(f"Confirmed: {len(results['fresh'])} runs on fresh seeds have a mean of {score(results['fresh_mean'])}.")
    elif results["was_chosen"]:
        say("Not confirmed: the score is optimistic until the configuration is trained again on fresh seeds.")


def _resized(network: Network, size: int | None) -> Network:
    """Return a network for images of that size, which must not be smaller than its strides."""
    if size is None:
        return network
    resized = replace(network, size=size)
    try:
        check_shapes(resized)
    except Infeasible as error:
        raise UserError(f"--size {size}: {error}. Expected larger images.") from None
    return resized


def _looks(network: Network, plan: "AuditPlan", device: str) -> Iterator["Look"]:
    """Audit a network; an error that a custom block raises is reported as that block's error."""
    from qpsearch.models.audit import audit as look_at

    own = custom_blocks(network)
    with blamed("block", ", ".join(own)) if own else nullcontext():
        yield from look_at(network, plan, device)


def _passes(looks: Iterator["Look"]) -> tuple[bool, str]:
    """Return whether a network with another setting stays finite, with a text; a setting may also be refused."""
    try:
        done = list(looks)
    except UserError as error:
        return False, str(error)
    return all(look.passed for look in done), _in_short(done)


def _shown(looks: Iterator["Look"], *, quiet: bool) -> Iterator["Look"]:
    """Print each look when it is done, since a deep network's audit takes long and may be interrupted."""
    if not quiet:
        say(LOOK.format(*LOOKED_AT))
    for look in looks:
        if not quiet:
            cells = (
                look.precision,
                f"{look.scale:g}",
                look.steps,
                "train" if look.training else "eval",
                _verdict(look.forward),
                _verdict(look.backward),
                _by_depth(look.activations),
                _by_depth(look.gradients),
                "" if look.at_floor is None else f"{look.at_floor:.0%}",
                "" if look.exponents is None else f"{look.exponents[0]:.1f} to {look.exponents[1]:.1f}",
            )
            say(LOOK.format(*cells).rstrip(), flush=True)
        yield look


def _numbers(text: str, option: str, kind: type) -> list[Any]:
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or any(not 0 <= value <= 1e9 for value in found):
        what = "whole numbers" if kind is int else "numbers"
        raise UserError(f"--{option} {text}: expected {what} from 0 to 1e9 between commas, such as 1,10,100.")
    return found


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _in_short(looks: Sequence["Look"]) -> str:
    failed = [look for look in looks if not look.passed]
    if not failed:
        return f"finite, largest activation {max(max(look.activations) for look in looks):.2g}"
    first = failed[0]
    where = f"inputs {first.scale:g}, {first.steps} steps, {'train' if first.training else 'eval'}, {first.precision}"
    return f"NOT FINITE in {len(failed)} of {len(looks)} looks, first at {where}"


def _verdict(finite: bool) -> str:
    return "finite" if finite else "NOT FINITE"


def _by_depth(values: Sequence[float]) -> str:
    return " ".join(f"{values[index]:.1e}" for index in sorted({0, len(values) // 2, len(values) - 1}))


def _document(name: str, looks: Sequence["Look"], found: dict[str, tuple[bool, str]], device: str) -> dict[str, Any]:
    document: dict[str, Any] = {"name": name, "device": device, "passed": all(look.passed for look in looks)}
    document["looks"] = [asdict(look) | {"passed": look.passed} for look in looks]
    document["settings"] = {label: passed for label, (passed, _) in found.items()}
    return document


def _rule(rule: PaperRule) -> dict[str, Any]:
    settings = [
        {
            "setting": short(path),
            "path": path,
            "values": values_of(field.type),
            "default": None if field.default is REQUIRED else yaml_text(field.default),
        }
        for path, field in rule.fields()
    ]
    return {
        "id": rule.id,
        "choice": rule.choice,
        "settings": settings,
        "paper": rule.paper,
        "source": rule.source,
        "not_recovered": rule.open or None,
        "note": rule.note or None,
    }


def _short_costs(total: Cost) -> tuple[str, str, str]:
    return short_number(total.parameters), short_number(total.macs), f"{total.activation_bytes / 2**20:.1f} MiB"


def _costs(total: Cost) -> tuple[str, str, str]:
    return f"{total.parameters:,}", f"{total.macs / 1e6:,.1f}M", f"{total.activation_bytes / 2**20:,.2f} MiB"
