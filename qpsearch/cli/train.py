"""``qpsearch train``: one network by itself, outside any study."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from qpsearch.cli.completion import space_names
from qpsearch.cli.main import INTERRUPTED
from qpsearch.cli.options import Json, Settings, print_json
from qpsearch.display.plain import say
from qpsearch.display.shown import cost_title, duration, from_here, scalar, score, short_number
from qpsearch.display.steady import is_live
from qpsearch.errors import TrainingDiverged, UserError

if TYPE_CHECKING:
    from qpsearch.runner.exporting import Export
    from qpsearch.runner.one_network import OneNetwork
    from qpsearch.runner.wanted import Wanted

STEPS_EVERY_S: Final = 0.25
DIVERGED: Final = 1


def train(
    what: Annotated[
        str,
        typer.Argument(
            help="A space file or shipped space, a configuration (.json), or a network such as quotient20.",
            metavar="SPACE|CONFIG|NAME",
            autocompletion=space_names,
        ),
    ],
    settings: Settings = None,
    point: Annotated[
        int, typer.Option(min=0, max=100_000, help="Of a space with several: a point of `space sample`.", metavar="N")
    ] = 0,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Seed of weights, batches, augmentation; default 0.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder to write into; default studies/trained/NAME-SEED.", metavar="FOLDER")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training in the folder.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the training in the folder.")] = False,
    test: Annotated[bool, typer.Option("--test", help="At the end, look at the test images.")] = False,
    programs: Annotated[
        bool, typer.Option("--programs", help="At the end, write torch.export and ONNX programs, too.")
    ] = False,
    cpus: Annotated[
        int | None, typer.Option(min=1, max=1024, help="CPU threads; the default fits the network.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train one network: no search, no study. Ctrl-C stops it, and `--resume` continues after the last whole epoch.

    The folder gets a checkpoint, the curves (epochs.jsonl), the weights with a loader, and a card (README.md).

    Examples:
        qpsearch train digits --set training.epochs=5
        qpsearch train quotient20 --set training.epochs=30
        qpsearch train best.yaml --seed 3 --test
    """
    from qpsearch.runner.one_network import begin, reopen
    from qpsearch.runner.wanted import wanted

    if resume and overwrite:
        raise UserError("--resume, --overwrite: expected one of the two.")
    asked = wanted(what, settings or [], point)
    folder = output or Path("studies", "trained", f"{asked.name}-{seed or 0}")
    if resume:
        network = reopen(asked, folder, seed=seed, threads=cpus)
    else:
        network = begin(asked, folder, seed=seed or 0, threads=cpus, overwrite=overwrite)
    if not as_json:
        _introduce(asked, network)
    _train(network, quiet=as_json)
    if test:
        network.look_at_test_images()
    exported = network.export(programs=programs)
    if as_json:
        from qpsearch.runner.tool_documents import TrainDocument

        print_json(TrainDocument.of(network, exported).to_dict())
    else:
        _conclude(network, exported)


def _train(network: "OneNetwork", *, quiet: bool) -> None:
    """Train the epochs that are left, and show them."""
    from qpsearch.display.training import TrainingDisplay
    from qpsearch.protocol import EpochReport

    with TrainingDisplay(network.record.name, network.epochs, is_live=is_live() and not quiet, is_quiet=quiet) as shown:
        shown.continues(network.reports)
        for number in (signal.SIGINT, signal.SIGTERM):  # a shell lets what it starts in the background ignore Ctrl-C
            signal.signal(number, signal.default_int_handler)
        try:
            for each in network.train(STEPS_EVERY_S):
                if isinstance(each, EpochReport):
                    shown.reported(each)
                else:
                    shown.stepped(each.done, each.of)
        except KeyboardInterrupt:
            told, code = f"stopped after epoch {len(network.reports)} of {network.epochs}", INTERRUPTED
            told += "; to continue, say the same with --resume"
        except TrainingDiverged as error:
            told, code = f"diverged: {error}. A lower learning rate may help.", DIVERGED
        else:
            return
    say(told, out=sys.stderr if quiet else None)  # standard output is for the document alone
    raise typer.Exit(code)


def _introduce(asked: "Wanted", network: "OneNetwork") -> None:
    from qpsearch.architecture.cost import cost
    from qpsearch.runner.machine import about_images, data_folder

    config, record = asked.config, network.record
    total, data = cost(config.network), config.data
    held = f", {data.validation:,} images for validation" if data.validation else ", no validation"
    say(
        f"{record.name}: {short_number(total.parameters)} parameters, {short_number(total.macs)} MACs an image; "
        f"{data.dataset}{held}"
    )
    threads = f"{record.threads} thread{'s' * (record.threads != 1)}"
    say(f"seed {record.seed}, {record.device}, {threads}; in {from_here(str(network.folder.absolute()))}")
    for text in about_images(network.config.data, data_folder(data), record.threads):
        say(text)
    for name, value in asked.drawn.items():
        say(f"  drawn: {name} = {scalar(value)}")
    if asked.drawn:
        say("another point of the space: --point N, or fix its values: --set PATH=VALUE")
    if network.reports:
        say(f"continues after epoch {network.reports[-1].epoch}")


def _conclude(network: "OneNetwork", exported: "Export") -> None:
    """Print the final table: the epoch that counts, what it cost, and where everything is."""
    report, results = network.counting, exported.info["results"]
    assert report is not None
    rows = [("epoch that counts", f"{report.epoch} of {network.epochs} ({results['counting_epoch']})")]
    rows.append(("training loss", score(report.train_loss)))
    if report.val_accuracy is not None:
        rows += [("validation loss", score(report.val_loss)), ("validation accuracy", score(report.val_accuracy))]
    rows += [(name, score(value)) for name, value in report.metrics.items()]
    for look in results["test"]:
        rows.append(("test accuracy", f"{score(look['accuracy'])} of {look['images']:,} images"))
        rows += [(name, score(value)) for name, value in look.items() if name.startswith("test_")]
    cost = exported.info["cost"]
    rows += [(cost_title(name), f"{cost[name]:,}") for name in ("parameters", "macs")]
    seconds = sum(each.seconds for each in network.reports)
    rows.append(("trained", f"{duration(seconds)}, {report.images_per_s:,.0f} images a second"))
    rows.append(("peak memory", f"{report.peak_memory_bytes / 2**20:,.0f} MiB"))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(f"{name:<{width}}  {value}")
    say(f"checkpoint: {from_here(str((network.folder / report.checkpoint).absolute()))}")
    say(f"written: {', '.join(exported.files)}")
    for name, problem in exported.problems.items():
        say(f"not written: {name}: {problem}.")
    if not exported.info["checks"]:
        say("not written: weights to load elsewhere. Install: pip install 'qpsearch[export]'; then --resume.")
