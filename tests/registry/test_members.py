"""A registry's members: a copy of the package with one new module in each folder knows them everywhere."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from qpsearch.registry import members as registry
from qpsearch.registry.schedules.base import Schedule

ROOT = Path(__file__).parents[2]
COPIED = ("qpsearch", "tests", "docs", "spaces")
NEW = {
    "schedules/planted.py": """
        from qpsearch.registry.schedules.base import Schedule, rest, warmed

        MEMBERS = (
            Schedule(name="planted_fall", doc="falls as a square", factor=warmed(lambda p, w: (1 - rest(p, w)) ** 2)),
        )
    """,
    "optimisers/planted.py": """
        from dataclasses import dataclass
        from typing import Literal

        from qpsearch.registry.optimisers.base import Optimiser, OptimiserSettings, groups_of, peak_lr, uncompiled
        from qpsearch.registry.options import setting


        @dataclass(frozen=True, slots=True, kw_only=True)
        class Planted(OptimiserSettings):
            kind: Literal["planted_sgd"] = "planted_sgd"
            lr: float = setting(peak_lr(0.05))

            def build(self, parameters, *, capturable=False):
                from torch.optim import SGD

                return uncompiled(SGD)(groups_of(parameters), self.lr)


        MEMBERS = (Optimiser(name="planted_sgd", settings=Planted),)
    """,
    "augmentations/planted.py": """
        from qpsearch.registry.augmentations.base import ImageChange, ImageForm
        from qpsearch.registry.options import Option


        def _draw(n, side, generator, settings, size):
            import torch

            return (torch.randn(n, generator=generator) * settings["size"],)


        MEMBERS = (
            ImageChange(
                name="planted_light",
                doc="makes each image lighter or darker",
                form=ImageForm.NORMALISED,
                draw=_draw,
                change=lambda images, draws, settings, size: images + draws[0].view(-1, 1, 1, 1),
                options={"size": Option(doc="How much.", low=0, high=2, default=0.5)},
            ),
        )
    """,
    "samplers/planted.py": """
        from qpsearch.registry.options import Option
        from qpsearch.registry.samplers.base import STARTUP, Sampler


        def _make(draw):
            from optuna.samplers import TPESampler

            return TPESampler(seed=draw.seed, n_startup_trials=STARTUP, n_ei_candidates=int(draw.options["planted_ones"]))


        ONES = Option(doc="Points among which one is chosen.", low=1, high=100, default=12, is_whole=True)
        MEMBERS = (Sampler(name="planted_tpe", doc="chooses among few", options={"planted_ones": ONES}, make=_make),)
    """,
    "metrics/planted.py": '''
        from qpsearch.registry.metrics.base import on_logits
        from qpsearch.vocabulary import Direction


        def mean_logit(logits, labels):
            """Mean of all logits."""
            return float(logits.mean())


        MEMBERS = (on_logits("planted_mean", mean_logit, direction=Direction.MAXIMIZE, low=-1e9, high=1e9),)
    ''',
    "datasets/planted.py": """
        from qpsearch.registry.datasets.base import Arrays, DatasetFacts


        def _stripes(folder, facts):
            import numpy as np

            labels = np.arange(120) % 2
            images = np.broadcast_to(labels[:, None, None, None] * 200, (120, 8, 8, 1)).astype(np.uint8)
            return Arrays(images[:100], labels[:100], images[100:], labels[100:])


        MEMBERS = (
            DatasetFacts(
                name="planted_stripes",
                channels=1,
                size=8,
                classes=2,
                train_images=100,
                test_images=20,
                peak=255,
                mean=(0.4,),
                std=(0.4,),
                names=("dark", "light"),
                read=_stripes,
                bundled=True,
            ),
        )
    """,
}
WORDS = [
    "planted_fall",
    "planted_sgd",
    "planted_light",
    "val_planted_mean",
    "planted_stripes",
    "planted_tpe",
    "planted_ones",
]
SPACE = """
study: planted
data: {dataset: planted_stripes, validation: 20, augment: [flip, {planted_light: {size: 0.2}}]}
network: {stem: {width: 4}, stages: [{width: 4, depth: 1, block: additive}]}
training: {epochs: 2, batch_size: 16, schedule: planted_fall, optimizer: {planted_sgd: {lr: {log: [0.01, 0.1]}}}}
search: {metrics: [val_planted_mean], sampler: {planted_tpe: {planted_ones: 8}}}
"""
READ = """
import json, sys
from qpsearch.cli.main import main
sys.argv = ["qpsearch", "space", "check", "planted.yaml"]
main()
assert not {"torch", "optuna"} & set(sys.modules)
from qpsearch.space.file.json_schema import json_schema
print(json.dumps(json_schema()))
from docs.generate import keys_page, metrics_page
print(json.dumps(keys_page() + metrics_page()))
"""
TRAINED = """
import sys
import pytest
import qpsearch
from qpsearch.architecture.candidates import sample
from qpsearch.architecture.config import TrialConfig
from qpsearch.protocol import RunSettings
config = sample(qpsearch.load_space("planted.yaml"), 1)[0].config
assert TrialConfig.from_json(config.to_json()) == config
*_, last = qpsearch.train(config, RunSettings(seed=0, metrics=("val_planted_mean",)))
assert last.epoch == 2 and "val_planted_mean" in last.metrics, last
sys.exit(pytest.main(["-q", "-n", "0", "-k", "planted", "-p", "no:cacheprovider", "tests/test_registry.py",
                      "tests/training/test_recipe.py", "tests/training/test_loop.py", "tests/study/test_samplers.py"]))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, with the new modules and a space file that names what they add."""
    place = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        shutil.copytree(ROOT / name, place / name)  # with the times of files, so that compiled ones fit
    shutil.copy(ROOT / "pyproject.toml", place)
    for name, text in NEW.items():
        lines = text.strip("\n").splitlines()
        (place / "qpsearch" / "registry" / name).write_text("\n".join(line[8:] for line in lines))
    (place / "planted.yaml").write_text(SPACE)
    return place


def answer(copy: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_new_modules_are_read_checked_and_documented(copy: Path) -> None:
    *_, schema, pages = answer(copy, READ).splitlines()
    for word in WORDS:
        assert f'"{word}"' in schema
        assert word in json.loads(pages)


def test_new_modules_are_trained_and_tested(copy: Path) -> None:
    tail = answer(copy, TRAINED)
    assert " passed" in tail
    assert " failed" not in tail


def with_members(monkeypatch: pytest.MonkeyPatch, *members: object) -> None:
    found = ModuleType("planted.one")
    found.MEMBERS = members  # type: ignore[attr-defined]
    package = ModuleType("planted")
    package.__path__ = []
    modules = {"planted": package, "planted.one": found, "planted.two": found}
    monkeypatch.setattr(registry, "import_module", modules.__getitem__)
    monkeypatch.setattr(
        registry.pkgutil, "iter_modules", lambda path: [type("Found", (), {"name": name}) for name in ("one", "two")]
    )


def test_what_is_not_a_member_and_what_is_one_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_members(monkeypatch, "flat")
    with pytest.raises(TypeError, match=r"planted\.one: MEMBERS has 'flat'\. Expected a tuple of Schedule\."):
        registry.members("planted", Schedule)
    with_members(monkeypatch, Schedule(name="flat", doc="", factor=lambda progress, warmup: 1.0))
    with pytest.raises(ValueError, match=r"planted\.two: there is a 'flat' already\."):
        registry.members("planted", Schedule)
