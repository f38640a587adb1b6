"""The README and the pages: every command and snippet in them runs as it stands, from nothing and in their order."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image
from ruamel.yaml import YAML

from qpsearch.architecture.blocks import BLOCKS
from qpsearch.registry.datasets import Data
from qpsearch.registry.own.layout import Subset
from qpsearch.space import build_space, parse_space, shipped
from qpsearch.training.data import load_split
from tests.cli.run import ROOT, qpsearch, started
from tests.space.cases import GOOD

README = ROOT / "README.md"
DOCS = ROOT / "docs"
# In the order in which a reader's folder fills: the study of the README is that of the guides.
ORDER = [
    README,
    DOCS / "first-study.md",
    *(DOCS / "guides" / f"{name}.md" for name in (
        "space-file", "report", "use-the-winner", "continue", "from-optuna-or-wandb", "own-block", "compare", "many-machines", "own-data", "metrics", "search", "recipe"
    )),
]  # fmt: skip
# What a guide tells to save, and the guide; a command runs it.
FROM_A_FILE = {"gated.py": DOCS / "guides" / "own-block.md", "gates.yaml": DOCS / "guides" / "own-block.md",
               "blocks.yaml": DOCS / "guides" / "compare.md", "make_images.py": DOCS / "guides" / "own-data.md",
               "parity.yaml": DOCS / "guides" / "own-data.md", "bars.py": DOCS / "guides" / "own-data.md",
               "cost.py": DOCS / "guides" / "metrics.md", "ordered.yaml": DOCS / "guides" / "metrics.md",
               "bars.yaml": DOCS / "guides" / "own-data.md"}  # fmt: skip
SLOW = {  # each is run by a test of its own, on less
    "qpsearch space plan digits",  # tests/cli/test_spaces.py
    "qpsearch confirm digits --top 2 --seeds 2",  # tests/cli/test_winner.py
    "qpsearch rerun digits 0",  # there, too
    "qpsearch run tuned.yaml",  # tests/cli/test_compare.py
    "qpsearch run blocks.yaml",  # there, too
    "qpsearch compare blocks-on-digits --by 'network.stages.*.block'",  # there, too
    "qpsearch evaluate blocks-on-digits --noise poisson:0.05 --target 0.9",  # tests/cli/test_evaluate.py
    "qpsearch compare tuned-blocks",  # there, too
    "qpsearch run gates.yaml --import ./gated.py --dispatch inline",  # tests/cli/test_plugins.py
    "qpsearch run ordered.yaml --import ./cost.py",  # tests/cli/test_metrics.py
    "qpsearch run parity.yaml",  # tests/cli/test_own_data.py
    "qpsearch evaluate parity",  # there, too
    "qpsearch report parity",  # there, too
    "qpsearch model audit product_unit20 --size 16 --steps 0,1,10",  # tests/cli/test_models.py
}


def blocks(page: Path, *languages: str) -> list[str]:
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    lines = [line for block in blocks(page, "sh", "text") for line in block.splitlines()]
    installed = [line.partition(" && ")[2] for line in lines if line.startswith("pip install -e . && ")]
    return installed + [line for block in blocks(page, "sh") for line in block.splitlines() if line]


def test_every_page_is_in_the_order() -> None:
    with_snippets = {page for page in (README, *DOCS.rglob("*.md")) if blocks(page, "sh", "python")}
    assert with_snippets <= set(ORDER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder: a clone with its spaces, and the files that the guides tell to save."""
    made = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "spaces", made / "spaces")
    for name, page in FROM_A_FILE.items():
        language = "python" if name.endswith(".py") else "yaml"
        stem, texts = name.partition(".")[0], blocks(page, language)
        named = [text for text in texts if f"study: {stem}" in text or f"{stem} = " in text]
        (made / name).write_text((named or texts)[0])
    return made


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_every_command_and_snippet_runs_and_digits_keeps_its_promises(folder: Path) -> None:
    assert commands(README)[0] == "qpsearch run spaces/digits.yaml"
    done = set()
    for page in ORDER:
        for command in commands(page):
            if command not in done and command not in SLOW:
                run_command(folder, command, page)
            done.add(command)
    shown = run_notebook(folder, [page for page in ORDER if page not in FROM_A_FILE.values()], IN_RAY)
    assert "the cell's own line" in shown  # Ray's own reporter for notebooks cleared it
    assert "[1/1] trial 0 COMPLETE" in shown
    assert "[4/4] trial 3 COMPLETE" in shown  # progress of qpsearch.run, above the table
    document = json.loads(qpsearch(folder, "status", "digits", "--json").stdout)
    (summary,) = document["studies"]
    assert sum(summary["counts"].values()) == 63
    assert summary["counts"]["COMPLETE"] >= 1
    assert summary["counts"]["PRUNED"] >= 1
    assert "RUNNING" not in summary["counts"]
    assert summary["best"]["value"] > 0.97
    page_of_importance = (folder / "studies" / "digits-importance.html").read_text()
    assert "network.stages.0.block" in page_of_importance


@pytest.mark.ray
@pytest.mark.skipif(
    "QPSEARCH_DATA" not in os.environ, reason="QPSEARCH_DATA names no folder with the real CIFAR-10; CI sets it"
)
def test_the_guide_of_own_images_runs_as_written_on_images_of_cifar10(tmp_path: Path) -> None:
    page = DOCS / "guides" / "own-data.md"
    images, labels = load_split(Data(dataset="cifar10", validation=0), Path(os.environ["QPSEARCH_DATA"]), Subset.TEST)
    for index, (image, label) in enumerate(zip(images[:400], labels[:400], strict=True)):
        own = tmp_path / "images" / ("even" if label % 2 == 0 else "odd")
        own.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(own / f"{index}.png")
    (text,) = (text for text in blocks(page, "yaml") if "study: parity" in text)
    (tmp_path / "parity.yaml").write_text(text)
    written = next(block.splitlines() for block in blocks(page, "sh") if "parity.yaml" in block)
    assert written[0] == "python make_images.py"
    for command in written[1:]:
        run_command(tmp_path, command, page)
    assert "2 classes (even, odd), 32x32 colour" in qpsearch(tmp_path, "space", "check", "parity.yaml").stdout
    (summary,) = json.loads(qpsearch(tmp_path, "status", "parity", "--json").stdout)["studies"]
    assert summary["counts"] == {"COMPLETE": 6}


def run_command(folder: Path, command: str, page: Path) -> None:
    first, *words = shlex.split(command)
    if first == "qpsearch":
        is_real = words[0] in (
            "run",
            "resume",
            "confirm",
            "rerun",
            "evaluate",
            "compare",
        )  # what Ray and torch do is as it is
        done = (started if is_real else qpsearch)(folder, *words)
    else:
        place = Path(sys.executable).parent / first
        done = subprocess.run([place, *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{page.name}: {command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    if first == "qpsearch":
        assert done.stderr == "", command


IN_RAY = """
from IPython.display import HTML, display
display(HTML("the cell's own line"))
qpsearch.run("smoke", study="in-ray", trials=1, epochs=2)
"""


def run_notebook(folder: Path, pages: list[Path], last: str) -> str:
    """Run the Python of pages as the cells of one notebook, and a last one; return what it shows in HTML."""
    texts = [*(text for page in pages for text in blocks(page, "python")), last]
    cells = [nbformat.v4.new_code_cell(text) for text in texts]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    return "".join(output["data"].get("text/html", "") for output in outputs if "data" in output)


# Where a part of a space file stands: the key that it is about, and the way to it.
PLACES: dict[str, tuple[str, ...]] = {
    "optimizer": ("training",),
    "lr": ("training", "optimizer", "sgd"),
    "stages": ("network",),
    "pruner": ("search",),
    "resources": (),
    "search": (),
    "data": (),
    "training": (),
}


@pytest.mark.parametrize("page", [page for page in ORDER if blocks(page, "yaml")], ids=lambda page: page.stem)
def test_every_space_or_part_of_one_is_read(page: Path) -> None:
    for text in blocks(page, "yaml"):
        given = YAML(typ="safe").load(text)
        if "gated" in text or "val_distance" in text or "wide:" in text:
            continue  # its block, metric or sampler is known where its file is
        if re.search(r"(folder|archive): |dataset: bars", text):
            continue  # its images are made by a command
        if "study" in given or "extends" in given:
            assert parse_space(text, page.name).study
            continue
        every_block = GOOD.replace("[additive, quotient]", f"[{', '.join(BLOCKS)}]")
        document: dict[str, Any] = YAML(typ="safe").load(every_block)
        del document["network"]["rules"]["quotient"]  # which other stages would not use
        del document["search"]["pruner"]  # as in a file that does not name one
        for key, value in given.items():
            place = document
            for name in PLACES[key]:
                place = place[name]
            place[key] = {**place[key], **value} if key == "search" else value
        assert build_space(document).study == "s", text


def test_the_readmes_space_is_the_shipped_one() -> None:
    (text,) = blocks(README, "yaml")
    assert text == (ROOT / "spaces" / "digits.yaml").read_text()


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 200


def test_every_shipped_space_and_block_is_named() -> None:
    listed = (DOCS / "guides" / "space-file.md").read_text()
    for path in (ROOT / "spaces").glob("*.yaml"):
        assert f"`{path.stem}`" in listed
        assert f"`{path.stem}`" in README.read_text() or path.stem == "digits"
        assert path.stem in shipped()
    for kind in BLOCKS:
        assert f"| `{kind}` |" in README.read_text()


def test_the_recipes_are_sound_shell_and_yaml_and_name_flags_that_exist(tmp_path: Path) -> None:
    """Slurm, ssh and KubeRay: what can be checked without a cluster."""
    page = DOCS / "guides" / "many-machines.md"
    scripts = blocks(page, "bash")
    assert len(scripts) == 2
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    (manifest,) = (YAML(typ="safe").load(text) for text in blocks(page, "yml"))
    assert manifest["kind"] == "RayJob"
    assert manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"]
    lines = [line.strip() for text in blocks(page, "bash", "text") for line in text.splitlines()]
    called = [line.partition("qpsearch ")[2] for line in lines if re.match(r"(exec )?qpsearch ", line)]
    called.append(manifest["spec"]["entrypoint"].partition("qpsearch ")[2])
    assert len(called) >= 4
    for call in called:
        words = shlex.split(call.partition("#")[0])
        shown = qpsearch(tmp_path, words[0], "--help", COLUMNS="200").stdout
        for flag in (word for word in words if word.startswith("--")):
            assert f"{flag} " in shown, call


def test_the_install_commands_are_the_two_promised() -> None:
    assert "pip install -e . && qpsearch run spaces/digits.yaml" in README.read_text()
    assert "pip install -e '.[dev]' && pytest" in README.read_text()


def test_pages_made_from_the_code_are_fresh() -> None:
    """``python docs/generate.py`` writes them anew."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for place, text in generate.pages().items():
        assert place.read_text() == text.rstrip() + "\n", place


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "site" / "index.html").read_text()
    assert "Does a quotient block or a product unit really beat" in index
    assert "QuotientBlock" in (tmp_path / "site" / "reference" / "python.html").read_text()
    for page in (tmp_path / "site").rglob("*.html"):
        assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', page.read_text()), page  # opens offline
