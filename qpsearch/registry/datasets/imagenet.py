"""ImageNet (ILSVRC 2012), which does not fit into memory."""

from pathlib import Path
from typing import Final

from qpsearch.errors import DataError
from qpsearch.registry.datasets.base import IMAGENET_MEAN, IMAGENET_STD, DatasetFacts
from qpsearch.registry.large import LOADERS, new_array


def _imagenet(folder: Path, place: Path, facts: DatasetFacts) -> None:
    """ILSVRC 2012 cannot be downloaded: the user's train and val folders, one folder for each class, are read."""
    import numpy as np
    from rich.progress import track
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    side, source = facts.stored_size, folder / "imagenet-jpeg"
    missing = [str(source / split) for split in ("train", "val") if not (source / split).is_dir()]
    if missing:
        raise DataError(
            f"imagenet: cannot be downloaded, because its terms forbid that. Put ILSVRC 2012 (or links to its images) "
            f"at {' and '.join(missing)}, with one folder for each class."
        )
    resized = transforms.Compose([transforms.Resize(side), transforms.CenterCrop(side), transforms.PILToTensor()])
    found = {name: datasets.ImageFolder(str(source / name), transform=resized) for name in ("train", "val")}
    for name, count in (("train", facts.train_images), ("val", facts.test_images)):
        if len(found[name]) != count:
            raise DataError(f"{source / name}: has {len(found[name]):,} images, but ILSVRC 2012 has {count:,} there.")
    if found["train"].classes != found["val"].classes:
        raise DataError(
            f"{source}: train and val have different class folders. Rename the folders in val to match train."
        )
    for split, name in (("train", "train"), ("test", "val")):
        files = found[name]
        images = new_array(place, split, (len(files), side, side, 3))
        loader = DataLoader(files, batch_size=64, num_workers=LOADERS)
        done = 0
        for batch, _ in track(loader, description=f"imagenet {split}"):
            images[done : done + len(batch)] = batch.permute(0, 2, 3, 1).numpy()
            done += len(batch)
        images.flush()
        np.save(place / f"{split}_labels.npy", np.asarray(files.targets, np.int64))


MEMBERS: Final = (
    DatasetFacts(
        name="imagenet",
        order=60,
        channels=3,
        size=224,
        stored_size=256,
        classes=1000,
        train_images=1_281_167,
        test_images=50_000,
        peak=255,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        write=_imagenet,
    ),
)
