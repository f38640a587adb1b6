"""Galaxy10 DECaLS, which does not fit into memory."""

from pathlib import Path
from typing import Final

from qpsearch.errors import DataError
from qpsearch.registry.datasets.base import IMAGENET_MEAN, IMAGENET_STD, DatasetFacts
from qpsearch.registry.large import new_array
from qpsearch.registry.splits import SPLIT_SEED, stratified

URL: Final = "https://zenodo.org/records/10845026/files/Galaxy10_DECals.h5"
SHA256: Final = "19aefc477c41bb7f77ff07599a6b82a038dc042f889a111b0d4d98bb755c1571"
NAMES: Final = (
    "disturbed",
    "merging",
    "round smooth",
    "in-between round smooth",
    "cigar-shaped smooth",
    "barred spiral",
    "unbarred tight spiral",
    "unbarred loose spiral",
    "edge-on without bulge",
    "edge-on with bulge",
)


def _galaxy10(folder: Path, place: Path, facts: DatasetFacts) -> None:
    """Galaxy10 DECaLS does not define a test split: we take a tenth, stratified, always the same images."""
    import numpy as np
    from rich.progress import track
    from torch.hub import download_url_to_file

    try:
        import h5py
    except ImportError:
        raise DataError("galaxy10: needs h5py. Install it: pip install 'qpsearch[galaxy10]'.") from None
    source = folder / URL.rpartition("/")[2]
    if not source.exists():
        download_url_to_file(URL, str(source), hash_prefix=SHA256)
    try:
        opened = h5py.File(source)
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error}). Delete the file to download it again.") from None
    with opened as file:
        labels = np.asarray(file["ans"], np.uint8)
        rows = stratified(labels, facts.test_images, SPLIT_SEED)
        for split, own in zip(("train", "test"), map(np.sort, rows), strict=True):
            images = new_array(place, split, (len(own), *file["images"].shape[1:]))
            for index, row in enumerate(track(own, description=f"galaxy10 {split}")):
                images[index] = file["images"][row]
            images.flush()
            np.save(place / f"{split}_labels.npy", labels[own])


MEMBERS: Final = (
    DatasetFacts(
        name="galaxy10",
        order=50,
        channels=3,
        size=256,
        classes=10,
        train_images=15_962,
        test_images=1_774,
        peak=255,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        names=NAMES,
        write=_galaxy10,
    ),
)
