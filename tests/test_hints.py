"""Commands that messages name: a user can copy them as they stand."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from qpsearch import errors
from qpsearch.cli import main
from qpsearch.cli.app import COMMANDS
from qpsearch.study.storage import database
from tests.cli.run import qpsearch
from tests.scripted import Behaviour, space_text

PACKAGE = Path(errors.__file__).parent
NAMED = re.compile(rf"qpsearch ({'|'.join(name for name, *_ in COMMANDS)}) ([\w-]+ )*$")
OF_ANY = re.compile(rf"{NAMED.pattern.removesuffix('$')}STUDY(?! --storage)")


def commands(text: str) -> list[str]:
    return re.findall(r"qpsearch (?:resume|trials|best|confirm|importance|status) [^;.\n]*(?:\.db)?", text)


def test_a_command_that_a_message_names_has_the_storage_of_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.IMPROVES, trials=3, epochs=4, pruner="none"))
    given = ("--storage", "other place.db")
    words = ("run", "s.yaml", "--epochs", "6", "--dispatch", "inline")
    shown = [qpsearch(tmp_path, *words, *given, scripted=True)]
    shown += [
        qpsearch(tmp_path, *line.split(), *given) for line in ("status scripted", "trials scripted", "best scripted")
    ]
    shown += [qpsearch(tmp_path, "trials", "scripted", "7", *given), qpsearch(tmp_path, *words, *given, scripted=True)]
    found = [each for done in shown for each in commands(done.stdout + done.stderr)]
    assert len(found) >= 6
    assert all(each.endswith(" --storage 'other place.db") for each in (one.removesuffix("'") for one in found)), found
    through = qpsearch(tmp_path, "trials", "scripted", QPSEARCH_STORAGE="other place.db")
    assert "everything about one trial: qpsearch trials scripted 0\n" in through.stdout


def test_a_command_has_the_options_that_the_next_one_needs_but_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QPSEARCH_IMPORT", "")
    Path("my_block.py").touch()
    monkeypatch.setattr(errors, "_STATED", {})
    assert errors.command("resume", "two words", "--trials", 4) == "qpsearch resume 'two words' --trials 4"
    errors.remember("--storage", "postgresql+psycopg://me:secret@host/db")
    assert errors.command("resume", "a") == "qpsearch resume a --storage 'postgresql+psycopg://***@host/db'"
    full = "Free some space, then: qpsearch resume STUDY --storage 'postgresql+psycopg://***@host/db'"
    assert database._hint(OSError("database or disk is full")) == f". {full}"
    errors.remember("--storage")
    assert errors.command("resume", "a") == "qpsearch resume a"
    words = main._without_imports(["--import", "./my_block.py", "status", "--import=gated"])
    assert words == ["status"]
    assert errors.command("resume", "a") == "qpsearch resume a --import ./my_block.py --import gated"


def places() -> Iterator[str]:
    """Where the package writes a command about a study without ``errors.command``."""
    for path in PACKAGE.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        for node in nodes:
            if isinstance(node, ast.Constant) and OF_ANY.search(str(node.value)):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for node in (each for each in nodes if isinstance(each, ast.JoinedStr)):
            for before, after in pairwise(node.values):
                said = str(before.value) if isinstance(before, ast.Constant) else ""
                if isinstance(after, ast.FormattedValue) and NAMED.search(said):
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}"


def test_one_place_makes_all_commands() -> None:
    assert list(places()) == []
