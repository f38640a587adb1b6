"""An ``.npz`` archive of arrays: images and labels of each split."""

import hashlib
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any, Final

from qpsearch.errors import DataError, first_line
from qpsearch.registry.own.arrays import in_arrays, pairs_in
from qpsearch.registry.own.found import Found, Scan

# What np.load raises; of a member that is encrypted RuntimeError, of an unknown compression NotImplementedError.
DAMAGED: Final = (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)


def scan_archive(path: Path, cache: Path | None) -> Scan:
    """Look through an archive: at the sums of its members, without reading them.

    Args:
        path: The archive.
        cache: Not needed.

    Raises:
        DataError: It is not such an archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
    except DAMAGED as error:
        fix = "Expected the .npz archive that numpy.savez writes"
        raise DataError(f"{path}: is not a readable archive ({first_line(error).rstrip('.')}). {fix}.") from None
    pairs_in(str(path), list(members))
    contents = {name: f"{each.file_size}-{each.CRC:08x}" for name, each in sorted(members.items())}
    fingerprint = hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()
    return Scan(fingerprint=fingerprint, contents=contents, found=partial(_found, path))


def _found(path: Path) -> Found:
    import numpy as np

    with np.load(path, allow_pickle=False) as archive:
        return in_arrays(lambda name: _array(archive, path, name), archive.files, str(path))


def _array(archive: Any, path: Path, name: str) -> Any:
    try:
        return archive[name]
    except ValueError as error:
        if "pickle" in str(error):
            raise DataError(f"{path}: {name} holds Python objects. Expected an array of numbers.") from None
        raise _unreadable(path, name, error) from None
    except DAMAGED as error:
        raise _unreadable(path, name, error) from None


def _unreadable(path: Path, name: str, error: Exception) -> DataError:
    is_strange = isinstance(error, RuntimeError)  # NotImplementedError is one
    what = "cannot be read" if is_strange else "is damaged"
    fix = "Write the archive with numpy.savez or numpy.savez_compressed" if is_strange else "Write the archive again"
    return DataError(f"{path}: {name} {what} ({first_line(error).rstrip('.')}). {fix}.")
