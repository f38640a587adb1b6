"""Images of the user's own, by the place that a space file names: their facts, looked up or found, and what changed."""

import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from qpsearch.errors import DataError, command
from qpsearch.registry.own.archive import scan_archive
from qpsearch.registry.own.custom import CUSTOM, scan_custom
from qpsearch.registry.own.folder import scan_folder
from qpsearch.registry.own.found import Scan, differences, facts_of, keep, kept_mapping, kept_text, listed
from qpsearch.registry.own.record import DECODER, TOLD, OwnData, Source, own_folder
from qpsearch.vocabulary import Variable

SCANS: Final[dict[Source, Callable[[Path, Path | None], Scan]]] = {
    Source.FOLDER: scan_folder,
    Source.ARCHIVE: scan_archive,
    Source.CODE: scan_custom,
}


def own_data(source: Source, place: Path, size: int | None) -> OwnData:
    """Return the facts about images; they are found once, and then looked up while the images stay as they are.

    Args:
        source: What the place is.
        place: The folder or archive, an absolute path.
        size: Height and width in pixels as the network sees an image; None where the images tell.

    Raises:
        DataError: With a line for each problem.
    """
    cache = _cache()
    scan = _scan(source, place, cache)
    if scan.faults:
        facts_of(scan.found(), source, place, scan.fingerprint, size, scan.faults)  # says what else is wrong
    key = f"{scan.fingerprint[:16]}{scan.of_code}-{size or 'own'}-{TOLD}-{DECODER}"
    path = None if cache is None else cache / f"facts-{key}.json"
    with suppress(ValueError):
        known = OwnData.from_text(kept_text(path))
        if known.fingerprint == scan.fingerprint:
            return replace(known, source=source, place=str(place))
    facts = facts_of(scan.found(), source, place, scan.fingerprint, size)
    keep(path, facts.to_text())
    return facts


def scanned(source: Source, place: Path, cache: Path | None) -> Scan:
    """Look through a place, and keep what it holds, so that a later change can be told.

    Raises:
        DataError: With a line for each problem that is found without decoding.
    """
    scan = _scan(source, place, cache)
    if scan.faults:
        raise listed(scan.faults)
    return scan


def _scan(source: Source, place: Path, cache: Path | None) -> Scan:
    """Look through a place, as ``scanned`` does, and leave it to the caller to say what is wrong with images."""
    if source is Source.CODE and not is_there(source, place):
        raise DataError(
            f"data set {place.name!r}: is not known here. Name the module that defines it: --import MODULE."
        )
    if not is_there(source, place):
        what, other = "folder" if source is Source.FOLDER else "file", ""
        if mode_of(place):
            right = "folder" if stat.S_ISDIR(mode_of(place)) else "archive"
            other = f"is not a {what}. Write data.{right} for it."
        raise DataError(f"{place}: {other or f'no such {what}. A relative path begins at the space file.'}")
    scan = SCANS[source](place, cache)
    path = _contents(cache, scan.fingerprint)
    if path is not None and not path.exists() and not scan.faults:
        keep(path, json.dumps(dict(scan.contents)))
    return scan


def is_there(source: Source, place: Path) -> bool:
    """Whether there is such a folder or archive, or code of a data set of that name is loaded.

    Raises:
        DataError: The place may not be looked at.
    """
    if source is Source.CODE:
        return place.name in CUSTOM
    return (stat.S_ISDIR if source is Source.FOLDER else stat.S_ISREG)(mode_of(place))


def mode_of(place: Path) -> int:
    """Return what the operating system says that a place is (``st_mode``); 0 where there is nothing.

    Raises:
        DataError: It may not be looked at, or its name is too long.
    """
    try:
        return os.stat(place).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise DataError(f"{place}: cannot be looked at ({error.strerror}).") from None
    except ValueError:  # a zero byte in its name
        return 0


def check_unchanged(own: OwnData, scan: Scan, cache: Path | None) -> None:
    """Compare what a place holds now with the images that a study was made with.

    Raises:
        DataError: They differ; it says how.
    """
    if scan.fingerprint != own.fingerprint:
        raise DataError(
            f"{own.place}: has changed since the study was made: {changes(own.fingerprint, scan, cache)}. Put the "
            f"images back as they were, or start a new study: {command('run', 'FILE', '--study', 'NAME')}."
        )


def changes(before: str, scan: Scan, cache: Path | None) -> str:
    """Say what has changed since images had the fingerprint ``before``."""
    known = kept_mapping(_contents(cache, before))
    told = list(differences(known, scan.contents)) if known else []
    return "; ".join(told) or ("labels or splits" if known else "its fingerprint is another one")


def changes_since(before: OwnData, now: OwnData) -> str:
    """Say how the images of two facts differ, as far as this machine has seen both."""
    cache = _cache()
    old, new = (kept_mapping(_contents(cache, each.fingerprint)) for each in (before, now))
    told = "; ".join(differences(old, new)) if old and new else ""
    return told or f"{before.fingerprint[:16]} -> {now.fingerprint[:16]}"


def _contents(cache: Path | None, fingerprint: str) -> Path | None:
    return None if cache is None else cache / f"contents-{fingerprint[:16]}.json"


def _cache() -> Path | None:
    """Return where facts are kept, without making it; None where the folder of the data sets cannot be used."""
    given = Variable.DATA.given
    folder = Path.home() / ".cache" / "qpsearch" if given is None else Path(os.path.expanduser(given)).absolute()
    return own_folder(folder) if given is None or folder.is_dir() else None
