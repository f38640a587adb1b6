"""``qpsearch evaluate``: trained networks on the test split, clean and noisy, and how fast they learned."""

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from qpsearch.cli.evaluation_table import print_table
from qpsearch.cli.options import (
    Json,
    Storage,
    StudyArgument,
    print_json,
)
from qpsearch.display.plain import say
from qpsearch.display.shown import WORDS, moment, scalar, standing
from qpsearch.errors import counted
from qpsearch.runner.evaluate_documents import EvaluateDocument, NotTested
from qpsearch.runner.machine import DEFAULT_STORAGE

if TYPE_CHECKING:
    from qpsearch.runner.evaluating import StudyEvaluation


def evaluate(
    study: StudyArgument,
    trial: Annotated[
        list[int] | None,
        typer.Option(
            "--trial",
            metavar="N",
            help="Which trial; repeatable; default: those of the best configuration, or every point of a grid.",
        ),
    ] = None,
    noise: Annotated[
        list[str] | None,
        typer.Option(
            metavar="poisson:LEVEL", help="Noise of variance LEVEL x brightness, such as poisson:0.05; repeatable."
        ),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="ACCURACY", help="Count the epochs to this accuracy on validation images."),
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Evaluate trained networks on the test images: for the last word about what is chosen, not for choosing.

    Without --trial that is the best configuration, with the runs of all its complete trials; of a grid, which chooses
    nothing, every point. The study keeps a record of each look at the test images.

    Examples:
        qpsearch evaluate digits
        qpsearch evaluate quotient-table
        qpsearch evaluate digits --trial 3 --trial 7 --noise poisson:0.05 --target 0.9
    """
    from qpsearch.runner import evaluating
    from qpsearch.study import queries
    from qpsearch.study.storage.database import Database

    found = evaluating.evaluate(
        storage,
        study,
        trials=trial or (),
        noise=noise or (),
        target=target,
        watch=lambda each: track(each, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()),
    )
    if as_json:
        print_json(EvaluateDocument.of(found).to_dict())
        return
    say(f"study {study}: accuracy on test images, mean (sd over runs)")
    with closing(Database.open(storage)) as database:
        space, complete = queries.space_of(database, study), queries.summary(database, study).counts["COMPLETE"]
    print_table(found.trials, target, is_grid=space.search.is_grid)
    for text in map(_why, found.not_tested):
        say(text)
    if found.not_trained:
        say(f"not trained yet: {counted(found.not_trained, 'point')} of the grid")
    if (best := found.best) is not None:
        if found.passed_over is not None:
            say(
                f"trial {found.passed_over}, the best, was imported without weights; trial {found.trials[0].trial} is "
                "the best trained here."
            )
        say(f"{space.search.objective.metric} {best.value:.4f} (n = {best.n}), {standing(best)}")
        was_chosen = complete > len(best.trials) and space.search.objective.metric.value.startswith("val_")
        if was_chosen and best.confirmed is None:
            say("These weights won by their validation score: new seeds are on average worse on test images, too.")
    say(_said(found))


def _why(left: NotTested) -> str:
    point = ", ".join(f"{name} {scalar(value)}" for name, value in left.params.items())
    how = "imported" if left.state == "COMPLETE" else WORDS[left.state][0]
    reason = f" ({left.reason})" if left.reason else ""
    return f"not tested: trial {left.trial}, {how}{reason}: {point}"


def _said(found: "StudyEvaluation") -> str:
    looks = found.looks_before
    last = f" (the last: {moment(looks[-1])})" if looks else ""
    look = f"look {len(looks) + 1} of this study at test images{last}."
    recorded = f"Recorded: {look}" if found.problem is None else f"Not recorded: {look} {found.problem}"
    return f"{recorded}\nEach look at the test images for choosing makes them validation images."
