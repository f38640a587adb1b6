"""``qpsearch compare``: which of several arms is better, and how surely."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from qpsearch.cli.options import Json, Storage, StudyArgument, print_json
from qpsearch.display.console import Column, open_console, print_line, print_sentence, table_lines
from qpsearch.display.plain import say
from qpsearch.runner.machine import DEFAULT_STORAGE
from qpsearch.vocabulary import SplitName

if TYPE_CHECKING:
    from qpsearch.analysis.compare.comparison import Comparison


# Columns that are left out first where lines are too long.
SPARE: Final = {
    "s/epoch": 4,
    "MACs": 3,
    "params": 2,
    "diverged": 1,
    "n for 0.3/0.6": 3,
    "effect size": 2,
    "power 0.3/0.6": 1,
}


class Form(StrEnum):
    """How a comparison is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    LATEX = "latex"


def compare(
    study: StudyArgument,
    trials: Annotated[
        list[int] | None, typer.Argument(help="Numbers of trials whose configurations are compared.", metavar="[N]...")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Compare the values of a parameter; a pattern, or several options, for all their values together.",
            metavar="PARAMETER",
        ),
    ] = None,
    on: Annotated[
        SplitName,
        typer.Option(help="The images: test reads, once, what has not been read; validation reads nothing new."),
    ] = SplitName.TEST,
    form: Annotated[Form, typer.Option("--format", help="How it is printed.")] = Form.TABLE,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
) -> None:
    """Say which arms are better, by how much and how surely: points of a grid, confirmed trials, or tuned arms.

    Arms are the values of --by, the configurations of some trials, or what the space file's `compare` names; of a small
    grid, without any of these, its points. Runs are compared by their accuracy on the test images, which are read once
    for each run; the study keeps a record of it.

    Examples:
        qpsearch compare blocks-on-digits --by 'network.stages.*.block'
        qpsearch compare digits 3 7
        qpsearch compare digits-arms --format markdown
    """
    from qpsearch.analysis.compare.rendering import FORMATS

    found = _compared(
        study, storage, by=by or [], trials=trials or [], split=on, is_quiet=as_json or form is not Form.TABLE
    )
    if as_json:
        print_json(found.to_dict())
    elif form is Form.TABLE:
        print_comparison(found)
    else:
        print(FORMATS[form](found), end="")


def show(study: str, storage: str) -> None:
    """Print a comparison of tuned arms that has just ended."""
    print_comparison(_compared(study, storage))


def _compared(
    study: str,
    storage: str,
    *,
    by: Sequence[str] = (),
    trials: Sequence[int] = (),
    split: SplitName = SplitName.TEST,
    is_quiet: bool = False,
) -> "Comparison":
    from qpsearch.analysis.compare.table import compared
    from qpsearch.runner.looks import read_test_images
    from qpsearch.study.storage.database import Database

    def read(own: str, numbers: Sequence[int]) -> None:
        read_test_images(storage, own, numbers, lambda text: None if is_quiet else say(text))

    return compared(Database.open(storage), study, by=by, trials=trials, split=split, read=read)


def print_comparison(found: "Comparison") -> None:
    """Print the tables of a comparison and what they mean."""
    from rich.text import Text

    from qpsearch.analysis.compare.rendering import tables

    console = open_console()
    print_line(console, Text(found.title))
    left_out: list[str] = []
    for _, head, rows in tables(found):
        columns = [
            Column(title=title, is_number=place > 0, spare=SPARE.get(title, 0)) for place, title in enumerate(head)
        ]
        lines, hidden = table_lines(columns, rows, console.width)
        left_out += hidden
        for line in (*lines, Text()):
            print_line(console, line)
    for text in found.sentences:
        print_sentence(console, text)
    if left_out:
        print_sentence(console, f"not shown: {', '.join(left_out)}; all of it: --json")
