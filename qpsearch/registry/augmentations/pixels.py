"""Changes of images with a strength for each image, equal to torchvision's of one strength for all.

Images are (N, C, H, W) uint8 from 0 to 255, of 1 or 3 channels; a strength is (N,) on their device. What a geometric
change brings in is black. torchvision itself is not loaded: its functions would be called once for each image.
"""

from typing import TYPE_CHECKING, Final

from qpsearch.registry.augmentations.base import constant

if TYPE_CHECKING:
    from torch import Tensor

GREY: Final = (0.2989, 0.587, 0.114)
WHITE: Final = 255.0


def brightness(images: "Tensor", factor: "Tensor") -> "Tensor":
    """Multiply by a factor."""
    return _pixels(images * _of_each(factor))


def contrast(images: "Tensor", factor: "Tensor") -> "Tensor":
    """Move away from the mean of the grey image by a factor."""
    return _blend(images.float(), _grey(images).mean((1, 2, 3), keepdim=True), factor)


def saturation(images: "Tensor", factor: "Tensor") -> "Tensor":
    """Move away from the grey image by a factor; grey images stay as they are."""
    return images if images.shape[1] == 1 else _blend(images.float(), _grey(images), factor)


def sharpness(images: "Tensor", factor: "Tensor") -> "Tensor":
    """Move away from the blurred image by a factor; the outermost pixels stay as they are."""
    import torch
    import torch.nn.functional as F

    channels, height, width = images.shape[1:]
    if min(height, width) <= 2:
        return images
    sharp = images.float()
    kernel = torch.full((3, 3), 1 / 13, device=images.device)
    kernel[1, 1] = 5 / 13
    blurred = sharp.clone()
    blurred[..., 1:-1, 1:-1] = F.conv2d(sharp, kernel.expand(channels, 1, 3, 3), groups=channels).round_()
    return _pixels(sharp + (1 - _of_each(factor)) * (blurred - sharp))  # not _blend: what is not blurred stays exact


def hue(images: "Tensor", shift: "Tensor") -> "Tensor":
    """Turn the circle of hues by a share of it; grey images stay as they are."""
    import torch

    if images.shape[1] == 1:
        return images
    rgb = images.float() / WHITE
    low, value = torch.aminmax(rgb, dim=1)
    spread = value - low
    is_grey = spread == 0
    saturated = spread / torch.where(is_grey, 1, value)
    red, green, blue = ((value.unsqueeze(1) - rgb) / torch.where(is_grey, 1, spread).unsqueeze(1)).unbind(1)
    sector = torch.where(
        value == rgb[:, 0], blue - green, torch.where(value == rgb[:, 1], red - blue + 2, green - red + 4)
    )
    turned = ((sector / 6 + 1).fmod(1) + shift.view(-1, 1, 1)).remainder(1) * 6
    # each colour falls from value to value * (1 - saturation) and rises again, as a function of the hue
    distances = [(turned + offset).remainder(6) for offset in (5, 3, 1)]
    planes = [value * (1 - saturated * torch.minimum(far, 4 - far).clamp(0, 1)) for far in distances]
    return (torch.stack(planes, 1).clamp(0, 1) * (WHITE + 1 - 1e-3)).to(torch.uint8)


def posterize(images: "Tensor", bits: "Tensor") -> "Tensor":
    """Keep some of the eight bits, the highest ones."""
    import torch

    dropped = (8 - bits).to(torch.uint8)
    return (images >> _of_each(dropped)) << _of_each(dropped)


def solarize(images: "Tensor", threshold: "Tensor") -> "Tensor":
    """Invert the pixels from a threshold on."""
    import torch

    return torch.where(images >= _of_each(threshold), 255 - images, images)


def autocontrast(images: "Tensor") -> "Tensor":
    """Stretch each channel from 0 to 255; a channel of one value stays as it is."""
    import torch

    low, high = images.amin((2, 3), keepdim=True).float(), images.amax((2, 3), keepdim=True).float()
    scale = (high - low) * (1 / WHITE)
    stretched = (images - low).div_(torch.where(scale == 0, 1, scale))
    return torch.where(scale == 0, images, stretched.clamp_(0, WHITE).to(torch.uint8))


def equalize(images: "Tensor") -> "Tensor":
    """Spread the values of each channel evenly, as Pillow does."""
    import torch

    flat = images.flatten(2).long()
    counts = flat.new_zeros((*flat.shape[:2], 256)).scatter_add_(2, flat, torch.ones_like(flat))
    below = counts.cumsum(2)
    brightest = counts.gather(2, flat.amax(2, keepdim=True))
    step = (flat.shape[2] - brightest) // 255
    table = ((below + step // 2) // step.clamp(min=1)).clamp_(0, 255).roll(1, 2)
    table[..., 0] = 0
    return torch.where(step.unsqueeze(3) == 0, images, table.gather(2, flat).view_as(images).to(torch.uint8))


def shear_x(images: "Tensor", slope: "Tensor") -> "Tensor":
    """Shift each row by its distance from the top, times a slope."""
    return _affine(images, _matrices(slope, xy=slope, x0=slope * images.shape[2] / 2))


def shear_y(images: "Tensor", slope: "Tensor") -> "Tensor":
    """Shift each column by its distance from the left, times a slope."""
    return _affine(images, _matrices(slope, yx=slope, y0=slope * images.shape[3] / 2))


def translate_x(images: "Tensor", distance: "Tensor") -> "Tensor":
    """Shift to the right, in pixels."""
    return _affine(images, _matrices(distance, x0=-distance))


def translate_y(images: "Tensor", distance: "Tensor") -> "Tensor":
    """Shift down, in pixels."""
    return _affine(images, _matrices(distance, y0=-distance))


def rotate(images: "Tensor", degrees: "Tensor") -> "Tensor":
    """Turn against the clock around the centre."""
    angle = degrees.double().deg2rad()
    cosine, sine = angle.cos(), angle.sin()
    return _affine(images, _matrices(angle, xx=cosine, xy=-sine, yx=sine, yy=cosine))


def _matrices(
    like: "Tensor",
    *,
    xx: "Tensor | float" = 1.0,
    xy: "Tensor | float" = 0.0,
    x0: "Tensor | float" = 0.0,
    yx: "Tensor | float" = 0.0,
    yy: "Tensor | float" = 1.0,
    y0: "Tensor | float" = 0.0,
) -> "Tensor":
    """Return matrices (N, 2, 3) that give the place in the old image, from the centre, of a place in the new one."""
    import torch

    like = like.double()
    rows = [[torch.zeros_like(like) + value for value in row] for row in ((xx, xy, x0), (yx, yy, y0))]
    return torch.stack([torch.stack(row, 1) for row in rows], 1).float()


def _affine(images: "Tensor", matrices: "Tensor") -> "Tensor":
    """Take each pixel from the nearest pixel at its old place; black comes from outside."""
    import torch
    import torch.nn.functional as F

    n, _, height, width = images.shape
    xs = torch.linspace((1 - width) / 2, (width - 1) / 2, width, device=images.device)
    ys = torch.linspace((1 - height) / 2, (height - 1) / 2, height, device=images.device)
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], 2).view(1, -1, 3).expand(n, -1, -1)
    half = constant((width / 2, height / 2), images.device)
    grid = places.bmm(matrices.transpose(1, 2) / half).view(n, height, width, 2)
    return F.grid_sample(images.float(), grid, mode="nearest", align_corners=False).to(torch.uint8)


def _of_each(strength: "Tensor") -> "Tensor":
    return strength.view(-1, 1, 1, 1)


def _grey(images: "Tensor") -> "Tensor":
    """Return float grey images (N, 1, H, W) of whole numbers."""
    if images.shape[1] == 1:
        return images.float()
    colours = images.float()
    red, green, blue = colours[:, :1], colours[:, 1:2], colours[:, 2:]
    return red.mul(GREY[0]).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2]).floor_()


def _blend(images: "Tensor", others: "Tensor", factor: "Tensor") -> "Tensor":
    factor = _of_each(factor)
    return _pixels(images * factor + others * (1 - factor))


def _pixels(values: "Tensor") -> "Tensor":
    """Return values as pixels, cut off at black and white; fractions are dropped."""
    import torch

    return values.clamp(0, WHITE).to(torch.uint8)
