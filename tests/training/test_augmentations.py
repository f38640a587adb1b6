"""Augmentations: each change as torchvision makes it, each augmentation as often as its reference, whatever the images."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as VF

from qpsearch.errors import SpaceError
from qpsearch.protocol import RunSettings
from qpsearch.registry.augmentations import AUGMENTATIONS, Padding, augment, mixed, pixels, settings_for
from qpsearch.registry.augmentations.base import ImageChange, ImageForm, Mixture
from qpsearch.registry.datasets import Data
from qpsearch.space import edited, load_space, parse_space
from qpsearch.training.data import augmented, normalise
from qpsearch.training.loop import TrainingRun
from qpsearch.vocabulary import BlockKind
from tests.training.configs import digits

SIDE, DRAWS, THEIRS = 12, 12_000, 1200
IMAGE = torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
SMOOTH = VF.gaussian_blur(IMAGE, [3, 3])  # as photographs are, more or less: rotations keep most of it


class Cutout(nn.Module):
    """The authors' code (arXiv 1708.04552), whose length is a whole number of pixels, here half of the image."""

    def forward(self, image: Tensor) -> Tensor:
        y, x = np.random.randint(SIDE), np.random.randint(SIDE)
        low_y, high_y, low_x, high_x = (
            np.clip(v, 0, SIDE) for v in (y - SIDE // 4, y + SIDE // 4, x - SIDE // 4, x + SIDE // 4)
        )
        image = image.clone()
        image[:, low_y:high_y, low_x:high_x] = 0
        return image


# What our defaults are in torchvision, on one image; its TrivialAugment shifts by 32 pixels, beyond so small an image.
REFERENCES: dict[str, Callable[[Tensor], Tensor]] = {
    "flip": v2.RandomHorizontalFlip(),
    "crop": v2.RandomCrop(SIDE, padding=SIDE // 8),
    "jitter": v2.ColorJitter(0.4, 0.4, 0.4),
    "randaugment": v2.RandAugment(),
    "trivialaugment": v2.TrivialAugmentWide(),
    "cutout": Cutout(),
    "erase": v2.RandomErasing(),
}
MIXTURES: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "mixup": v2.MixUp(num_classes=2),
    "cutmix": v2.CutMix(num_classes=2),
}


def test_each_augmentation_has_its_reference() -> None:
    assert set(REFERENCES) | set(MIXTURES) == set(AUGMENTATIONS)
    assert set(MIXTURES) == {kind for kind, each in AUGMENTATIONS.items() if isinstance(each, Mixture)}


def assert_alike(ours: Tensor, theirs: Tensor) -> None:
    """Means and mean squares of each value over draws agree: of hundreds of z-scores none is beyond 6, few beyond 2."""
    for power in (1, 2):
        own, other = (each.double().flatten(1) ** power for each in (ours, theirs))
        error = (own.var(0) / len(own) + other.var(0) / len(other)).sqrt()
        z = (own.mean(0) - other.mean(0)) / error.clamp(min=1e-6)
        assert z.abs().max() < 6
        assert (z.abs() > 2.5).double().mean() < 0.1


@pytest.mark.parametrize("kind", REFERENCES)
def test_an_augmentation_is_its_reference_in_distribution(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        v2.TrivialAugmentWide._AUGMENTATION_SPACE,
        "TranslateX",
        (lambda bins, h, w: torch.linspace(0, SIDE, bins), True),
    )
    monkeypatch.setitem(
        v2.TrivialAugmentWide._AUGMENTATION_SPACE,
        "TranslateY",
        (lambda bins, h, w: torch.linspace(0, SIDE, bins), True),
    )
    each = AUGMENTATIONS[kind]
    assert isinstance(each, ImageChange)
    image = SMOOTH if each.form is ImageForm.PIXELS else (SMOOTH.float() - 100) / 60
    ours = augment(image.repeat(DRAWS, 1, 1, 1), (kind,), torch.Generator().manual_seed(1), SIDE, form=each.form)
    assert ours.dtype == image.dtype
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        np.random.seed(3)  # the reference draws from it
        theirs = torch.stack([REFERENCES[kind](image) for _ in range(THEIRS)])
    assert_alike(ours, theirs)


@pytest.mark.parametrize("kind", MIXTURES)
def test_a_mixture_is_its_reference_in_distribution(kind: str) -> None:
    images, labels = torch.stack([SMOOTH, SMOOTH.flip(1)]).float(), torch.tensor([0, 1])
    generator = torch.Generator().manual_seed(1)
    ours, theirs = [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        for _ in range(THEIRS):
            found, share = mixed(images, (kind,), generator)
            ours.append(torch.cat([found[0].flatten(), torch.tensor([255 * share])]))
            found, weights = MIXTURES[kind](images, labels)
            theirs.append(torch.cat([found[0].flatten(), 255 * weights[0, :1]]))
            assert weights[1, 1] == weights[0, 0]
    assert_alike(torch.stack(ours), torch.stack(theirs))


def test_of_two_mixtures_a_batch_takes_one() -> None:
    images, generator = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)]), torch.Generator().manual_seed(0)
    draws = [mixed(images, tuple(MIXTURES), generator)[0] for _ in range(400)]
    whole = [set(found.unique().tolist()) <= {0.0, 1.0} for found in draws]  # CutMix's images are patches
    assert sum(whole) / len(whole) == pytest.approx(0.5, abs=0.1)


CHANGES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, float], Tensor], tuple[float, ...]]] = {
    "brightness": (pixels.brightness, VF.adjust_brightness, (0.01, 0.5, 1.0, 1.99)),
    "contrast": (pixels.contrast, VF.adjust_contrast, (0.01, 0.5, 1.0, 1.99)),
    "saturation": (pixels.saturation, VF.adjust_saturation, (0.01, 0.5, 1.0, 1.99)),
    "sharpness": (pixels.sharpness, VF.adjust_sharpness, (0.01, 0.5, 1.0, 1.99)),
    "hue": (pixels.hue, VF.adjust_hue, (-0.5, -0.2, 0.1, 0.5)),
    "posterize": (pixels.posterize, lambda image, bits: VF.posterize(image, int(bits)), (2, 5, 8)),
    "solarize": (pixels.solarize, VF.solarize, (0.0, 100.5, 255.0)),
    "autocontrast": (lambda images, _: pixels.autocontrast(images), lambda image, _: VF.autocontrast(image), (0,)),
    "equalize": (lambda images, _: pixels.equalize(images), lambda image, _: VF.equalize(image), (0,)),
    "shear_x": (pixels.shear_x, lambda image, slope: affine(image, slope, 0), (-0.99, 0.033, 0.4)),
    "shear_y": (pixels.shear_y, lambda image, slope: affine(image, 0, slope), (-0.99, 0.033, 0.4)),
    "translate_x": (pixels.translate_x, lambda image, by: VF.affine(image, 0.0, [int(by), 0], 1.0, [0.0]), (-3, 0, 5)),
    "translate_y": (pixels.translate_y, lambda image, by: VF.affine(image, 0.0, [0, int(by)], 1.0, [0.0]), (-3, 0, 5)),
    "rotate": (pixels.rotate, VF.rotate, (-135.0, 4.5, 40.0)),
}  # fmt: skip


def affine(image: Tensor, x: float, y: float) -> Tensor:
    degrees = [math.degrees(math.atan(slope)) for slope in (x, y)]
    return VF.affine(image, 0.0, [0, 0], 1.0, degrees, center=[0, 0])


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 32, 32), (1, 8, 8), (3, 9, 9)], ids=str)
def test_a_change_of_pixels_is_torchvisions(name: str, shape: tuple[int, ...]) -> None:
    ours, theirs, strengths = CHANGES[name]
    generator = torch.Generator().manual_seed(4)
    images = torch.randint(20, 230, (len(strengths), *shape), dtype=torch.uint8, generator=generator)
    images[0] = images[0] // 64 * 64  # few values, equal channels
    images[-1, :, : shape[1] // 2] = 77
    found = ours(images, torch.tensor(strengths, dtype=torch.float32))
    expected = torch.stack([theirs(image, value) for image, value in zip(images, strengths, strict=True)])
    far = (found.int() - expected.int()).abs()
    if name in ("shear_x", "shear_y", "rotate"):  # halfway between two pixels, rounding decides
        assert (far == 0).double().mean() > 0.98
    else:  # a value just below a whole number may be cut to the one before
        assert far.max() <= 1
        assert (far == 0).double().mean() > 0.995


@pytest.mark.parametrize("kind", AUGMENTATIONS)
@pytest.mark.parametrize("dataset", ["digits", "cifar10"])
def test_an_augmentation_takes_small_grey_images_and_large_coloured_ones(kind: str, dataset: str) -> None:
    side, channels, peak = (8, 1, 16) if dataset == "digits" else (32, 3, 255)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, peak + 1, (64, channels, side, side), dtype=torch.uint8, generator=generator)
    before = images.clone()
    for padding in Padding:
        data = Data(dataset=dataset, validation=0, augment=(kind,), padding=padding)
        found, again = (mixed_up(images, data, side) for _ in range(2))
        assert torch.equal(found, again)
        assert (found.shape, found.dtype) == (images.shape, torch.float32)
        assert not torch.equal(found, normalise(images, data))
        extreme = normalise(torch.tensor([0, peak], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, channels, 1, 1), data)
        assert (extreme[0].min() - 1e-4 <= found).all()
        assert (found <= extreme[1].max() + 1e-4).all()
    assert torch.equal(images, before)


def mixed_up(images: Tensor, data: Data, side: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return mixed(augmented(images, data, generator, side), data.augment, generator)[0]


def test_options_have_an_effect() -> None:
    """Each option, at another value, gives other images."""
    for kind, each in AUGMENTATIONS.items():
        for name, option in each.options.items():
            data = Data(dataset="cifar10", validation=0, augment=(kind,))
            other = option.high if option.default != option.high else option.low
            changed = replace(data, augment_options=((f"{kind}.{name}", min(other, 30)),))
            assert settings_for(kind, changed.augment_options)[name] == min(other, 30)
            images = IMAGE.repeat(32, 1, 3, 3)[:, :, :32, :32]
            generators = [torch.Generator().manual_seed(1) for _ in range(2)]
            first, second = (
                mixed(
                    augmented(
                        images.float().add(torch.arange(32).view(-1, 1, 1, 1)).clamp(0, 255).to(torch.uint8),
                        own,
                        generator,
                        32,
                    ),
                    own.augment,
                    generator,
                    own.augment_options,
                )[0]
                for own, generator in zip((data, changed), generators, strict=True)
            )
            assert not torch.equal(first, second), f"{kind}.{name}"


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_images_on_another_device_are_changed_there(kind: str) -> None:
    data = Data(dataset="cifar10", validation=0, augment=(kind,))
    images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8, device="meta")
    found = augmented(images, data, torch.Generator().manual_seed(0), 32)
    assert (found.shape, found.device.type) == ((4, 3, 32, 32), "meta")


def test_the_loss_of_a_mixture_is_the_mixture_of_losses() -> None:
    config = digits(BlockKind.ADDITIVE, held=1200)
    config = replace(config, data=replace(config.data, augment=("mixup",)))
    trainer = TrainingRun(config, RunSettings(seed=1))
    index, model = torch.arange(64), trainer.model.train()
    (draws,) = next(trainer.draws.steps([index], torch.Generator().manual_seed(3)))
    batch, share = trainer.batch(draws)
    assert 0 < share < 1
    soft = share * nn.functional.one_hot(batch.labels, 10) + (1 - share) * nn.functional.one_hot(
        batch.labels.roll(1), 10
    )
    expected = nn.functional.cross_entropy(model(batch.images), soft)
    found = trainer._backward(*trainer._inputs(draws, 1.0))
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def space(augment: object) -> Data:
    return parse_space(edited(load_space("smoke").source, {"data.augment": augment})).data


def test_a_space_file_gives_options_beside_the_word() -> None:
    data = space(["cutmix", {"mixup": {"alpha": 0.2}}, {"jitter": {"hue": 0.1, "contrast": 0.4}}, {"erase": None}])
    assert data.augment == ("jitter", "erase", "mixup", "cutmix")
    assert data.augment_options == (("jitter.hue", 0.1), ("mixup.alpha", 0.2))
    assert space([{"mixup": {"alpha": 1.0}}]) == space(["mixup"])  # a default is no other meaning


@pytest.mark.parametrize(
    ("augment", "said"),
    [
        ([{"mixup": {"alfa": 1}}], "data.augment.mixup: unknown key 'alfa'. Did you mean 'alpha'?"),
        ([{"mixup": {"alpha": 0}}], "data.augment.mixup.alpha: 0 is not a number above 0 and at most 100."),
        ([{"mixup": {"alpha": {"float": [0, 1]}}}], "data.augment.mixup.alpha: 0 is not a number above 0"),
        ([{"mixup": 1}], r"data.augment.mixup: expected keys \(used, alpha\), got 1."),
        ([{"flip": {"p": 1}}], "data.augment.flip: unknown key 'p'"),
        ([{"mixap": {"alpha": 1}}], "unknown augmentation 'mixap'. Did you mean 'mixup'?"),
        (["mixup", {"mixup": {"alpha": 1}}], "lists a value more than once"),
    ],
)
def test_a_mistake_in_an_option_is_answered(augment: object, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        space(augment)
