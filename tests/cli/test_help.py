"""Help for users: help pages, completion, and an answer to a mistyped command."""

import os
import subprocess
from pathlib import Path

import pytest

from qpsearch.cli.app import COMMANDS
from qpsearch.cli.commands import INNER
from tests.cli.run import qpsearch, started
from tests.cli.test_started import GROUPS
from tests.scripted import Behaviour, space_text

EVERY = [
    *((name,) for name, _, found in COMMANDS if found != "app"),
    *((group, name) for group, names in INNER.items() for name in names),
]


def test_the_table_of_commands_is_what_there_is() -> None:
    assert {name: [c.name for c in group.registered_commands] for name, group in GROUPS.items()} == {
        name: list(names) for name, names in INNER.items()
    }


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_each_commands_help_ends_with_examples_of_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    long, short = (qpsearch(tmp_path, *words, flag, COLUMNS="80") for flag in ("--help", "-h"))
    assert (long.returncode, short.returncode) == (0, 0)
    assert long.stdout == short.stdout
    lines = [line.strip() for line in long.stdout.rstrip().splitlines()]
    examples = lines[lines.index("Examples:") + 1 :]
    assert 1 <= len(examples) <= 3
    assert all(example.startswith(" ".join(("qpsearch", *words))) for example in examples)
    assert max(map(len, long.stdout.splitlines())) <= 80


def test_brackets_in_a_commands_text_are_no_style(tmp_path: Path) -> None:
    assert "pip install 'qpsearch[export]'" in " ".join(qpsearch(tmp_path, "model", "export", "--help").stdout.split())


def test_the_first_help_has_examples_too(tmp_path: Path) -> None:
    for words in ((), ("-h",), ("--help",)):
        done = qpsearch(tmp_path, *words, COLUMNS="80")
        assert "Examples:" in done.stdout
        assert "qpsearch --install-completion" in done.stdout


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("plan x.yaml --no-measure", "Did you mean 'qpsearch space plan x.yaml --no-measure'?"),
        ("check x.yaml", "Did you mean 'qpsearch space check x.yaml'?"),
        ("list", "Did you mean 'qpsearch studies' or 'qpsearch space list' or 'qpsearch model list'?"),
        ("copy a b", "Did you mean 'qpsearch studies copy' or 'qpsearch space copy'?"),
        ("trails digits", "Did you mean 'qpsearch trials digits'?"),
        ("audti x", "Did you mean 'qpsearch model audit x'?"),
        ("mine.yaml", "Did you mean 'qpsearch run mine.yaml'?"),
        ("space chek x", "Did you mean 'qpsearch space check x'?"),
        ("studies list", "Did you mean 'qpsearch studies'?"),
        ("space run x", "Did you mean 'qpsearch run x'?"),
        ("xyzzy", "'qpsearch xyzzy' is not a command. Known: run, "),
    ],
)
def test_a_mistyped_command_is_answered_with_the_nearest(tmp_path: Path, words: str, meant: str) -> None:
    done = qpsearch(tmp_path, *words.split())
    assert done.returncode == 2
    assert meant in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def completed(folder: Path, line: str) -> list[str]:
    """What bash offers at the end of a line."""
    words = line.split(" ")
    done = qpsearch(
        folder,
        COMP_WORDS=line,
        COMP_CWORD=str(len(words) - 1),
        _QPSEARCH_COMPLETE="complete_bash",
        QPSEARCH_IMPORT="no",
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_a_shell_completes_commands_options_studies_and_spaces(tmp_path: Path) -> None:
    (tmp_path / "smoky.yaml").write_text(space_text(Behaviour.IMPROVES, trials=1))
    assert completed(tmp_path, "qpsearch trials scr") == []  # there is no database yet
    assert qpsearch(tmp_path, "run", "smoky.yaml", "--dispatch", "inline", scripted=True).returncode == 0
    assert completed(tmp_path, "qpsearch tri") == ["trials"]
    assert set(completed(tmp_path, "qpsearch ")) == {name for name, *_ in COMMANDS}
    assert completed(tmp_path, "qpsearch space pl") == ["plan"]
    assert completed(tmp_path, "qpsearch trials --so") == ["--sort"]
    assert completed(tmp_path, "qpsearch trials x --sort v") == ["value"]
    assert completed(tmp_path, "qpsearch trials scr") == ["scripted"]
    assert completed(tmp_path, "qpsearch trials --storage none.db scr") == []
    assert completed(tmp_path, "qpsearch run sm") == ["smoke", "smoky.yaml"]
    assert completed(tmp_path, "qpsearch space copy trade") == ["tradeoff"]


def test_one_command_installs_completion(tmp_path: Path) -> None:
    done = started(tmp_path, "--install-completion", "bash", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    script = next((tmp_path / ".bash_completions").iterdir())
    assert script.name == "qpsearch.sh"
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "qpsearch").write_text('#!/bin/sh\nexec python -m qpsearch.cli.main "$@"\n')
    (bin_folder / "qpsearch").chmod(0o755)
    asked = 'COMP_WORDS=(qpsearch tri); COMP_CWORD=1; _qpsearch_completion qpsearch; echo "${COMPREPLY[@]}"'
    answered = subprocess.run(
        ["bash", "--norc", "-c", f"source {script}; {asked}"],
        env=os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answered.stdout.split() == ["trials"]
