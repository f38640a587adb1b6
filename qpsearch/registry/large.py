"""Data sets that do not fit into memory: each is written once as arrays that are mapped."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsearch.errors import DataError
from qpsearch.registry.splits import SPLIT_SEED, stratified

if TYPE_CHECKING:
    import numpy as np

GALAXY10_URL: Final = "https://zenodo.org/records/10845026/files/Galaxy10_DECals.h5"
GALAXY10_SHA256: Final = "19aefc477c41bb7f77ff07599a6b82a038dc042f889a111b0d4d98bb755c1571"
LOADERS: Final = min(os.cpu_count() or 1, 16)  # processes that decode JPEG files


def write_galaxy10(folder: Path, place: Path, test_images: int) -> None:
    """Galaxy10 DECaLS does not define a test split: we take a tenth, stratified, always the same images."""
    import numpy as np
    from rich.progress import track
    from torch.hub import download_url_to_file

    try:
        import h5py
    except ImportError:
        raise DataError("galaxy10: needs h5py. Install it: pip install 'qpsearch[galaxy10]'.") from None
    source = folder / GALAXY10_URL.rpartition("/")[2]
    if not source.exists():
        download_url_to_file(GALAXY10_URL, str(source), hash_prefix=GALAXY10_SHA256)
    try:
        opened = h5py.File(source)
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error}). Delete the file to download it again.") from None
    with opened as file:
        labels = np.asarray(file["ans"], np.uint8)
        rows = stratified(labels, test_images, SPLIT_SEED)
        for split, own in zip(("train", "test"), map(np.sort, rows), strict=True):
            images = _new_array(place, split, (len(own), *file["images"].shape[1:]))
            for index, row in enumerate(track(own, description=f"galaxy10 {split}")):
                images[index] = file["images"][row]
            images.flush()
            np.save(place / f"{split}_labels.npy", labels[own])


def write_imagenet(folder: Path, place: Path, side: int, counts: Mapping[str, int]) -> None:
    """ILSVRC 2012 cannot be downloaded: the user's train and val folders, one folder for each class, are read."""
    import numpy as np
    from rich.progress import track
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    source = folder / "imagenet-jpeg"
    missing = [str(source / split) for split in ("train", "val") if not (source / split).is_dir()]
    if missing:
        raise DataError(
            f"imagenet: cannot be downloaded, because its terms forbid that. Put ILSVRC 2012 (or links to its images) "
            f"at {' and '.join(missing)}, with one folder for each class."
        )
    resized = transforms.Compose([transforms.Resize(side), transforms.CenterCrop(side), transforms.PILToTensor()])
    found = {name: datasets.ImageFolder(str(source / name), transform=resized) for name in ("train", "val")}
    for name, count in counts.items():
        if len(found[name]) != count:
            raise DataError(f"{source / name}: has {len(found[name]):,} images, but ILSVRC 2012 has {count:,} there.")
    if found["train"].classes != found["val"].classes:
        raise DataError(
            f"{source}: train and val have different class folders. Rename the folders in val to match train."
        )
    for split, name in (("train", "train"), ("test", "val")):
        files = found[name]
        images = _new_array(place, split, (len(files), side, side, 3))
        loader = DataLoader(files, batch_size=64, num_workers=LOADERS)
        done = 0
        for batch, _ in track(loader, description=f"imagenet {split}"):
            images[done : done + len(batch)] = batch.permute(0, 2, 3, 1).numpy()
            done += len(batch)
        images.flush()
        np.save(place / f"{split}_labels.npy", np.asarray(files.targets, np.int64))


def _new_array(folder: Path, split: str, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    import numpy as np

    made: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(
        folder / f"{split}_images.npy", mode="w+", dtype=np.uint8, shape=shape
    )
    return made
