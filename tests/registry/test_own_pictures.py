"""Images of every kind: converted by a stated rule, or refused with the reason."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from qpsearch.registry.own.pictures import fitted, header_of, pixels_of


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


COLOURS = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8))
GREYS = COLOURS.convert("L")
ALPHA = Image.merge("RGBA", (*COLOURS.split(), GREYS))
DEEP = Image.fromarray(np.arange(54, dtype=np.uint16).reshape(6, 9) * 1200)


@pytest.mark.parametrize(
    ("content", "is_grey", "expected"),
    [
        (saved(COLOURS), False, COLOURS),
        (saved(GREYS), True, GREYS),
        (saved(ALPHA), False, COLOURS),  # transparency is dropped
        (saved(Image.merge("LA", (GREYS, GREYS))), True, GREYS),
        (saved(GREYS.convert("P")), False, GREYS.convert("RGB")),
        (saved(DEEP), True, Image.fromarray((np.asarray(DEEP) >> 8).astype(np.uint8))),
        (saved(GREYS.convert("1")), True, GREYS.convert("1").convert("L")),
        (saved(COLOURS.convert("CMYK"), "TIFF"), False, COLOURS),
        (saved(GREYS, save_all=True, append_images=[Image.new("L", GREYS.size)]), True, GREYS),  # the first of several
    ],
    ids=["rgb", "grey", "rgba", "grey and alpha", "palette", "16 bits", "1 bit", "cmyk", "two frames"],
)
def test_every_kind_of_image_becomes_8_bits_of_grey_or_colour(
    content: bytes, is_grey: bool, expected: Image.Image
) -> None:
    header = header_of(content)
    assert (header.width, header.height, header.is_grey) == (9, 6, is_grey)
    found = pixels_of(content, 1 if is_grey else 3)
    assert found.dtype == np.uint8
    assert np.array_equal(found[..., 0] if is_grey else found, np.asarray(expected))
    if is_grey:  # among images that are not
        assert np.array_equal(pixels_of(content, 3), np.repeat(found, 3, 2))


def test_grey_of_16_bits_with_transparency_stays_grey() -> None:
    rows = b"".join(b"\0" + np.full((5, 2), 4000, ">u2").tobytes() for _ in range(4))
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 16, 4, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    ]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    header = header_of(content)
    assert (header.is_grey, header.is_clear, header.brightest) == (True, True, 15)
    assert np.array_equal(pixels_of(content, 1), np.full((4, 5, 1), 15))


def test_transparency_of_a_palette_is_dropped() -> None:
    content = saved(COLOURS.convert("P"), transparency=bytes(range(256)))
    assert np.array_equal(pixels_of(content, 3), np.asarray(COLOURS.convert("P").convert("RGB")))


OPAQUE = Image.new("L", COLOURS.size, 255)
KEYED = np.random.default_rng(1).integers(1, 256, (6, 9), dtype=np.uint8)  # 0 stands for transparency


@pytest.mark.parametrize(
    ("content", "is_clear"),
    [
        (saved(COLOURS), False),
        (saved(ALPHA), True),
        (saved(Image.merge("RGBA", (*COLOURS.split(), OPAQUE))), False),
        (saved(Image.merge("RGBA", (*COLOURS.split(), OPAQUE)), "WEBP", lossless=True), False),
        (saved(Image.merge("LA", (GREYS, OPAQUE))), False),
        (saved(Image.merge("LA", (GREYS, Image.new("L", GREYS.size, 254)))), True),
        (saved(COLOURS.convert("P"), transparency=bytes([255] * 256)), False),
        (saved(COLOURS.convert("P"), transparency=bytes([9] * 256)), True),
        (saved(Image.fromarray(KEYED), transparency=0), False),
        (saved(Image.fromarray(KEYED), transparency=int(KEYED[2, 3])), True),
    ],
)
def test_only_pixels_that_are_transparent_are_told(content: bytes, is_clear: bool) -> None:
    assert header_of(content).is_clear is is_clear


def test_transparency_of_a_truncated_image_is_not_known() -> None:
    with pytest.raises(ValueError, match="is truncated or damaged"):
        header_of(saved(ALPHA.resize((64, 48)))[:-400])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_a_photograph_is_turned_upright(form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # held sideways
    content = saved(COLOURS, form, exif=exif, quality=100, subsampling=0)
    assert (header_of(content).width, header_of(content).height) == (6, 9)
    turned = pixels_of(content, 3).astype(int)
    assert turned.shape == (9, 6, 3)
    assert np.abs(turned - np.rot90(np.asarray(COLOURS), -1)).mean() < 10


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is an empty file"),
        (b"not an image at all", "is not an image of a known format"),
        (saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "has fractions as pixels"),
        (saved(Image.fromarray(np.ones((4, 4), np.int32)), "TIFF"), "has numbers of 32 bits as pixels"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_its_header(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        header_of(content)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM", "WEBP"])
def test_a_truncated_image_is_refused_wherever_it_ends(form: str) -> None:
    content = saved(COLOURS.resize((64, 48)), form)
    for end in random.Random(0).sample(range(1, len(content) * 9 // 10), 12):
        with pytest.raises(ValueError, match=r"truncated or damaged|not an image of a known format|cannot be read"):
            header_of(content[:end])
            pixels_of(content[:end], 3)


@pytest.mark.parametrize("shape", [(40, 60), (61, 32), (32, 32), (16, 50), (9, 7)])
def test_images_are_resized_and_cut_as_torchvision_does(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    theirs = v2.Compose([v2.Resize(32), v2.CenterCrop(32)])(Image.fromarray(pixels))
    assert np.array_equal(fitted(pixels, 32), np.asarray(theirs))
    grey = fitted(pixels[..., :1], 32)
    assert grey.shape == (32, 32, 1)
    assert torch.from_numpy(grey.copy()).dtype is torch.uint8
