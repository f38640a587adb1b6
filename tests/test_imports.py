"""The house: each module imports only what its room may, and nothing heavy before it is needed."""

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "qpsearch"
HEAVY = {
    "ruamel",
    "pydantic",
    "torch",
    "torchvision",
    "sklearn",
    "optuna",
    "sqlalchemy",
    "alembic",
    "ray",
    "plotly",
    "typer",
    "rich",
    "scipy",
    "numpy",
}

# From the roof to the cellar: a room may import from those above it. With each, what it may load.
CONFIG, DATABASE, LEARNING = (
    {"ruamel", "pydantic"},
    {"optuna", "sqlalchemy", "alembic", "numpy", "scipy"},
    {"sklearn", "scipy", "numpy", "rich"},
)
ROOMS: list[tuple[str, set[str]]] = [
    ("vocabulary", set()),
    ("datasets", set()),
    ("errors", set()),
    ("seeds", set()),
    ("records", set()),
    ("artifacts", set()),
    ("space", {"ruamel"}),
    ("architecture", CONFIG),
    ("plugins", CONFIG),
    ("layout", CONFIG),
    ("cost", CONFIG),
    ("resolve", CONFIG),
    ("reference", CONFIG),
    ("rules", CONFIG),
    ("variations", CONFIG),
    ("points", CONFIG),
    ("models", CONFIG | {"torch", "numpy"}),
    ("training", CONFIG | LEARNING | {"torch", "torchvision"}),
    ("study", CONFIG | DATABASE),
    ("dispatch", CONFIG),
    ("analysis", CONFIG | DATABASE | LEARNING | {"plotly"}),
    ("cli", CONFIG | {"typer", "rich"}),
]
ORDER = [room for room, _ in ROOMS]
ALLOWED = dict(ROOMS)
WITH_ANALYSIS = {"qpsearch.cli.plan"}  # imported when a plan is asked for
WITH_RAY = {"qpsearch.dispatch.tune", "qpsearch.dispatch.cluster", "qpsearch.dispatch.packing"}
NOT_IMPORTED = {"qpsearch.study.storage.migrations.env"}  # Alembic runs it


def modules() -> list[str]:
    names = [".".join(("qpsearch", *path.relative_to(ROOT).with_suffix("").parts)) for path in ROOT.rglob("*.py")]
    found = [name.removesuffix(".__init__") for name in names if name != "qpsearch.__init__"]
    return sorted(name for name in found if name not in NOT_IMPORTED and not name.split(".")[-1][0].isdigit())


def room_of(module: str) -> str:
    return module.split(".")[1]


def allowed_to(module: str) -> frozenset[str]:
    allowed = ALLOWED[room_of(module)]
    if module in WITH_ANALYSIS:
        allowed = allowed | ALLOWED["analysis"]
    if module in WITH_RAY:
        allowed = allowed | {"ray"} | HEAVY - {"torch", "torchvision"}  # what Ray itself loads
    return frozenset(allowed)


def with_equal_rights() -> list[tuple[str, ...]]:
    """Modules of one room that may load the same: one interpreter can import them all."""
    found = defaultdict(list)
    for module in modules():
        found[room_of(module), allowed_to(module)].append(module)
    return [tuple(group) for group in found.values()]


@pytest.mark.parametrize("group", with_equal_rights(), ids=lambda group: group[0])
def test_modules_load_only_the_packages_of_their_room(group: tuple[str, ...]) -> None:
    code = f"import sys, {', '.join(group)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY <= allowed_to(group[0])


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_upward_only(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "__init__":
        return
    own = ORDER.index(parts[0])
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name.startswith("qpsearch."):
                assert ORDER.index(room_of(name)) <= own, f"{path} imports {name}"


def test_the_driver_runs_without_torch() -> None:
    code = (
        "import sys; import qpsearch.cli.run, qpsearch.dispatch.tune, qpsearch.dispatch.inline,"
        " qpsearch.study.ledger, qpsearch.run.trainer; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_room_has_modules() -> None:
    assert {room_of(module) for module in modules()} == set(ORDER)
