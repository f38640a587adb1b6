"""Networks as files: whatever the block and its rules, a file computes what the network computes, or it is not written."""

import copy
import json
import math
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import save_model
from torch import Tensor, nn

from qpsearch.architecture.blocks import BLOCKS
from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import ArtifactDamaged, ArtifactError, UserError
from qpsearch.models import ResidualNetwork, build_model, custom_block
from qpsearch.registry.datasets import DATASETS, Data
from qpsearch.training import exported
from qpsearch.training.data import normalise
from qpsearch.training.export import real_inputs, write_forms
from qpsearch.training.exported import (
    FORMAT,
    ONNX,
    PROGRAM,
    VERSION,
    WEIGHTS,
    load_exported,
    preprocessed,
    read_weights,
    sha256_of,
)
from qpsearch.vocabulary import BlockKind, NormKind, NormPlacement, ShortcutKind
from tests.models.settings import stage
from tests.training.configs import digits

FORMS = [WEIGHTS, PROGRAM, ONNX]
QUOTIENT: dict[str, Any] = {
    "activation": "linear",
    "floor": -0.5,
    "learned_alpha": "channel",
    "shortcut_activation": "none",
}
UNIT: dict[str, Any] = {
    "positivity": "smooth", "threshold": "channel", "padding": "before_log", "bias": True, "mixing": "depthwise",
    "numbers": "complex", "exponent_clip": 2.0,
}  # fmt: skip


def trained(config: TrialConfig) -> ResidualNetwork:
    """A network whose statistics have seen images, and whose learned bounds and thresholds have left their start."""
    network = build_model(config.network, 0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
        for _ in range(3):
            network(real_inputs(config, None))
    return network.eval()


@pytest.mark.parametrize("kind", BlockKind)
def test_every_block_with_its_rules_is_the_same_in_every_form(kind: BlockKind, tmp_path: Path) -> None:
    """Rules are unlike the papers', where the block has them; any other batch size works, too."""
    config = digits(kind)
    own = stage(
        kind,
        NormKind.GROUP,
        NormPlacement.PRE,
        shortcut=ShortcutKind.PAD,
        width=16,
        stride=2,
        quotient=QUOTIENT,
        unit=UNIT,
    )
    config = replace(config, network=replace(config.network, stages=(own,)))
    network = trained(config)
    inputs = real_inputs(config, None)
    checks = write_forms(network, config, inputs, tmp_path)
    assert [(check.file, check.problem, check.other_classes) for check in checks] == [(name, None, 0) for name in FORMS]
    assert [checks[0].difference, checks[1].difference] == [0.0, 0.0]
    assert (checks[0].images, checks[0].batches, checks[0].not_finite) == (64, (1, 2, 61), 0)
    hold_neither_paths_nor_images(tmp_path, inputs)
    others = 3 * torch.randn(5, 1, 8, 8)  # neither the images nor a batch size of the check
    with torch.no_grad():
        wanted = network(others)
        assert torch.equal(read_weights(tmp_path / WEIGHTS, config.network)(others), wanted)
        assert torch.equal(torch.export.load(tmp_path / PROGRAM).module()(others), wanted)
    session = onnxruntime.InferenceSession(tmp_path / ONNX, providers=["CPUExecutionProvider"])
    (given,) = session.run(["logits"], {"images": others.numpy()})
    torch.testing.assert_close(torch.from_numpy(given), wanted, rtol=1e-3, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize(("count", "batches"), [(1, (1,)), (2, (1, 1)), (3, (1, 2))])
def test_a_few_images_are_enough_to_compare(count: int, batches: tuple[int, ...], tmp_path: Path) -> None:
    """A validation split of a user's own may have one image."""
    config = digits(BlockKind.QUOTIENT)
    inputs = real_inputs(config, None)[:count]
    checks = write_forms(trained(config), config, inputs, tmp_path, names=FORMS[:2])
    assert [(check.problem, check.images, check.batches) for check in checks] == [(None, count, batches)] * 2
    others = torch.rand(5, 1, 8, 8)
    assert torch.export.load(tmp_path / PROGRAM).module()(others).shape == (5, 10)


def test_of_images_that_are_stored_larger_the_centre_is_an_input() -> None:
    """As in validation; those that are as large as the network sees them are whole."""
    data = Data(dataset="imagenet", validation=0)
    images = torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8)
    inputs = preprocessed(images, data)
    assert torch.equal(inputs, normalise(images[:, :, 16:240, 16:240], data))
    assert torch.equal(preprocessed(images[:, :, 16:240, 16:240], data), inputs)
    for wrong in (images.float(), images[:, :1], images[:, :, :200, :200], images[0], "images"):
        with pytest.raises(
            UserError, match=r"Expected a torch tensor \(N, 3, 256, 256\) or \(N, 3, 224, 224\) of uint8"
        ):
            preprocessed(wrong, data)


def hold_neither_paths_nor_images(folder: Path, inputs: Tensor) -> None:
    with zipfile.ZipFile(folder / PROGRAM) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert any("sample_inputs" in name for name in parts)
    for content in (*parts.values(), (folder / ONNX).read_bytes()):
        assert str(Path(exported.__file__).parents[2]).encode() not in content
        assert b"site-packages" not in content
        assert inputs[0].numpy().tobytes()[:64] not in content
    (given,), (out,) = (getattr(onnx.load(folder / ONNX).graph, side) for side in ("input", "output"))
    shapes = [[d.dim_param or d.dim_value for d in each.type.tensor_type.shape.dim] for each in (given, out)]
    assert (given.name, out.name, shapes) == ("images", "logits", [["batch", 1, 8, 8], ["batch", 10]])


class Gate(nn.Module):
    """A block whose form depends on the numbers in it: it cannot be traced."""

    def __init__(self, stage: Any, width_in: int, stride: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(width_in, stage.width, 3, stride, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)
        return y if y.sum() > 0 else -y


class Tied(nn.Module):
    """A block with one weight under two names."""

    def __init__(self, stage: Any, width_in: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width_in, stage.width, 3, stride, padding=1)
        self.second = nn.Conv2d(stage.width, stage.width, 3, padding=1)
        self.third = nn.Conv2d(stage.width, stage.width, 3, padding=1)
        self.third.weight = self.second.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.third(self.second(self.first(x)))
        return y


def custom(name: str, build: Any, monkeypatch: pytest.MonkeyPatch) -> TrialConfig:
    monkeypatch.setitem(BLOCKS, name, custom_block(name, build))
    config = digits(BlockKind.QUOTIENT, BlockKind.ADDITIVE)
    first, second = config.network.stages
    return replace(config, network=replace(config.network, stages=(first, replace(second, block=name))))


def test_a_block_that_cannot_be_traced_is_named_and_the_weights_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = custom("gate", Gate, monkeypatch)
    weights, program, onnx_program = write_forms(trained(config), config, real_inputs(config, None), tmp_path)
    assert (weights.problem, weights.difference) == (None, 0.0)
    assert program.problem == onnx_program.problem  # one reason, said once
    assert re.match(r"torch\.export cannot express block 'gate': \w+: ", str(program.problem))
    assert "quotient" not in str(program.problem)
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]


def test_weights_that_a_block_shares_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = custom("tied", Tied, monkeypatch)
    without_onnx(monkeypatch)
    checks = write_forms(trained(config), config, real_inputs(config, None), tmp_path)
    assert [check.problem for check in checks[:2]] == [None, None]
    again = read_weights(tmp_path / WEIGHTS, config.network).stages[1][0]
    assert torch.equal(again.third.weight, again.second.weight)


def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise RuntimeError("no such operator.\nMore about it")

    monkeypatch.setattr(torch.onnx, "export", fail)


def test_a_form_with_other_outputs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here since another network than the one that was trained is what is written."""
    config = digits(BlockKind.ADDITIVE)
    write = torch.export.export

    def other(module: ResidualNetwork, *args: Any, **options: Any) -> Any:
        changed = copy.deepcopy(module)
        changed.head.bias.data[3] += 0.25
        return write(changed, *args, **options)

    monkeypatch.setattr(torch.export, "export", other)
    weights, *others = write_forms(trained(config), config, real_inputs(config, None), tmp_path)
    assert weights.problem is None
    for check in others:
        said = r"its logits differ from the network's by up to 0\.25, more than 0\.\d+"
        assert re.fullmatch(said, str(check.problem)), check.problem
        assert check.difference == pytest.approx(0.25, rel=1e-4)
        assert check.allowed == pytest.approx(1e-3 * check.largest)
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]


def test_outputs_that_are_not_finite_are_counted_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what ONNX cannot express does not keep the other forms from being written."""
    config = digits(BlockKind.PRODUCT_UNIT)
    network = trained(config)
    with torch.no_grad():
        network.head.bias[:2] = torch.tensor([math.inf, math.nan])
    without_onnx(monkeypatch)
    checks = write_forms(network, config, real_inputs(config, None), tmp_path)
    assert {check.not_finite for check in checks} == {64}
    assert [check.difference for check in checks] == [0.0, 0.0, None]
    said = "ONNX cannot express block 'product_unit': RuntimeError: no such operator"
    assert [check.problem for check in checks] == [None, None, said]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([WEIGHTS, PROGRAM])


def written(folder: Path) -> TrialConfig:
    """A folder that ``load_exported`` reads."""
    config = digits(BlockKind.QUOTIENT)
    save_model(trained(config), str(folder / WEIGHTS))
    info = {
        "format": FORMAT,
        "version": VERSION,
        "config": json.loads(config.to_json()),
        "custom_blocks": {},
        "output": {"classes": None},
        "files": {WEIGHTS: sha256_of(folder / WEIGHTS)},
    }
    (folder / "config.json").write_text(json.dumps(info))
    return config


def test_a_damaged_or_foreign_folder_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArtifactError, match=r"is not an export of a network\. Make one: qpsearch model export STUDY\."):
        load_exported(tmp_path)
    config = written(tmp_path)
    assert load_exported(str(tmp_path)).config == config
    text = (tmp_path / "config.json").read_text()

    def change(name: str, value: object) -> None:
        (tmp_path / "config.json").write_text(json.dumps(json.loads(text) | {name: value}))

    change("version", 2)
    with pytest.raises(ArtifactError, match="has format 2 of exports, but this qpsearch reads 1"):
        load_exported(tmp_path)
    change("config", {})
    with pytest.raises(ArtifactDamaged, match=r"config\.json: is damaged\. Export the network again\."):
        load_exported(tmp_path)
    change("custom_blocks", {"absent": "mine"})
    with pytest.raises(
        UserError, match=r"block 'absent' of the network is not known here\. Set QPSEARCH_IMPORT .* mine"
    ):
        load_exported(tmp_path)
    wider = json.loads(digits(BlockKind.QUOTIENT, width=12).to_json())
    change("config", wider)
    with pytest.raises(ArtifactDamaged, match="does not fit its network"):
        load_exported(tmp_path)
    (tmp_path / "config.json").write_text(text)
    content = bytearray((tmp_path / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(ArtifactDamaged, match=r"model\.safetensors: does not hold what was exported"):
        load_exported(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(ArtifactError, match=r"model\.safetensors: cannot be read \(No such file"):
        load_exported(tmp_path)
    monkeypatch.setattr(exported, "find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"exported networks need safetensors\. Install: pip install 'qpsearch\[export\]'"
    ):
        load_exported(tmp_path)


@pytest.mark.parametrize("name", DATASETS)
def test_classes_are_named_where_the_names_are_known(name: str) -> None:
    facts = DATASETS[name]
    assert len(set(facts.names)) == (0 if name == "imagenet" else facts.classes)
