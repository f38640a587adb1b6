"""``qpsearch space plan``: a search before it runs: its parameters, networks and cost."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import takewhile
from typing import Any

from rich.console import Console

from qpsearch.analysis.plan import Plan, make_plan, mean_seconds
from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.notes import lost_guesses
from qpsearch.cli.options import print_json
from qpsearch.display.console import Cell, Column, open_console, open_table, print_rows
from qpsearch.display.plain import say
from qpsearch.display.shown import duration
from qpsearch.errors import counted
from qpsearch.protocol import RunSettings
from qpsearch.runner.machine import SAFE_PYTHON, has_gpu
from qpsearch.space import Space
from qpsearch.space.leaves import NEVER, Constant, Tied
from qpsearch.space.schema.settings import field_at
from qpsearch.vocabulary import Variable


def show_plan(loaded: Space, *, measure: bool, as_json: bool) -> None:
    """Print the plan of a search, or of each search of a comparison, after timing networks if ``measure`` is set."""
    if loaded.compare is None:
        if as_json:
            print_json(_planned(loaded, measure=measure))
        else:
            _show(loaded, measure=measure)
        return
    arms = loaded.compare.arms
    count = loaded.compare.count
    again = {"searches": count, "top": loaded.compare.top, "seeds": loaded.compare.seeds}
    if as_json:
        plans = {name: _planned(arm, measure=measure) for name, arm in arms.items()}
        print_json({"study": loaded.study, "arms": plans, "retrained": again})
        return
    for name, arm in arms.items():
        say(f"arm {name}")
        _show(arm, measure=measure)
    if count > 1:
        say(f"each arm is searched {count} times: all of this {count} times")
    trials = len(arms) * count * loaded.compare.top * loaded.compare.seeds
    say(f"after the searches: {trials} trial{'s' * (trials != 1)} on fresh seeds, without pruning")


def _planned(loaded: Space, *, measure: bool) -> dict[str, Any]:
    made = make_plan(loaded)
    measured, device = _measured(loaded, made.timed) if measure else ([], "")
    return _document(loaded, made, measured, device) | {"notes": lost_guesses(loaded)}


def _show(loaded: Space, *, measure: bool) -> None:
    console = open_console()
    made = make_plan(loaded)
    _print_tree(console, loaded)
    _print_networks(console, loaded, made)
    for text in lost_guesses(loaded):
        console.print(f"note: {text}")
    with console.status("training three networks for some seconds each"):
        measured, device = _measured(loaded, made.timed) if measure else ([], "")
    _print_sizes(console, made, measured, device)
    for line in _costs(loaded, made, measured):
        console.print(line)


def parameter_rows(space: Space) -> list[dict[str, str]]:
    """Return each searched parameter: path, domain, the rules it stands for, and when it is drawn."""
    first_of_tie: dict[str, str] = {}
    rows = []
    for site in space.sites:
        if isinstance(site.leaf, Constant) or site.when == NEVER:
            continue
        rules = getattr(field_at(site.path), "rule", "")
        row = {"parameter": site.path, "domain": str(site.leaf), "rules": rules, "when": site.condition()}
        if isinstance(site.leaf, Tied) and (first := first_of_tie.setdefault(site.leaf.name, site.path)) != site.path:
            row["domain"] = f"as {first} (tie {site.leaf.name})"
        rows.append(row)
    return rows


def _measured(space: Space, configs: Sequence[TrialConfig]) -> tuple[list[float], str]:
    """Return each network's seconds per epoch, timed in a process that may load torch; empty if timing fails."""
    gpu = has_gpu() and space.resources.gpus != 0
    settings = RunSettings(
        seed=0,
        device="cuda" if gpu else "cpu",
        threads=space.resources.cpus,
        data_folder=None,
        cuda_graphs=space.resources.cuda_graphs,
    )
    command = [*SAFE_PYTHON, "-m", "qpsearch.training.measure", json.dumps(asdict(settings))]
    asked = "".join(f"{config.to_json()}\n" for config in configs)
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False, env=Variable.for_child())
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) < len(configs) or any(answer["seconds"] is None for answer in answers):
        is_short = any(answer["seconds"] is None for answer in answers)
        ended = "memory does not suffice" if is_short else f"the process that times them ended with {done.returncode}"
        why = done.stderr.strip().splitlines()[-1:] or [ended]
        say(f"the networks cannot be timed: {why[0]}", out=sys.stderr)
        return [], ""
    return [answer["seconds"] for answer in answers], str(answers[0]["device"])


def _print_tree(console: Console, space: Space) -> None:
    rows = parameter_rows(space)
    searched = sum(not row["domain"].startswith(("=", "as ")) for row in rows)
    console.print(f"study {space.study}, data {space.data.dataset}: {counted(searched, 'parameter')}")
    table = open_table("parameter", "domain", "rules", "drawn when")
    shown: list[str] = []  # the path at which the last line ends
    for row in rows:
        *above, name = row["parameter"].split(".")
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(shown, above, strict=False)))
        for depth in range(shared, len(above)):
            table.add_row("  " * depth + above[depth], "", "", "")
        table.add_row("  " * len(above) + name, row["domain"], row["rules"], row["when"])
        shown = [*above, name]
    console.print(table)


def _print_networks(console: Console, space: Space, made: Plan) -> None:
    if math.isinf(made.networks):
        console.print(f"infinitely many networks; {made.shapes:,.0f} without the rules that are continuous")
    else:
        console.print(f"networks: {made.networks:,.0f}")
    if space.search.limits or space.search.conditions or made.allowed < made.looked_at:
        refused = "; refused by:" if made.refusals.counts else ""
        console.print(f"conditions: {made.allowed} of {made.looked_at} points looked at may be trained{refused}")
        for part in made.refusals.parts:
            console.print(f"  {part}")


def _print_sizes(console: Console, made: Plan, measured: Sequence[float], device: str) -> None:
    names, costs = ("smallest", "median", "largest"), [size.cost for size in made.sizes]
    rows: list[list[Cell]] = [
        ["parameters", *(f"{cost.parameters:,}" for cost in costs)],
        ["MACs", *(f"{cost.macs / 1e6:,.1f}M" for cost in costs)],
        ["activations per image", *(f"{cost.activation_bytes / 2**20:.1f} MiB" for cost in costs)],
        ["memory to train", *(f"{size.training_bytes / 2**20:,.0f} MiB" for size in made.sizes)],
    ]
    if measured:
        rows.append([f"epoch on {device}, batches of {made.batch_size}", *(f"{seconds:.1f} s" for seconds in measured)])
    print_rows(console, [Column(title="network"), *(Column(title=name, is_number=True) for name in names)], rows)
    for name, size in zip(names, made.sizes, strict=True):
        stages = ", ".join(f"{stage.depth} x {stage.block} {stage.width}" for stage in size.config.network.stages)
        console.print(f"{name}: {stages}")


def _costs(space: Space, made: Plan, measured: Sequence[float]) -> Iterator[str]:
    budget, search = space.search.budget, space.search
    epochs = made.trials * made.epochs
    kept = f", about {epochs * made.kept:,.0f} with {search.pruner} (simulated)" if made.kept < 1 else ""
    yield f"search: {counted(made.trials, 'trial')}, {counted(round(epochs), 'epoch')} without pruning{kept}"
    if search.fidelity is not None:
        yield f"fidelity {search.fidelity.told}; epochs are counted by their cost"
    if search.race is not None:
        most = made.trials * made.epochs_at_most
        seeds = f"{search.replicates} seed{'s' * (search.replicates > 1)} a trial"
        yield f"race: these are at least, with {seeds}; at most, with {search.race}, {most:,.0f} epochs"
    if not measured:
        yield "time: not measured"
        return
    whole = made.trials * mean_seconds(made, measured)
    pruned = f", about {duration(whole * made.kept)} with pruning" if made.kept < 1 else ""
    yield f"time: about {duration(whole)} without pruning{pruned}"
    yield "      (estimated for one trial at a time on this machine)"
    bounds = {"epochs": budget.epochs, "time": budget.seconds and duration(budget.seconds)}
    bounds["GPU hours"] = budget.gpu_seconds and budget.gpu_seconds / 3600
    given = [f"{value} {name}" for name, value in bounds.items() if value]
    if given:
        yield f"it ends earlier where its budget is met: {', '.join(given)}"


def _document(space: Space, made: Plan, measured: Sequence[float], device: str) -> dict[str, Any]:
    whole = made.trials * mean_seconds(made, measured) if measured else None
    return {
        "study": space.study,
        "parameters": parameter_rows(space),
        "networks": None if math.isinf(made.networks) else made.networks,
        "shapes": made.shapes,
        "looked_at": made.looked_at,
        "allowed": made.allowed,
        "refused": dict(made.refusals.counts),
        "sizes": {
            name: asdict(size.cost)
            | {"training_bytes": size.training_bytes, "config": json.loads(size.config.to_json())}
            | {"seconds_an_epoch": measured[index] if measured else None}
            for index, (name, size) in enumerate(zip(("smallest", "median", "largest"), made.sizes, strict=True))
        },
        "device": device or None,
        "timed_batch_size": made.batch_size if measured else None,
        "trials": made.trials,
        "epochs": made.trials * made.epochs,
        "epochs_at_most": made.trials * made.epochs_at_most,
        "kept": made.kept,
        "seconds": whole,
        "seconds_with_pruning": None if whole is None else whole * made.kept,
    }
