"""Which checkpoint files of a study are kept.

The files are named by replicate, attempt, epoch and content (``r0-a1-e003-9f86d081884c7d65.pt``) in a folder
for each trial. While a trial runs, the last two checkpoints of a run are kept, and an older one is removed only after
its successor was recorded in the database. A complete trial keeps each run's last checkpoint, and its best one where an
earlier epoch was better; a pruned or failed trial does not keep any.

A separate thread removes files, in order, since an object store may be slow and drivers must not wait for it.
"""

import contextlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsearch.artifacts import Artifacts, join, open_artifacts
from qpsearch.errors import ArtifactError

if TYPE_CHECKING:  # a worker imports this file and does not need the database
    from qpsearch.study.storage.database import Database

NAME: Final = re.compile(r"r(?P<replicate>\d+)-a(?P<attempt>\d+)-e(?P<epoch>\d+)(-[0-9a-f]+)?\.pt(\.partial)?")
FOLDER: Final = re.compile(r"trial-(\d+)")
KEEP: Final = 2


class CheckpointFolder:
    """The checkpoints of one study, below one folder or URI.

    Raises:
        ArtifactError: ``root`` does not name a folder.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._files: Artifacts = open_artifacts(root)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qpsearch-checkpoints")

    def of(self, trial: int) -> str:
        """Return the folder of a trial, as a path or URI; it need not exist."""
        return trial_folder(self.root, trial)

    def trials(self) -> list[int]:
        """Return the numbers of the trials that have a folder."""
        matches = [FOLDER.fullmatch(name) for name in self._files.names()]
        return [int(match[1]) for match in matches if match]

    def keep(self, trial: int, replicate: int, names: tuple[str, ...], recorded: int) -> None:
        """Remove a run's checkpoints up to the recorded epoch, except for ``names``."""

        def is_old(name: str) -> bool:
            match = NAME.fullmatch(name)
            return match is not None and int(match["replicate"]) == replicate and int(match["epoch"]) <= recorded

        self._later(lambda: self._remove(trial, lambda name: is_old(name) and name not in names))

    def keep_only(self, trial: int, names: tuple[str, ...]) -> None:
        """Remove all checkpoints of a trial except for ``names``."""
        self._later(lambda: self._remove(trial, lambda name: name not in names))

    def drop(self, trial: int) -> None:
        """Remove all checkpoints of a trial."""
        self._later(lambda: self._files.delete(_folder(trial)))

    def drop_all(self) -> None:
        """Remove all checkpoints of the study."""
        self._later(lambda: self._files.delete(""))

    def copy_to(self, other: "CheckpointFolder") -> None:
        """Copy every checkpoint into another folder or store."""
        for trial in self.trials():
            for name in self._files.names(_folder(trial)):
                path = f"{_folder(trial)}/{name}"
                with contextlib.suppress(FileNotFoundError):  # its driver has just removed it
                    other._files.write(path, self._files.read(path))

    def wait(self) -> None:
        """Wait until all requested removals are done."""
        self._thread.submit(lambda: None).result()

    def _remove(self, trial: int, goes: Callable[[str], bool]) -> None:
        folder = _folder(trial)
        for name in self._files.names(folder):
            if goes(name):
                self._files.delete(f"{folder}/{name}")

    def _later(self, action: Callable[[], None]) -> None:
        def quietly() -> None:
            with contextlib.suppress(OSError, ArtifactError):  # what stays is removed when the study is opened again
                action()

        self._thread.submit(quietly)


def study_folder(root: str, name: str, uid: str) -> CheckpointFolder:
    """Return the checkpoints of a study below a root; the folder is named by first name and beginning of the uid."""
    return CheckpointFolder(join(root, f"{name}-{uid[:8]}"))


def checkpoints_of(database: "Database", facts: Any) -> CheckpointFolder:
    """Return the checkpoint folder of a stored study; raises ArtifactError."""
    return study_folder(facts.checkpoint_root or default_root(database), facts.first_name, facts.uid)


def default_root(database: "Database") -> str:
    """Return the root of checkpoints: beside an SQLite file, so that both can be moved; else in ./studies."""
    return str(((database.file.parent if database.file is not None else Path("studies")) / "checkpoints").absolute())


def trial_folder(root: str, trial: int) -> str:
    """Return the folder of a trial below a study's root, as a path or URI."""
    return join(root, _folder(trial))


def _folder(trial: int) -> str:
    return f"trial-{trial:05d}"
