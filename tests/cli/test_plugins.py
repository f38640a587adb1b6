"""Custom blocks, from the guide, by ``--import``; and what installed packages bring by entry points."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qpsearch.architecture.plugins import KINDS
from qpsearch.vocabulary import PluginGroup
from tests.cli.run import ROOT, TIMEOUT_S, qpsearch, reply, set_traps, started

GUIDE = (ROOT / "docs" / "guides" / "own-block.md").read_text()
BROKEN = """\
from torch import nn
from qpsearch.models import custom_block

class Own(nn.Module):
    def __init__(self, stage, width_in, stride):
        super().__init__()
        self.layer = nn.Conv2d(width_in, stage.width, 3, stride, padding=1)
    def forward(self, x):
        BROKEN

own = custom_block("own", Own)
"""
SPACE = """\
study: mine
data: {dataset: digits, validation: 300}
network:
  stem: {width: 16}
  stages:
    - {width: 16, depth: 1, block: &block {choice: [gated, additive], prior: gated}}
    - {width: 32, stride: 2, depth: 1, block: *block}
  rules: {init: zero_last_norm, gated: {reduction: {choice: [2, 8]}}}
training: {epochs: 1, batch_size: 64}
search: {trials: 3, sampler: random, pruner: none}
"""


def guides_block() -> str:
    (code,) = (text for text in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if "custom_block" in text)
    return str(code)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gated.py").write_text(guides_block())
    (tmp_path / "mine.yaml").write_text(SPACE)
    return tmp_path


def test_the_guides_block_is_short() -> None:
    assert len(guides_block().splitlines()) < 30


def test_a_block_of_ones_own_is_searched_like_ours(folder: Path) -> None:
    set_traps(folder)
    assert "unknown block 'gated'" in qpsearch(folder, "space", "check", "mine.yaml").stderr
    checked = reply(folder, "space", "check", "mine.yaml", "--import", "gated")
    assert "network.rules.gated.reduction" in checked["parameters"]
    changes = "extends: mine.yaml\nsearch: {replicates: 3, pruner: none}\nresources: {fuse: auto}\n"
    (folder / "fused.yaml").write_text(changes)
    (note,) = reply(folder, "space", "check", "fused.yaml", "--import", "gated")["notes"]
    assert note.startswith(
        "resources.fuse auto fuses no seeds of networks with the block gated: whether it treats each"
    )
    plan = reply(folder, "space", "plan", "mine.yaml", "--import", "gated.py")
    assert plan["seconds"] > 0  # timed in a process of its own, which imports it too
    done = started(folder, "--import", "gated", "run", "mine.yaml", "--dispatch", "inline")
    assert done.returncode == 0, done.stderr
    assert "next: qpsearch best mine --import gated\n" in done.stdout
    trials = reply(folder, "trials", "mine", "--import=gated")["trials"]
    assert [trial["state"] for trial in trials] == ["COMPLETE"] * 3
    assert any("gated" in trial["params"].values() for trial in trials)
    shown = reply(folder, "model", "show", "gated20", "--import", "gated")
    assert sum(layer["parameters"] for layer in shown["layers"]) == shown["parameters"]
    forgotten = qpsearch(folder, "resume", "mine", "--trials", "4")
    assert forgotten.returncode == 2
    assert "study mine:" in forgotten.stderr  # not the file, which may be another by now
    assert "Load a block of your own with --import MODULE" in forgotten.stderr
    assert (
        "study mine: was made with --import gated. Add that to the command, or set QPSEARCH_IMPORT." in forgotten.stderr
    )
    lower = qpsearch(folder, "resume", "mine", "--trials", "2", "--import", "gated")
    assert (lower.returncode, "study mine has 3 trials behind it" in lower.stderr) == (2, True)


def test_a_study_of_a_block_that_is_gone_is_listed_and_can_be_deleted(folder: Path) -> None:
    done = qpsearch(folder, "--import", "gated", "run", "mine.yaml", "--dispatch", "inline", "--trials", "1")
    assert done.returncode == 0, done.stderr
    (trained,) = reply(folder, "trials", "mine", "--import=gated")["trials"]
    assert qpsearch(folder, "best", "mine", "--as-space", "again.yaml", "--import=gated").returncode == 0
    assert "# Needs --import, with the module of: gated.\n" in (folder / "again.yaml").read_text()
    (again,) = reply(folder, "space", "sample", "again.yaml", "-n", "1", "--import=gated")["samples"]
    assert again["config"] == trained["config"]  # with the rules of the block, which has a section of its own
    plain = SPACE.replace("mine", "plain").replace("gated, ", "").replace(", prior: gated", "")
    (folder / "plain.yaml").write_text(plain.replace(", gated: {reduction: {choice: [2, 8]}}", ""))
    assert qpsearch(folder, "run", "plain.yaml", "--dispatch", "inline", "--trials", "1").returncode == 0
    (folder / "gated.py").unlink()
    listed = qpsearch(folder, "status")
    assert listed.returncode == 0, listed.stderr
    assert "\nmine " in listed.stdout
    assert "\nplain " in listed.stdout
    assert "study mine: was made with --import gated. Add that to the command, or set QPSEARCH_IMPORT." in listed.stdout
    problems = {each["name"]: each["problem"] for each in reply(folder, "status")["studies"]}
    assert problems["plain"] is None
    assert problems["mine"].startswith("study mine:")
    assert qpsearch(folder, "studies", "delete", "mine", "--yes").returncode == 0
    assert [each["name"] for each in reply(folder, "status")["studies"]] == ["plain"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("return self.nothing(x)", "AttributeError: 'Own' object has no attribute 'nothing'"),
        ("return self.layer(x), x", "returns tuple for images. Expected a torch module that maps images to images."),
        ("return self.layer(x)[:, 1:]", "block 'own' maps images ("),
        ("return self.layer(x).detach()", "block 'own' does not pass a gradient to its input"),
        ("return self.layer(x) + 0 * stage.rules['n']", "NameError: name 'stage' is not defined"),
        ("raise SystemExit('enough')", "own.py:9: SystemExit: enough"),
    ],
)
def test_a_block_that_fails_is_answered_with_the_place_in_its_own_code(tmp_path: Path, broken: str, said: str) -> None:
    (tmp_path / "own.py").write_text(BROKEN.replace("BROKEN", broken))
    done = qpsearch(tmp_path, "model", "show", "own8", "--import", "own")
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert ("own.py:9: " in done.stderr) == ("Error: " in said or "Exit: " in said)


def test_a_block_that_fails_is_answered_before_anything_is_spent(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(BROKEN.replace("BROKEN", "return self.nothing(x)"))
    rules = ", own: {reduction: {choice: [2, 8]}}"
    (tmp_path / "mine.yaml").write_text(SPACE.replace("gated", "own").replace(rules, ""))
    for words in (
        ("run", "mine.yaml", "--dispatch", "inline"),
        ("space", "check", "mine.yaml"),
        ("model", "audit", "own8"),
    ):
        done = qpsearch(tmp_path, *words, "--import", "own")
        assert done.returncode == 2, done.stdout
        assert "own.py:9: AttributeError: 'Own' object has no attribute 'nothing'" in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "studies").exists()


def test_weights_of_a_block_that_has_changed_are_answered(folder: Path) -> None:
    alone = SPACE.replace("{choice: [gated, additive], prior: gated}", "gated")
    (folder / "mine.yaml").write_text(alone)
    done = qpsearch(folder, "--import", "gated", "run", "mine.yaml", "--dispatch", "inline", "--trials", "1")
    assert done.returncode == 0, done.stderr
    (folder / "gated.py").write_text(guides_block().replace("self.", "self.new_"))
    tested = qpsearch(folder, "evaluate", "mine", "--import", "gated")
    assert tested.returncode == 2
    assert "does not fit its network. The code of one of its blocks has changed since: gated." in tested.stderr


@pytest.mark.ray
def test_workers_of_ray_import_it_too(folder: Path) -> None:
    """It, and what it imports from its folder; but nothing there stands in for an installed module."""
    set_traps(folder)
    (folder / "beside.py").touch()
    (folder / "gated.py").write_text(f"import beside\n{guides_block()}")
    done = started(folder, "run", "mine.yaml", "--trials", "1", QPSEARCH_IMPORT="./gated.py")  # with the prior: gated
    assert done.returncode == 0, done.stderr
    assert "1 COMPLETE" in done.stdout


PACKAGES = {  # of each group: the code of a package, and a space that names what it brings
    PluginGroup.BLOCKS: (guides_block(), SPACE),
    PluginGroup.DATASETS: (
        "import numpy as np\nimport qpsearch\nlabels = np.tile([0, 1], 10)\n"
        "images = np.tile(labels.astype(np.uint8)[:, None, None, None], (1, 8, 8, 1))\n"
        "gated = qpsearch.custom_dataset('gated', lambda: {'images': images, 'labels': labels})\n",
        "extends: smoke\nstudy: mine\ndata: {dataset: gated, validation: 6}\n",
    ),
    PluginGroup.SAMPLERS: (
        "import qpsearch\ngated = qpsearch.custom_sampler('gated', print, version=1)\n",
        "extends: smoke\nstudy: mine\nsearch: {sampler: gated}\n",
    ),
    PluginGroup.METRICS: (
        'import qpsearch\ndef gated(logits, labels):\n    """Nothing."""\n    return 0.0\n'
        "gated = qpsearch.custom_metric('gated', gated, direction='minimize')\n",
        "extends: smoke\nstudy: mine\nsearch: {objective: {minimize: val_gated}}\n",
    ),
}


def install(folder: Path, group: PluginGroup, value: str) -> None:
    """Write what pip would: a folder of metadata beside the module."""
    metadata = folder / "gated-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: gated\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\ngated = {value}\n")


@pytest.mark.parametrize("group", PluginGroup)
def test_what_an_installed_package_brings_is_loaded(tmp_path: Path, group: PluginGroup) -> None:
    """By a command and by a program."""
    install(tmp_path, group, "gated:gated")
    code, space = PACKAGES[group]
    (tmp_path / "gated.py").write_text(code)
    (tmp_path / "mine.yaml").write_text(space)
    there = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "QPSEARCH_DATA": str(tmp_path)}
    found = started(tmp_path, "space", "check", "mine.yaml", **there)
    assert (found.returncode, found.stderr) == (0, "")
    program = [sys.executable, "-c", "import qpsearch; print(qpsearch.load_space('mine.yaml').study)"]
    told = subprocess.run(
        program, cwd=tmp_path, env=os.environ | there, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    assert (told.stdout, told.stderr) == ("mine\n", "")


def test_an_entry_point_of_another_kind_is_named(tmp_path: Path) -> None:
    install(tmp_path, PluginGroup.SAMPLERS, "gated:qpsearch")
    (tmp_path / "gated.py").write_text("import qpsearch\n")
    wrong = started(tmp_path, "space", "check", "smoke", PYTHONPATH=f"{ROOT}:{tmp_path}")
    assert (wrong.returncode, "entry point 'gated' of qpsearch.samplers is not a sampler" in wrong.stderr) == (2, True)


def test_there_is_a_kind_for_each_group() -> None:
    assert [group for group, *_ in KINDS] == list(PluginGroup)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_thing", "own: cannot be imported: ModuleNotFoundError"),
        ("1 / 0", "own: cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit('done')", "own: cannot be imported: SystemExit: done"),  # a script without its guard
        ("x = 1", "own: does not define a block, data set, sampler or metric. Expected NAME = custom_block(...)"),
        (
            "from qpsearch.models import custom_block\nx = custom_block('quotient', print)",
            "block 'quotient': there is already",
        ),
        (
            "from qpsearch.models import custom_block\nx = custom_block('two words', print)",
            "cannot be named 'two words'",
        ),
        (
            "from qpsearch.models import custom_block\nx = custom_block('own', print, rules={'r': 3})",
            "'r' is not a rule",
        ),
        ("from qpsearch.models import custom_block\nx = custom_block('pure', print)", "cannot be named 'pure'"),
        ("from qpsearch.models import custom_block\nx = custom_block('choice', print)", "cannot be named 'choice'"),
        (
            "from qpsearch.models import custom_block\nx = custom_block(3, print)",
            "cannot be named 3. Expected a string",
        ),
        ("from qpsearch.models import custom_block\nx = custom_block('own', 3)", "block 'own': 3 is not callable"),
        (
            "from qpsearch.models import Rule, custom_block\nx = custom_block('own', print, rules={'r': Rule(type=int, doc='.')})",
            "'r' is not a rule. Expected a word and a Rule, such as Rule(type=Integer(1, 64)",
        ),
        (
            "from qpsearch.models import custom_block\nx, y = custom_block('own', print), custom_block('own', print)",
            "block 'own': there is already a block of that name",
        ),
        (
            "from qpsearch.models import Rule, Integer, custom_block\n"
            "x = custom_block('own', print, rules={'r': Rule(type=Integer(1, 2), doc='.')})",
            "block 'own': rule 'r' needs a default",
        ),
        (
            "from qpsearch.models import Rule, Integer, custom_block\n"
            "x = custom_block('own', print, rules={'r': Rule(type=Integer(1, 2), default=3, doc='.')})",
            "block 'own': rule 'r' has an invalid default: 3 is not a whole number from 1 to 2",
        ),
    ],
)
def test_a_module_that_cannot_be_used_is_answered(tmp_path: Path, code: str, said: str) -> None:
    (tmp_path / "own.py").write_text(code)
    done = qpsearch(tmp_path, "space", "list", "--import", "own")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


ODD = """\
from torch import nn
from qpsearch.models import Flag, OneOf, Rule, Integer, build_branch, build_shortcut, custom_block
from qpsearch.vocabulary import Sharing

class Odd(nn.Module):
    def __init__(self, stage, width_in, stride):
        super().__init__()
        self.branch = nn.Sequential(nn.Sequential(build_branch(stage, width_in, stride)), nn.ReLU())
        self.shortcut = build_shortcut(stage, width_in, stride)

    def forward(self, x):
        return self.shortcut(x) + self.branch(x)

class One(nn.Module):
    def __init__(self, stage, width_in, stride):
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(width_in, stage.width, 3, stride, padding=1))

    def forward(self, x):
        return self.branch(x)

rules = {"soft": Rule(type=Flag(), default=True, doc="."), "n": Rule(type=Integer(1, 9), default=3, doc=".")}
rules["shared"] = Rule(type=OneOf(Sharing), default="layer", doc=".")
odd = custom_block("odd2", Odd, rules=rules)
one = custom_block("one", One)
wrong = custom_block("wrong", lambda stage, width_in, stride: nn.Conv2d(width_in, stage.width, 3, padding=1))
"""


def test_blocks_of_any_build_start_and_are_audited(tmp_path: Path) -> None:
    """A branch within a branch, one layer, no normalisation, a name that ends in a digit; rules of every kind."""
    (tmp_path / "odd.py").write_text(ODD)
    small = ("--steps", "1", "--size", "8", "--batch", "4", "--precisions", "float32", "--scales", "1", "--settings")
    for name, labels in (
        ("odd2_8", ("odd2.soft: false", "odd2.n: 1", "odd2.n: 9", "odd2.shared: channel")),
        ("one8", ()),
    ):
        done = qpsearch(tmp_path, "model", "audit", name, *small, "--import", "odd")
        assert done.returncode == 0, done.stderr
        for label in (*labels, "init: fixup", "init: quotient_at_one", "norm: none"):
            assert f"{label}: " in done.stdout, (label, done.stdout)
    wrong = qpsearch(tmp_path, "model", "show", "wrong8", "--import", "odd")
    assert wrong.returncode == 2
    assert "block 'wrong' maps images (16, 32, 32) to (32, 32, 32) at stride 2. Expected (32, 16, 16)." in wrong.stderr


MORE = """\
import torch
from torch import nn
from qpsearch.models import Rule, Integer, custom_block

class Pair(nn.Module):
    def forward(self, x):
        return x, x.mean()

class Tupled(nn.Module):
    def __init__(self, stage, width_in, stride):
        super().__init__()
        self.wide = nn.Conv2d(width_in, stage.width, 3, 2 * stride, padding=1)
        self.up = nn.ConvTranspose2d(stage.width, stage.width, 2, 2, bias=False)
        self.pair, self.memory = Pair(), nn.GRU(1, 1, batch_first=True)

    def forward(self, x):
        y, mean = self.pair(self.up(self.wide(x)))
        return y + mean + self.memory(y.flatten(1)[:, :1, None])[0].mean()

class Fixed(nn.Conv2d):
    def __init__(self, stage, width_in, stride):
        super().__init__(width_in, stage.width, 3, stride, padding=1, groups=stage.rules.get("n", 1))

    def forward(self, x):
        if x.shape[-1] == 12:
            raise ValueError("no images of 12")
        if x.dtype is torch.bfloat16:
            raise TypeError("no bfloat16")
        return super().forward(x)

tupled, fixed = custom_block("tupled", Tupled), custom_block("fixed", Fixed)
rules = custom_block("rules", Fixed, rules={"n": Rule(type=Integer(1, 3), default=1, doc=".")})
zero = custom_block("zero", Fixed, cost=lambda *block: 1 / 0)
two = custom_block("two", Fixed, cost=lambda *block: (1, 2))
"""


def test_layers_that_return_several_things_are_counted(tmp_path: Path) -> None:
    (tmp_path / "more.py").write_text(MORE)
    shown = reply(tmp_path, "model", "show", "tupled8", "--import", "more")
    layers = {layer["name"]: layer for layer in shown["layers"]}
    assert layers["stages.0.0.up"]["macs"] == 4 * 16 * 16 * 16 * 16  # a 2x2 kernel for each pixel that comes in
    assert layers["stages.0.0.memory"]["parameters"] == 12
    assert shown["parameters"] == sum(layer["parameters"] for layer in shown["layers"])


def test_what_an_audit_meets_in_ones_own_block_is_answered(tmp_path: Path) -> None:
    (tmp_path / "more.py").write_text(MORE)
    small = ("--steps", "0", "--batch", "4", "--scales", "1", "--import", "more")
    for words, said in (
        (("audit", "fixed8", "--size", "12", *small), "ValueError: no images of 12"),
        (("audit", "fixed8", "--size", "8", *small), "TypeError: no bfloat16"),
        (("show", "zero8", "--import", "more"), "ZeroDivisionError: division by zero"),
        (("show", "two8", "--import", "more"), "its cost is (1, 2). Expected three whole numbers: parameters,"),
    ):
        done = qpsearch(tmp_path, "model", *words)
        assert done.returncode == 2, done.stdout
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert ("float32" in done.stdout) == ("bfloat16" in said)  # what was seen before is shown
    words = ("audit", "rules8", "--size", "8", "--precisions", "float32", "--settings", *small)
    refused = qpsearch(tmp_path, "model", *words)
    assert refused.returncode == 0, refused.stderr
    assert re.search(
        r"rules\.n: 3: block 'rules' with rules\.n 3: .*more\.py:\d+: ValueError: in_channels must be div",
        refused.stdout,
    )


def test_a_file_in_the_shadow_of_another_module_is_answered(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "blocks.py").write_text(
            f"from qpsearch.models import custom_block\nx = custom_block('{folder}', print)"
        )
    done = qpsearch(tmp_path, "space", "list", "--import", "./a/blocks.py", "--import", "./b/blocks.py")
    assert done.returncode == 2
    assert "./b/blocks.py: another module is already named 'blocks'" in done.stderr
    (tmp_path / "torch.py").write_text("from qpsearch.models import custom_block\nx = custom_block('torch', print)")
    for word in ("torch", "./torch.py"):
        done = qpsearch(tmp_path, "space", "list", "--import", word)
        assert done.returncode == 2
        assert f"{word}: another module is already named 'torch' (" in done.stderr
        assert f"Rename {tmp_path}/torch.py." in done.stderr


def test_a_module_that_is_not_there_is_answered(tmp_path: Path) -> None:
    for words, said in (
        (("--import", "nowhere"), "nowhere: no such module"),
        (("--import", "./nowhere.py"), "--import ./nowhere.py: there is no file /"),
        (("--import", "./my.blocks.py"), "./my.blocks.py: cannot be imported. Expected a file named by letters"),
        (("--import", "./mine.yaml"), "./mine.yaml: is not a module name. Expected a file such as ./blocks.py"),
        (("--import", "."), ".: is not a module name."),
        (("--import",), "--import: names no module"),
    ):
        done = qpsearch(tmp_path, "space", "list", *words)
        assert (done.returncode, said in done.stderr) == (2, True)
