"""One image file: its header, and its pixels as 8 bits of grey or of red, green, blue. Nothing else is taken.

Grey stays grey where all images of a data set are grey, else it becomes colour. A palette becomes its colours, CMYK
and the like become RGB. Transparency is dropped, as torchvision's ImageFolder does. Of 16 bits the upper 8 count. Of
several pictures in a file the first counts. A camera's note of how it was held (EXIF) turns the image.
"""

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    Pixels = npt.NDArray[np.uint8]

GREY: Final = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")
DEEP: Final = re.compile(r"I;16|;16[BLN]|', \d{4,}\)")  # in what Pillow says of the encoding; PPM names its white
WIDE: Final = "has numbers of 32 bits as pixels, whose white is not known. Convert it to 8 or 16 bits"
FRACTIONS: Final = "has fractions as pixels, whose white is not known. Convert it to 8 or 16 bits."
TURNED: Final = ("JPEG", "MPO", "PNG", "TIFF", "WEBP")  # formats with a note of how the camera was held
ORIENTATION: Final = 0x0112  # the number of that note
WIDTH, HEIGHT = 256, 257  # the numbers of those of a TIFF
SIDEWAYS: Final = range(5, 9)  # its values that swap width and height
OPAQUE: Final = 255  # of a channel of transparency


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of an image before it is decoded.

    Attributes:
        width: In pixels, of the image upright.
        height: Likewise.
        is_grey: Whether it is grey.
        is_clear: Whether some of its pixels are transparent (it is decoded for that where it may have such pixels).
        brightest: Of an image of 16 bits, its largest value once read as 8 bits (it is decoded for that); else None.
    """

    width: int
    height: int
    is_grey: bool
    is_clear: bool
    brightest: int | None


def header_of(content: bytes) -> Header:
    """Read the header of an image file.

    Raises:
        ValueError: It is not an image, or one that cannot be taken; a sentence or two say why and what to do.
    """
    with _opened(content) as image:
        width, height = image.size
        if _is_sideways(image) and not _is_turned(image):
            width, height = height, width
        is_grey = image.mode in GREY or any("LA;16" in each for each in _encodings(image))  # which is read as RGBA
        deep = is_deep(image)  # which is no longer known of an image that is decoded
        clear = is_clear(image)
        brightest = int(_decoded(image, 1 if is_grey else 3).max()) if deep else None
        return Header(width, height, is_grey, clear, brightest)


def pixels_of(content: bytes, channels: int) -> "Pixels":
    """Decode an image file to (H, W, channels).

    Args:
        content: The whole file.
        channels: 1 for grey, 3 for red, green, blue.

    Raises:
        ValueError: It cannot be decoded to its end; a sentence or two say why and what to do.
    """
    with _opened(content) as image:
        return _decoded(image, channels)


def from_pillow(image: "Image.Image") -> "Pixels":
    """Return an image of Pillow as (H, W, C): one channel where it is grey, else three.

    Raises:
        ValueError: It cannot be taken; a sentence or two say why and what to do.
    """
    import numpy as np

    _load(image)
    if image.mode == "F":
        raise ValueError(FRACTIONS)
    channels = 1 if image.mode in GREY else 3
    found = np.asarray(_converted(image, channels), np.uint8)
    return found[..., None] if channels == 1 else found


def _decoded(image: "Image.Image", channels: int) -> "Pixels":
    import numpy as np

    _load(image)
    found = np.asarray(_converted(image, channels), np.uint8)
    return found[..., None] if channels == 1 else found


def _load(image: "Image.Image") -> None:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:  # what Pillow's decoders raise
        fix = "Replace it by a whole copy, or remove it"
        raise ValueError(f"is truncated or damaged ({str(error).rstrip('.')}). {fix}.") from None


def _is_sideways(image: "Image.Image") -> bool:
    """Whether an image that is not decoded yet was held sideways; of a PNG the note may stand behind the pixels."""
    if image.format not in TURNED or (image.format == "PNG" and "exif" not in image.info):
        return False
    return image.getexif().get(ORIENTATION) in SIDEWAYS


def _is_turned(image: "Image.Image") -> bool:
    """Whether Pillow tells the size as the image is seen already, which newer versions do of a TIFF."""
    tags = getattr(image, "tag_v2", {})
    return image.size != (tags.get(WIDTH, image.size[0]), tags.get(HEIGHT, image.size[1]))


def is_clear(image: "Image.Image") -> bool:
    """Whether some pixels of an image of Pillow are transparent; a channel that is opaque everywhere hides nothing.

    Where one colour of 16 bits a channel stands for transparency, it is taken to occur.

    Raises:
        ValueError: It cannot be decoded to its end.
    """
    if not image.has_transparency_data:
        return False
    if "transparency" in image.info and is_deep(image):
        return True
    _load(image)
    return image.convert("RGBA").getchannel("A").getextrema() != (OPAQUE, OPAQUE)


def is_deep(image: Any) -> bool:
    """Whether an image of Pillow has 16 bits a channel; of colours only its encoding says so, as they are read as 8."""
    if not hasattr(image, "getbands"):
        return False
    return image.mode.startswith("I") or any(DEEP.search(each) for each in _encodings(image))


def _encodings(image: Any) -> list[str]:
    """Return how the parts of an image are encoded that are still to be decoded, in Pillow's words."""
    return [str(tile.args) for tile in getattr(image, "tile", ())]


def _opened(content: bytes) -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise ValueError("is an empty file. Replace it, or remove it.")
    try:
        image = Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        raise ValueError("is not an image of a known format. Replace it, or remove it.") from None
    except Image.DecompressionBombError:
        raise ValueError("has more pixels than an honest image. Make it smaller, or remove it.") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError(f"cannot be read as an image ({str(error).rstrip('.')}). Replace it, or remove it.") from None
    if image.mode == "F":
        raise ValueError(FRACTIONS)
    if image.mode == "I" and image.format not in ("PNG", "PPM"):
        raise ValueError(f"{WIDE}.")
    return image


def _converted(image: "Image.Image", channels: int) -> "Image.Image":
    """Return an image upright, as 8 bits, grey or colour."""
    import numpy as np
    from PIL import Image, ImageOps

    if image.format in TURNED:
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() >= 2**16:
            raise ValueError(f"{WIDE}.")
        image = Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def fitted(pixels: "Pixels", side: int) -> "Pixels":
    """Resize an image (H, W, C) so that its shorter side is ``side``, and cut out its centre (side, side, C).

    As torchvision's ``Resize`` and ``CenterCrop`` of a PIL image, bilinear with antialiasing; an image of that size
    stays as it is.
    """
    import numpy as np
    from PIL import Image

    height, width, channels = pixels.shape
    if (height, width) == (side, side):
        return pixels
    given: Any = pixels[..., 0] if channels == 1 else pixels
    long = int(side * max(height, width) / min(height, width))
    shape = (side, long) if width <= height else (long, side)
    resized = Image.fromarray(given).resize(shape, Image.Resampling.BILINEAR)
    left, top = round((shape[0] - side) / 2), round((shape[1] - side) / 2)
    cut = np.asarray(resized.crop((left, top, left + side, top + side)))
    return cut[..., None] if channels == 1 else cut
