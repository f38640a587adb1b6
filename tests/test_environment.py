"""Environment variables of qpsearch: one place reads them, and an empty one is an unset one."""

import ast
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from qpsearch.api.given import storage_url
from qpsearch.architecture.plugins import imports
from qpsearch.cli.main import main
from qpsearch.display.console import PIPE_WIDTH, open_console
from qpsearch.registry.datasets import Data
from qpsearch.runner.machine import DEFAULT_STORAGE, data_folder
from qpsearch.vocabulary import Variable

ROOT = Path(__file__).parent.parent / "qpsearch"


def test_an_empty_variable_is_an_unset_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*Variable, "COLUMNS"):
        monkeypatch.setenv(name, "")
    assert [variable.given for variable in Variable] == [None] * len(Variable)
    assert storage_url(None) == DEFAULT_STORAGE
    assert imports() == []
    assert data_folder(Data(dataset="cifar10", validation=0)) == Path.home() / ".cache" / "qpsearch"
    assert open_console().width == PIPE_WIDTH
    monkeypatch.setattr("sys.argv", ["qpsearch", "status"])
    loaded: list[str] = []
    monkeypatch.setattr("qpsearch.architecture.plugins.load_everything", lambda: loaded.append("modules"))
    with pytest.raises(SystemExit) as left:
        main()
    assert (left.value.code, loaded) == (2, [])
    assert f"{tmp_path}/studies/qpsearch.db: no study database there" in capsys.readouterr().err


def test_one_place_reads_them() -> None:
    """What is spelled out elsewhere is part of a sentence."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in list(Variable) and path.name != "vocabulary.py"
    ]
    assert found == []


def test_each_process_that_is_started_is_given_its_environment() -> None:
    """One that inherits ours knows the URL of the database, with its password."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("subprocess.Popen", "subprocess.run"):
                given = {each.arg: ast.unparse(each.value) for each in node.keywords}.get("env", "nothing")
                found[given].append(path.name)
    own = {given for given in found if given.split(" | ")[0] == "Variable.for_child()" or "for_worker()" in given}
    assert {given: paths for given, paths in found.items() if given not in own} == {}


def test_the_oldest_versions_are_those_that_the_package_asks_for() -> None:
    """Whoever raises one, or adds a package, tries it: ``tests/oldest.txt`` says how."""
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    asked = dict(each.split(",")[0].replace("[tune]", "").split(">=") for each in project["dependencies"])
    lines = (ROOT.parent / "tests" / "oldest.txt").read_text().splitlines()
    oldest = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert oldest.keys() == asked.keys()
    assert {name: version for name, version in oldest.items() if not version.startswith(asked[name])} == {}
