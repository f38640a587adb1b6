"""Data sets that do not fit into memory: each is written once as arrays that are mapped."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np

LOADERS: Final = min(os.cpu_count() or 1, 16)  # processes that decode JPEG files


def new_array(folder: Path, split: str, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    """Return an ``.npy`` file of a split's images in a folder, mapped, to be filled."""
    import numpy as np

    made: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(
        folder / f"{split}_images.npy", mode="w+", dtype=np.uint8, shape=shape
    )
    return made
