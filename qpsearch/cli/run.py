"""``qpsearch run`` and ``qpsearch resume``."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qpsearch.cli.main import INTERRUPTED
from qpsearch.cli.options import Settings, SpaceArgument, Storage, StudyArgument, checked_name
from qpsearch.display.shown import standing
from qpsearch.errors import command, counted
from qpsearch.runner.ahead import begins_ray
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.vocabulary import Dispatcher, Variable

if TYPE_CHECKING:
    from qpsearch.display.progress import Display
    from qpsearch.runner.driving import Outcome

Trials = Annotated[
    int | None, typer.Option(min=1, max=10_000_000, help="Budget in trials, over all restarts and drivers.")
]
Epochs = Annotated[int | None, typer.Option(min=1, max=2**53, help="Budget in epochs of all trials together.")]
Time = Annotated[str | None, typer.Option(help="Budget in wall time: 90m, 12h, 2d.", metavar="TIME")]
GpuHours = Annotated[float | None, typer.Option(min=0, max=1e9, help="Budget in hours of one GPU.")]
Concurrent = Annotated[
    int | None, typer.Option(min=1, max=100_000, help="Trials at once; the default fills the machine.")
]
Gpus = Annotated[float | None, typer.Option(min=0, max=1024, help="GPUs per trial; 0.5 shares one between two.")]
Cpus = Annotated[int | None, typer.Option(min=1, max=1024, help="CPU cores per trial.")]
Address = Annotated[str | None, typer.Option(help="A running Ray cluster: auto, or host:port.", metavar="ADDRESS")]
ArtifactsOption = Annotated[
    str | None,
    typer.Option(
        envvar=Variable.ARTIFACTS,
        help="Where checkpoints go: a folder that all nodes share, or s3://..., gs://...",
        metavar="URI",
    ),
]
SinkNames = Annotated[
    list[str] | None,
    typer.Option(help="Also show curves in tensorboard[:FOLDER] or wandb[:PROJECT].", metavar="SINK"),
]
DispatchOption = Annotated[Dispatcher, typer.Option(help="tune: Ray Tune. inline: one trial at a time, without Ray.")]


@begins_ray
def run(
    space: SpaceArgument,
    study: Annotated[str | None, typer.Option(help="Name of the study, in place of the file's.")] = None,
    trials: Trials = None,
    epochs: Epochs = None,
    time: Time = None,
    gpu_hours: GpuHours = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Seed of the search, in place of the file's.")
    ] = None,
    concurrent: Concurrent = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    address: Address = None,
    dispatch: DispatchOption = Dispatcher.TUNE,
    artifacts: ArtifactsOption = None,
    sink: SinkNames = None,
    join: Annotated[bool, typer.Option("--join", help="If the study already exists, join or resume it.")] = False,
    settings: Settings = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Start a study. Ctrl-C stops it after the running epochs, and `qpsearch resume` continues it.

    Examples:
        qpsearch run digits
        qpsearch run mine.yaml --study second --trials 200 --time 12h
        qpsearch run digits --study wide --set network.stem.width=16
    """
    from qpsearch.display.steady import open_display
    from qpsearch.runner import driving, starting
    from qpsearch.runner.overrides import Overrides
    from qpsearch.space.file.loader import load_space

    overrides = Overrides.of(
        trials=trials,
        epochs=epochs,
        time=time,
        gpu_hours=gpu_hours,
        concurrent=concurrent,
        gpus=gpus,
        cpus=cpus,
        is_command=True,
    )
    loaded = load_space(space, settings or []).with_search(study=checked_name(study), seed=seed)
    with open_display() as display:
        outcome = starting.run(
            loaded,
            storage=storage,
            source=space,
            overrides=overrides,
            placement=driving.Placement(dispatcher=dispatch, address=address),
            artifacts=artifacts,
            sinks=sink or [],
            join=join,
            listen=display.see,
        )
    _end(outcome, display, storage)


@begins_ray
def resume(
    study: StudyArgument,
    space: Annotated[
        Path | None,
        typer.Option(
            help="Check first that this file still means the same study. The file decides how images are read "
            "(data.stream) and how steps are run (resources), in place of what the study was made with.",
            metavar="FILE",
        ),
    ] = None,
    trials: Trials = None,
    epochs: Epochs = None,
    time: Time = None,
    gpu_hours: GpuHours = None,
    concurrent: Concurrent = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    address: Address = None,
    dispatch: DispatchOption = Dispatcher.TUNE,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Take all open trials at once, also those of a host that may still live."),
    ] = False,
    retry_failed: Annotated[
        str | None,
        typer.Option(help="Try failed trials again: all, or those with one reason, such as error.", metavar="REASON"),
    ] = None,
    ignore_stop: Annotated[
        bool, typer.Option("--ignore-stop", help="Go past the rules of search.stop in the study's space.")
    ] = False,
    sink: SinkNames = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Continue a study after Ctrl-C, a crash or a power cut, with a larger budget, or beside other drivers.

    Examples:
        qpsearch resume digits
        qpsearch resume digits --trials 100
        qpsearch resume digits --retry-failed error
    """
    from qpsearch.display.steady import open_display
    from qpsearch.runner import driving, starting
    from qpsearch.runner.overrides import Overrides
    from qpsearch.space.file.loader import load_space

    overrides = Overrides.of(
        trials=trials,
        epochs=epochs,
        time=time,
        gpu_hours=gpu_hours,
        concurrent=concurrent,
        gpus=gpus,
        cpus=cpus,
        is_command=True,
    )
    with open_display() as display:
        outcome = starting.resume(
            study,
            storage=storage,
            space=None if space is None else load_space(space),
            overrides=overrides,
            placement=driving.Placement(dispatcher=dispatch, address=address),
            sinks=sink or [],
            take_over=take_over,
            ignore_stop=ignore_stop,
            retry=driving.reasons(retry_failed, option="--retry-failed"),
            listen=display.see,
        )
    _end(outcome, display, storage)


def _what_next(storage: str, name: str) -> str:
    """Say how far the best value of a study that has ended can be trusted, and which commands can say more."""
    from qpsearch.analysis.subject import FEWEST, FEWEST_COMPLETE
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    with closing(Database.open(storage)) as database:
        best = next(iter(queries.best_configurations(database, name)), None)
        counts = queries.state_counts(database, name)
        chosen_by = queries.chosen_by(database, name)
        is_grid = queries.space_of(database, name).search.is_grid
    trust = "the best of many is optimistic until it is trained again on fresh seeds"
    if best is not None and (best.is_fresh or best.confirmed is not None):
        trust = f"the best is {standing(best)}"
    complete = counts["COMPLETE"]
    following = [command("best", name)]
    if chosen_by is None and complete >= FEWEST_COMPLETE and complete + counts.get("PRUNED", 0) >= FEWEST:
        following.append(command("importance", name))
    elif is_grid and complete > 1:
        following.append(command("compare", name))
    return f"{trust}\nnext: {'; '.join(following)}"


def _end(outcome: "Outcome", display: "Display", storage: str) -> None:
    """Say how a study ended, and exit accordingly; of a comparison, say what came out."""
    from qpsearch.display.budget import resume_command, spent_text
    from qpsearch.runner.driving import is_comparison

    whole = is_comparison(storage, outcome.name)
    if outcome.is_finished and whole:
        from qpsearch.cli.compare import show

        show(outcome.name, storage)
        return
    if whole:
        display.say(f"stopped; continue: {command('resume', outcome.name)}")
        raise typer.Exit(INTERRUPTED)
    tally, name = display.tally, outcome.name
    counts = ", ".join(f"{count} {state}" for state, count in sorted(tally.own.items())) or "none"
    display.say(
        f"study {name}: {tally.closed} of {tally.asked} trials ended, in this run {counts}\n{tally.best_text()}"
    )
    if outcome.stopped is not None and tally.closed < tally.asked:
        display.say(f"{outcome.stopped}\ncontinue all the same: {command('resume', name, '--ignore-stop')}")
    elif outcome.spent is not None and tally.closed < tally.asked:
        display.say(f"{spent_text(outcome.spent)}\ncontinue with a larger one: {resume_command(name, outcome.spent)}")
    elif outcome.elsewhere and tally.closed + outcome.elsewhere == tally.asked:
        display.say(f"other drivers still run {counted(outcome.elsewhere, 'trial')} of the study, and will end it")
    elif tally.closed < tally.asked:
        display.say(f"stopped; continue: {command('resume', name)}")
    elif tally.best is None:
        display.say(f"no trial has a result; show why: {command('trials', name)}")
    else:
        display.say(_what_next(storage, name))
    if not outcome.is_finished:
        raise typer.Exit(INTERRUPTED)
    if tally.best is None:
        raise typer.Exit(1)
