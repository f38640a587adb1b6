"""``qpsearch doctor``: what this machine has for studies, and what would go wrong."""

from typing import TYPE_CHECKING

import typer
from rich.text import Text

from qpsearch.cli.options import Json, Storage, print_json
from qpsearch.display.console import open_console
from qpsearch.runner.machine import DEFAULT_STORAGE

if TYPE_CHECKING:
    from qpsearch.runner.doctor import Finding

WIDTH = 15


def doctor(storage: Storage = DEFAULT_STORAGE, as_json: Json = False) -> None:
    """Look at this machine: versions, cores, GPUs, data, storage and disks.

    Each has a line, and what to do where something is wrong. The exit code is 1 where a study could not run.

    Examples:
        qpsearch doctor
        qpsearch doctor --storage postgresql+psycopg://me@host/studies
    """
    from qpsearch.runner.doctor import Health, examine
    from qpsearch.runner.tool_documents import DoctorDocument

    found, console = [], open_console()
    for finding in examine(storage):
        found.append(finding)
        if not as_json:
            console.print(_line(finding), soft_wrap=True)
    if as_json:
        print_json(DoctorDocument.of(found).to_dict())
    if any(finding.health is Health.BROKEN for finding in found):
        raise typer.Exit(1)


def _line(finding: "Finding") -> Text:
    """Return a finding as a line; what to do stands in a line of its own."""
    marks = {"good": ("ok", "green"), "doubtful": ("mind", "yellow"), "broken": ("fails", "red")}
    word, style = marks[finding.health]
    line = Text.assemble((f"{word:<6}", style), f"{finding.subject:<{WIDTH}}{finding.text}")
    if finding.fix:
        line.append(f"\n{'':<{6 + WIDTH}}{finding.fix}")
    return line
