"""How commands are registered: examples in their help, and suggestions for a mistyped command."""

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Final

import typer
from typer.core import TyperGroup

from qpsearch.display.plain import is_left
from qpsearch.errors import UserError, hidden

# Every command of every group: suggestions for a mistyped command name them without loading them.
INNER: Final = {
    "studies": ("rename", "delete", "backup", "copy"),
    "space": ("check", "plan", "sample", "diff", "schema", "list", "copy"),
    "model": ("list", "show", "rules", "audit", "export"),
}
# Words of other programs, each with qpsearch's commands for the same task.
MEANT: Final = {
    "continue": ["resume"],
    "list": ["studies", "space list", "model list"],
    "ls": ["studies"],
    "start": ["run"],
    "test": ["evaluate"],
    "validate": ["space check"],
}
CLOSE: Final = 0.6
USAGE_ERROR: Final[Any] = typer.BadParameter.__base__  # any wrong use of a command; typer does not export it


@contextmanager
def _hiding() -> Iterator[None]:
    try:
        yield
    except USAGE_ERROR as error:
        error.message = hidden(error.message).removeprefix("Value error, ")  # what validates an option calls it that
        raise


class Commands(TyperGroup):
    """A group that answers a mistyped command with the nearest ones, also from other groups."""

    def make_context(self, *given: Any, **options: Any) -> Any:
        """Read the words; an error about them does not repeat passwords."""
        with _hiding():
            return super().make_context(*given, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run a command, whose own words are read now; an error about them does not repeat passwords.

        Who reads the output may stop: `qpsearch trials | head` is not an error, and typer would make it one.
        """
        try:
            with _hiding():
                result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            if not is_left(sys.stdout):
                raise  # of something else that a command talks to
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be written at the end
            raise typer.Exit(0) from None
        return result

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of that name; raises UserError."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            above = [] if ctx.parent is None else [str(ctx.info_name)]
            raise UserError(unknown_command(above, *args))
        return super().resolve_command(ctx, args)


def unknown_command(above: list[str], word: str, *others: str) -> str:
    """Return the message about an unknown command.

    Args:
        above: The group in which the command was looked for; empty at the top.
        word: The unknown word.
        others: The words after the unknown word.
    """
    from qpsearch.cli.app import COMMANDS

    top = [name for name, *_ in COMMANDS]
    known = [f"{above[0]} {inner}" for inner in INNER[above[0]]] if above else top
    said = " ".join(("qpsearch", *above, word))
    meant = _meant(above, word, top)
    if len(meant) == 1:
        meant = [" ".join((*meant, *others))]
    question = f" Did you mean {' or '.join(repr(f'qpsearch {each}') for each in meant)}?" if meant else ""
    return f"{said!r} is not a command.{question} Known: {', '.join(name.split()[-1] for name in known)}."


def _meant(above: list[str], word: str, top: list[str]) -> list[str]:
    """Return the commands that were probably meant: of the group, of the top, or of any group."""
    if word.endswith((".yaml", ".yml")):
        return [f"space check {word}" if above == ["space"] else f"run {word}"]
    inner = [(group, name) for group, names in INNER.items() for name in names]
    if above == ["studies"] and word in ("list", "ls"):
        return above
    if above:
        own = [f"{above[0]} {name}" for name in get_close_matches(word, INNER[above[0]], n=1, cutoff=CLOSE)]
        same = [name for name in top if name == word] + [f"{group} {name}" for group, name in inner if name == word]
        return own or same
    if word in MEANT:
        return MEANT[word]
    if found := [f"{group} {name}" for group, name in inner if name == word]:
        return found
    if close := get_close_matches(word, top, n=1, cutoff=CLOSE):
        return close
    near = get_close_matches(word, [name for _, name in inner], n=1, cutoff=CLOSE)
    return [f"{group} {name}" for group, name in inner if name in near]


def add(app: typer.Typer, name: str, command: Callable[..., Any]) -> None:
    """Add a command to an application, its examples below its options."""
    text, epilog = help_of(command)
    app.command(name, help=text, epilog=epilog)(command)


def add_group(app: typer.Typer, name: str, group: typer.Typer) -> None:
    """Add a group of commands in the same way."""
    for info in group.registered_commands:
        if info.callback is not None:
            info.help, info.epilog = help_of(info.callback)
    app.add_typer(group, name=name, cls=Commands)


def help_of(command: Callable[..., Any]) -> tuple[str, str]:
    """Return a docstring's text, and its examples as a help page shows them, one per line."""
    text, _, examples = inspect.cleandoc(command.__doc__ or "").partition("\n\nExamples:\n")
    text = text.replace("[", r"\[")  # else a style
    lines = [line.strip().replace("[", r"\[") for line in examples.splitlines() if line.strip()]
    return text, "\n".join(["Examples:", *lines]) if lines else ""
