"""Whose a folder of checkpoints is.

A database is a file that may be copied, and the copy names the folders of the original. So each study's folder holds a
file that says which study of which database writes there. Another database does not write to the folder and does
not remove anything from it.
"""

import json
import os
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from qpsearch.artifacts import open_artifacts
from qpsearch.errors import ArtifactError

if TYPE_CHECKING:  # a worker imports this room and does not need the database
    from qpsearch.study.storage.database import Database

MARKER: Final = "qpsearch.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A study of a database.

    Attributes:
        study: The study's uid.
        database: The path of an SQLite file, relative to the folder if the folder lies below the file's own, so that
            both can be moved or copied together; of a server the identity that the server itself gives.
        shown: The database as the user knows it.
        host: The machine on which the path is valid.
    """

    study: str
    database: str
    shown: str
    host: str

    @classmethod
    def of(cls, database: "Database", uid: str, folder: str) -> Self:
        """Return the owner of a folder if a study of this database has made it."""
        name = database.identity
        if database.file is not None and "://" not in folder and Path(folder).is_relative_to(database.file.parent):
            name = os.path.relpath(name, folder)
        return cls(study=uid, database=name, shown=str(database.file or database.shown), host=socket.gethostname())

    @classmethod
    def read(cls, folder: str) -> Self | None:
        """Return the owner that a folder names; None if it does not name one.

        Raises:
            ArtifactError: The file that names the owner is damaged, or the store cannot be reached.
        """
        try:
            found = json.loads(open_artifacts(folder).read(MARKER))
            return cls(**{name: str(found[name]) for name in cls.__slots__})
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{folder}/{MARKER}: cannot be read ({type(error).__name__}), so it is not known whose checkpoints "
                "these are. Restore that file, or move the folder away."
            ) from None

    def write(self, folder: str) -> None:
        """Write that a folder is this owner's; raises ArtifactError."""
        open_artifacts(folder).write(MARKER, json.dumps(asdict(self), indent=1).encode())

    def is_same(self, other: "Owner", folder: str) -> bool:
        """Whether two owners of a folder are one: the same study in a database that was not copied, only moved."""
        if self.study != other.study:
            return False
        return self.database == other.database or _has_moved(other, folder) or _is_one_file(self, other, folder)


def claim(
    folder: str, own: Owner, *, is_ours: Callable[[str], bool], copied: str, take_over: bool = False
) -> Callable[[], None]:
    """Check that a folder may be written to, and return what makes it the owner's.

    Args:
        folder: Path or URI of a study's folder.
        own: Who wants to write.
        is_ours: Whether a file or folder of that name may be qpsearch's, if the folder does not name an owner.
        copied: What to do if the folder belongs to the database that this one is a copy of.
        take_over: Take the folder from the other database.

    Raises:
        ArtifactError: The folder belongs to another study or database, or holds something else.
    """
    found = Owner.read(folder)
    if found is None:
        strange = [name for name in open_artifacts(folder).names() if not is_ours(name)]
        if strange:
            raise ArtifactError(
                f"{folder}: holds {strange[0]!r}, which is not qpsearch's. Move the folder away: checkpoints go there."
            )
    elif not own.is_same(found, folder) and not (take_over and found.study == own.study):
        raise ArtifactError(f"{folder}: these checkpoints belong to {found.shown}, not to {own.shown}. {copied}")
    return lambda: None if found == own else own.write(folder)


def _has_moved(other: Owner, folder: str) -> bool:
    """Whether an SQLite file is no longer where it was: this machine would see it if it were there."""
    if ":" in other.database.partition("/")[0]:  # a server
        return False
    is_near = not os.path.isabs(other.database)
    return (is_near or other.host == socket.gethostname()) and not _path(other, folder).exists()


def _is_one_file(own: Owner, other: Owner, folder: str) -> bool:
    """Whether two paths lead to one SQLite file, say by a link."""
    try:
        return _path(own, folder).samefile(_path(other, folder))
    except OSError:
        return False


def _path(owner: Owner, folder: str) -> Path:
    return Path(folder) / owner.database  # an absolute path stays what it is
