"""The README's commands, run in its order from nothing, and its promises about the digits."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from qpsearch.architecture.blocks import BLOCKS
from qpsearch.space import parse_space
from qpsearch.space.schema.fields import SectionField
from qpsearch.space.schema.network import RULES
from tests.cli.run import ROOT, qpsearch, started

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.startswith("qpsearch ")]


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_the_readmes_commands_run_and_digits_keeps_its_promises(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "spaces", tmp_path / "spaces")
    first, *others = commands()
    assert first == "qpsearch run spaces/digits.yaml"
    for command in (first, *others):
        words = shlex.split(command)[1:]
        run = started if words[0] in ("run", "resume", "evaluate") else qpsearch  # what Ray and torch do is as it is
        done = run(tmp_path, *words)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert done.stderr == ""
    document = json.loads(qpsearch(tmp_path, "status", "digits", "--json").stdout)
    (summary,) = document["studies"]
    assert sum(summary["counts"].values()) == 62
    assert summary["counts"]["COMPLETE"] >= 1
    assert summary["counts"]["PRUNED"] >= 1
    assert "RUNNING" not in summary["counts"]
    assert summary["best"]["value"] > 0.97
    page = (tmp_path / "studies" / "digits-importance.html").read_text()
    assert "network.stages.0.block" in page


def test_the_space_explained_is_a_space() -> None:
    (text,) = blocks("yaml")
    space = parse_space(text, "README.md")
    assert space.study == "digits"


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = blocks("python")  # the other is a block of one's own: tests/cli/test_plugins.py
    exec(compile(code, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_readme_names_every_shipped_space() -> None:
    for path in (ROOT / "spaces").glob("*.yaml"):
        assert f"`{path.stem}`" in README


def test_the_recipes_are_sound_shell_and_yaml_and_name_flags_that_exist(tmp_path: Path) -> None:
    """Slurm, ssh and KubeRay: what can be checked without a cluster."""
    scripts = blocks("bash")
    assert len(scripts) == 2
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    (manifest,) = (YAML(typ="safe").load(text) for text in blocks("yml"))
    assert manifest["kind"] == "RayJob"
    assert manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"]
    lines = [line.strip() for language in ("bash", "text") for text in blocks(language) for line in text.splitlines()]
    called = [line.partition("qpsearch ")[2] for line in lines if re.match(r"(exec )?qpsearch ", line)]
    called.append(manifest["spec"]["entrypoint"].partition("qpsearch ")[2])
    assert len(called) >= 4
    for call in called:
        words = shlex.split(call.partition("#")[0])
        shown = qpsearch(tmp_path, words[0], "--help", COLUMNS="200").stdout
        for flag in (word for word in words if word.startswith("--")):
            assert f"{flag} " in shown, call


def test_the_tables_name_every_block_and_rule() -> None:
    for kind in BLOCKS:
        assert f"| `{kind}` |" in README
    for name, field in RULES.fields.items():
        names = [f"{name}.{inner}" for inner in field.fields] if isinstance(field, SectionField) else [name]
        for rule in names:
            assert f"`{rule}`" in README


def test_every_file_that_the_readme_links_is_there() -> None:
    for path in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_install_commands_are_the_two_promised() -> None:
    assert "pip install -e . && qpsearch run spaces/digits.yaml" in README
    assert "pip install -e '.[dev]' && pytest" in README
