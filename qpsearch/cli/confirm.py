"""``qpsearch confirm``: the best configurations trained again on fresh seeds."""

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from qpsearch.cli.main import INTERRUPTED
from qpsearch.cli.options import Json, Storage, StudyArgument, print_json
from qpsearch.cli.run import Address, Concurrent, Cpus, DispatchOption, Gpus, SinkNames
from qpsearch.display.console import Cell, Column, open_console, print_rows, print_sentence
from qpsearch.display.shown import numbers_of, score
from qpsearch.display.steady import open_display
from qpsearch.errors import command
from qpsearch.runner.ahead import begins_ray
from qpsearch.runner.documents import ConfirmDocument
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.study.records import ConfigurationRecord
from qpsearch.vocabulary import Dispatcher

if TYPE_CHECKING:
    from qpsearch.runner.confirming import Confirmed


@begins_ray
def confirm(
    study: StudyArgument,
    top: Annotated[
        int | None, typer.Option(min=1, max=1000, help="How many of the best configurations; 3 by default.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Fresh seeds for each of them.")] = 5,
    trial: Annotated[
        list[int] | None,
        typer.Option("--trial", metavar="N", help="The configuration of a trial, in place of the best; repeatable."),
    ] = None,
    concurrent: Concurrent = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    address: Address = None,
    dispatch: DispatchOption = Dispatcher.TUNE,
    sink: SinkNames = None,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Train the best configurations again on fresh seeds, and say by how much the search was too optimistic.

    Of several objectives, the best are the first ones of the Pareto front.

    Each seed is a trial of the study STUDY.confirm, which the search does not see. The same command goes on after an
    interruption; with more seeds or configurations it adds to what is there.

    Examples:
        qpsearch confirm digits --top 3 --seeds 5
        qpsearch confirm digits --top 1 --seeds 2 --dispatch inline
    """
    from qpsearch.runner.confirming import confirm as run
    from qpsearch.runner.driving import Placement
    from qpsearch.runner.overrides import Overrides

    with nullcontext() if as_json else open_display() as display:
        confirmed = run(
            study,
            storage=storage,
            top=top,
            seeds=seeds,
            trials=trial or [],
            overrides=Overrides(concurrent=concurrent, gpus=gpus, cpus=cpus),
            placement=Placement(dispatcher=dispatch, address=address),
            sinks=sink or [],
            listen=(lambda event: None) if display is None else display.see,
        )
    if as_json:
        print_json(ConfirmDocument.of(study, confirmed).to_dict())
    else:
        _print(confirmed)
    if not confirmed.outcome.is_finished:
        raise typer.Exit(INTERRUPTED)
    if not confirmed.is_any:
        raise typer.Exit(1)


def _print(confirmed: "Confirmed") -> None:
    console = open_console()
    columns = [
        Column(title="trial"),
        Column(title="search", is_number=True),
        Column(title="mean", is_number=True),
        Column(title="sd", is_number=True),
        Column(title="n", is_number=True),
        Column(title="drop", is_number=True),
        Column(title="95% interval", is_number=True),
    ]
    print_rows(console, columns, [_row(each) for each in confirmed.configurations])
    for text in _sentences(confirmed):
        print_sentence(console, text)


def _row(found: ConfigurationRecord) -> list[Cell]:
    fresh = found.confirmed
    if fresh is None:
        return [numbers_of(found.trials), score(found.value), *["-"] * 5]
    interval = "-" if fresh.interval is None else " to ".join(f"{bound:+.4f}" for bound in fresh.interval)
    drop = "-" if fresh.drop is None else f"{fresh.drop:+.4f}"
    return [
        numbers_of(found.trials),
        score(found.value),
        score(fresh.mean),
        score(fresh.sd),
        str(fresh.n),
        drop,
        interval,
    ]


def _gain(found: ConfigurationRecord) -> float:
    """Return the mean over fresh seeds, the larger the better."""
    fresh = found.confirmed
    return -math.inf if fresh is None or fresh.mean is None else fresh.sign * fresh.mean


def _found(configuration: ConfigurationRecord) -> float:
    """Return the value of the search, the larger the better."""
    fresh = configuration.confirmed
    return -math.inf if fresh is None else fresh.sign * fresh.search


def _sentences(confirmed: "Confirmed") -> list[str]:
    """Say what the table means, and what is missing from it."""
    said = ["drop: by how much the mean over fresh seeds is worse than the value of the search"]
    whole = [each for each in confirmed.configurations if each.confirmed is not None and each.confirmed.n]
    if whole:
        best = max(whole, key=_gain)
        which = "the best of these in the search, too"
        if _found(best) < max(map(_found, whole)):
            which = "where another of these was better in the search"
        optimism = f", {which}; as the best of {len(whole)} means, its own is a little optimistic"
        said.append(f"best on fresh seeds: trial {best.number}{optimism if len(whole) > 1 else ''}")
        is_here = bool(best.first.seeds)  # else it was imported, without weights
        own = (confirmed.searched, "--trial", best.number) if is_here else (confirmed.study,)
        said.append(f"use it: {command('model', 'export', *own)}")
    fresh = [each.confirmed for each in confirmed.configurations if each.confirmed is not None]
    if failed := sum(each.failed for each in fresh):
        said.append(f"{failed} fresh seeds failed; the means leave them out: {command('trials', confirmed.study)}")
    if not confirmed.outcome.is_finished:
        said.append("stopped; the same command goes on")
    else:
        said.append(
            f"every seed: {command('trials', confirmed.study)}; the test images: {command('evaluate', confirmed.study)}"
        )
    return said
