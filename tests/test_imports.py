"""Imports: each module imports only what its package may, and heavy packages only when they are needed."""

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.cli.warm import WITH_RAY

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

# The house, from the ground up: a room may import from those before it. With each, what it may load.
CONFIG, DATABASE, LEARNING = (
    {"ruamel", "pydantic"},
    {"optuna", "sqlalchemy", "alembic", "numpy", "scipy"},
    {"sklearn", "scipy", "numpy", "rich"},
)
ROOMS: list[tuple[str, set[str]]] = [
    ("vocabulary", set()),
    ("errors", set()),
    ("seeds", set()),
    ("registry", set()),
    ("artifacts", set()),
    ("space", {"ruamel"}),
    ("architecture", CONFIG),
    ("protocol", CONFIG),
    ("models", CONFIG | {"torch", "numpy"}),
    ("layers", CONFIG | {"torch", "numpy"}),
    ("training", CONFIG | LEARNING - {"sklearn"} | {"torch", "torchvision"}),
    ("study", CONFIG | DATABASE),
    ("dispatch", CONFIG),
    ("analysis", CONFIG | DATABASE | LEARNING | {"plotly"}),
    ("display", CONFIG | {"rich"}),
    ("runner", CONFIG),
    ("api", CONFIG | DATABASE | {"rich"}),
    ("cli", CONFIG | {"typer", "rich"}),
]
# The rooms inside a room, likewise: those of one tuple do not know each other.
FLOORS: dict[str, list[tuple[str, ...]]] = {
    "space": [
        ("schema",),
        ("expressions",),
        ("domains",),
        ("leaves",),
        ("constraints",),
        ("search",),
        ("space", "counting"),
        ("sampling", "file"),
    ],
    "architecture": [
        ("config", "paper_rules"),
        ("layout", "second_try"),
        ("blocks",),
        ("plugins",),
        ("cost", "resolve"),
        ("named", "levels"),
        ("paper_points",),
        ("variations", "candidates", "one_point"),
        ("notes",),
    ],
    "study": [
        ("storage", "records"),
        ("trials",),
        ("search",),
        ("drivers",),
        ("opening",),
        ("ledger", "queries", "manage", "planning", "optuna_import", "optuna_export"),
    ],
}
PLAN = [(".", 18, 90), ("space", 10, 29), ("study", 12, 35)]  # rooms and arrows at most
ORDER = [room for room, _ in ROOMS]
ALLOWED = dict(ROOMS)
WITH_ANALYSIS = {"qpsearch.cli.plan"}  # imported when a plan is asked for
WITH_DATABASE = {
    "qpsearch.runner.driving",
    "qpsearch.runner.refusals",
    "qpsearch.runner.confirming",
    "qpsearch.runner.evaluating",
    "qpsearch.runner.looks",
    "qpsearch.runner.starting",
    "qpsearch.runner.doctor",
    "qpsearch.runner.simulating",
    "qpsearch.runner.curve_tables",
    "qpsearch.cli.dashboard_app",
}  # imported when a study is run or shown
WITH_DRAWS = {
    "qpsearch.registry.samplers.gp.process",
    "qpsearch.registry.samplers.gp.sampler",
    "qpsearch.registry.samplers.cmaes.ranked",
    "qpsearch.registry.samplers.nsga.lasting",
    "qpsearch.registry.samplers.trials.copies",
    "qpsearch.registry.samplers.trials.order",
}  # imported when a study is opened, or a draw is made
NOT_IMPORTED = {"qpsearch.study.storage.migrations.env", "qpsearch.dispatch.preloaded", "qpsearch.__main__"}  # run
FACES = ("__init__", "__main__")  # of the whole package: where its names are, and its command line


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
    if module in WITH_DATABASE | WITH_DRAWS:
        allowed = allowed | DATABASE
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


def imports_of(path: Path) -> set[str]:
    """Every module or name of ours that a file imports, wherever in it, as a dotted path."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("qpsearch.")}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down_only(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] in FACES:
        return
    for name in imports_of(path):
        if name.split(".")[1] in ORDER:  # else a name that the package itself defines: its version
            assert ORDER.index(room_of(name)) <= ORDER.index(parts[0]), f"{path} imports {name}"


@pytest.mark.parametrize("room", FLOORS)
def test_inside_a_room_imports_point_down_only(room: str) -> None:
    floor = {inner: level for level, inners in enumerate(FLOORS[room]) for inner in inners}
    inners = {path.stem for path in (ROOT / room).iterdir() if path.stem not in ("__init__", "__pycache__")}
    assert set(floor) == inners
    for inner in inners:
        place = ROOT / room / inner
        for path in place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]:
            for name in imports_of(path):
                _, other_room, *others = name.split(".")
                if other_room == room and others[0] != inner:
                    assert floor[others[0]] < floor[inner], f"{path} imports {name}"


def arrows(place: Path) -> set[tuple[str, str]]:
    """Which of the rooms at a place import which others; a package's face is a room where it defines what others import."""
    depth = len(place.relative_to(ROOT).parts) + 1
    found = set()
    for path in place.rglob("*.py"):
        own = path.relative_to(place).parts[0].removesuffix(".py")
        for name in imports_of(path):
            _, *parts = name.split(".")
            other = parts[depth - 1] if parts[: depth - 1] == list(place.relative_to(ROOT).parts) else ""
            if other and other != own and ((place / other).is_dir() or (place / f"{other}.py").exists()):
                found.add((own, other))
    return found


@pytest.mark.parametrize(("place", "rooms", "most"), PLAN, ids=lambda part: part if isinstance(part, str) else "")
def test_the_house_keeps_to_its_plan(place: str, rooms: int, most: int) -> None:
    """More rooms or arrows than these are a change of the plan: draw it before it is built, and write it here."""
    found = {arrow for arrow in arrows(ROOT / place) if arrow[0] not in FACES}
    assert len({room for arrow in found for room in arrow}) <= rooms
    assert len(found) <= most, sorted(found)


def test_one_name_names_one_class() -> None:
    """Nor does a class have the name of a type that another module defines."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            names = [node.name] if isinstance(node, ast.ClassDef) else []
            if isinstance(node, ast.Assign):  # Leaf = Constant | Domain
                names = [target.id for target in node.targets if isinstance(target, ast.Name) and target.id.isalpha()]
            for name in names:
                if name[0].isupper() and not name.isupper():
                    found[name].append(str(path.relative_to(ROOT)))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_the_driver_runs_without_torch() -> None:
    code = "import sys; import qpsearch.cli.run, qpsearch.dispatch.tune, qpsearch.runner.driving; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_room_has_modules() -> None:
    assert {room_of(module) for module in modules()} == set(ORDER)
