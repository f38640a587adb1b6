"""Which checkpoint files of a study are kept.

The files are named by replicate, attempt, epoch and content (``r0-a1-e003-9f86d081884c7d65.pt``) in a folder
for each trial. While a trial runs, the last two checkpoints of a run are kept, and an older one is removed only after
its successor was recorded in the database. A complete trial keeps each run's last checkpoint, and its best one where an
earlier epoch was as good or better. So does a failed one of its whole runs, which are not trained again where the trial
gets another chance. A pruned trial does not keep any.

A separate thread removes files, in order, since an object store may be slow and drivers must not wait for it.
"""

import contextlib
import queue
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qpsearch.artifacts import Artifacts, join, open_artifacts
from qpsearch.errors import ArtifactError
from qpsearch.study.trials.owner import MARKER, Owner, claim

if TYPE_CHECKING:  # a worker imports this file and does not need the database
    from qpsearch.study.storage.database import Database

NAME: Final = re.compile(
    r"r(?P<replicate>\d+)-a(?P<attempt>\d+)-e(?P<epoch>\d+)(-[0-9a-f]+)?\.pt((\.[0-9a-f]+)?\.partial)?"
)
FOLDER: Final = re.compile(r"trial-(\d+)")
UID: Final = re.compile(r"[0-9a-f]{32}")
KEEP: Final = 2
Kept = tuple[tuple[str, ...], ...]
"""What stays: of each inner tuple the first file that is there.

Of epochs that are equally good the first is kept. Where an earlier version kept a later one, that one stays.
"""


class CheckpointFolder:
    """The checkpoints of one study, below one folder or URI.

    Raises:
        ArtifactError: ``root`` does not name a folder.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._files: Artifacts = open_artifacts(root)
        self._removals: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()  # None ends the thread
        self._thread: threading.Thread | None = None

    def of(self, trial: int) -> str:
        """Return the folder of a trial, as a path or URI; it need not exist."""
        return trial_folder(self.root, trial)

    def trials(self) -> list[int]:
        """Return the numbers of the trials that have a folder."""
        matches = [FOLDER.fullmatch(name) for name in self._files.names()]
        return [int(match[1]) for match in matches if match]

    def keep(self, trial: int, replicate: int, kept: Kept, recorded: int) -> None:
        """Remove a run's checkpoints up to the recorded epoch, except for those that are kept."""

        def is_old(name: str) -> bool:
            match = NAME.fullmatch(name)
            return match is not None and int(match["replicate"]) == replicate and int(match["epoch"]) <= recorded

        self._later(lambda: self._remove(trial, kept, is_old))

    def keep_only(self, trial: int, kept: Kept) -> None:
        """Remove all checkpoints of a trial except for those that are kept."""
        if kept:
            self._later(lambda: self._remove(trial, kept, lambda name: True))
        else:
            self.drop(trial)

    def drop(self, trial: int) -> None:
        """Remove all checkpoints of a trial."""
        self._later(lambda: self._clear(trial))

    def claim(self, own: Owner, *, copied: str, take_over: bool = False) -> Callable[[], None]:
        """Check that this folder may be written to; see ``owner.claim``."""
        return claim(
            self.root, own, is_ours=lambda name: bool(FOLDER.fullmatch(name)), copied=copied, take_over=take_over
        )

    def remove(self, own: Owner) -> str | None:
        """Remove the study's checkpoints, if they are its own: file by file, and nothing else.

        Returns:
            Why the folder, or something in it, stays; None if nothing stays.

        Raises:
            ArtifactError: The store cannot be reached.
        """
        found = Owner.read(self.root)
        if found is None:
            return f"{self.root}: does not say whose it is" if self._files.names() else None
        if not own.is_same(found, self.root):
            return f"{self.root}: belongs to {found.shown}"
        for trial in self.trials():
            self._clear(trial)
        left = [name for name in self._files.names() if name != MARKER]
        if left:
            return f"{self.root}: holds {left[0]!r}, which is not qpsearch's"
        self._files.delete(MARKER)
        self._files.delete_folder("")
        return None

    def copy_to(self, other: "CheckpointFolder") -> None:
        """Copy every checkpoint into another folder or store."""
        for trial in self.trials():
            for name in self._files.names(_folder(trial)):
                path = f"{_folder(trial)}/{name}"
                with contextlib.suppress(FileNotFoundError):  # its driver has just removed it
                    other._files.write(path, self._files.read(path))

    def close(self, within_s: float | None = None) -> bool:
        """Wait until all requested removals are done, but not longer than that; return whether they are.

        The thread ends with them; a later removal starts another one.
        """
        if self._thread is None or not self._thread.is_alive():
            return True
        self._removals.put(None)
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _clear(self, trial: int) -> None:
        self._remove(trial, (), lambda name: True)
        self._files.delete_folder(_folder(trial))

    def _remove(self, trial: int, kept: Kept, goes: Callable[[str], bool]) -> None:
        """Remove checkpoints; files that qpsearch did not write stay."""
        folder = _folder(trial)
        there = self._files.names(folder)
        stay = {name for names in kept for name in [name for name in names if name in there][:1]}
        for name in there:
            if NAME.fullmatch(name) and goes(name) and name not in stay:
                self._files.delete(f"{folder}/{name}")

    def _later(self, action: Callable[[], None]) -> None:
        self._removals.put(action)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._remove_all, name="qpsearch-checkpoints", daemon=True)
            self._thread.start()

    def _remove_all(self) -> None:
        while (removal := self._removals.get()) is not None:
            with contextlib.suppress(Exception):  # what stays is removed when the study is opened again
                removal()


def study_folder(root: str, name: str, uid: str) -> CheckpointFolder:
    """Return the checkpoints of a study below a root; the folder is named by first name and beginning of the uid.

    Raises:
        ArtifactError: The names do not make the name of one folder, as those that qpsearch wrote do.
    """
    folder = f"{name}-{uid[:8]}"
    if "/" in folder or "\0" in folder or not UID.fullmatch(uid):
        raise ArtifactError(f"study {name!r}, uid {uid!r}: cannot name a folder of checkpoints. Its row is damaged.")
    return CheckpointFolder(join(root, folder))


def checkpoints_of(database: "Database", facts: Any) -> CheckpointFolder:
    """Return the checkpoint folder of a stored study; raises ArtifactError."""
    return study_folder(root_of(database, facts.checkpoint_root), facts.first_name, facts.uid)


def root_of(database: "Database", stored: str | None) -> str:
    """Return the folder or URI of checkpoints that a study's row names; one without a row's word is ``checkpoints``."""
    if stored is not None and ("://" in stored or Path(stored).is_absolute()):
        return stored
    near = database.file.parent if database.file is not None else Path("studies").absolute()
    return str(near / (stored or "checkpoints"))


def stored_root(database: "Database", given: str | None) -> str | None:
    """Return what a study's row says about a root; below an SQLite file's folder it is relative: both can be moved."""
    if database.file is None:
        return given or root_of(database, None)
    if given is None or "://" in given or not Path(given).resolve().is_relative_to(database.file.parent):
        return given
    return str(Path(given).resolve().relative_to(database.file.parent))


def copied_root(target: "Database", stored: str | None) -> str | None:
    """Return what the row of a study's copy in another database says about its root."""
    is_near = stored is None or not ("://" in stored or Path(stored).is_absolute())
    return stored_root(target, None) if target.file is None and is_near else stored


def trial_folder(root: str, trial: int) -> str:
    """Return the folder of a trial below a study's root, as a path or URI."""
    return join(root, _folder(trial))


def first_there(folder: str, names: Sequence[str]) -> str:
    """Return the first of some files that is in a folder; the first name where none is."""
    there = open_artifacts(folder).names()
    return next((name for name in names if name in there), names[0])


def _folder(trial: int) -> str:
    return f"trial-{trial:05d}"
