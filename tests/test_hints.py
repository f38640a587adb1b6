"""Commands that messages name: a user can copy them as they stand."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from qpsearch import errors
from qpsearch.cli.app import COMMANDS
from tests.cli.run import qpsearch
from tests.scripted import Behaviour, space_text

PACKAGE = Path(errors.__file__).parent
NAMED = re.compile(rf"qpsearch ({'|'.join(name for name, *_ in COMMANDS)}) ([\w-]+ )*$")


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


def test_a_password_of_the_storage_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_STATED", [])
    assert errors.command("resume", "two words", "--trials", 4) == "qpsearch resume 'two words' --trials 4"
    errors.remember_storage("postgresql+psycopg://me:secret@host/db")
    assert errors.command("resume", "a") == "qpsearch resume a --storage 'postgresql+psycopg://***@host/db'"
    errors.remember_storage(None)
    assert errors.command("resume", "a") == "qpsearch resume a"


def places() -> Iterator[str]:
    """Where the package writes a command about a certain study without ``errors.command``."""
    for path in PACKAGE.rglob("*.py"):
        texts = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.JoinedStr)]
        for node in texts:
            for before, after in pairwise(node.values):
                said = str(before.value) if isinstance(before, ast.Constant) else ""
                if isinstance(after, ast.FormattedValue) and NAMED.search(said):
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}"


def test_one_place_makes_all_commands() -> None:
    assert list(places()) == []
