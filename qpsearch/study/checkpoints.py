"""Which checkpoint files of a study stay.

The files are named by replicate, attempt, epoch and content (``r0-a1-e003-9f86d081884c7d65.pt``) in a folder
for each trial. While a trial runs, the last two of a run are kept, and an older one goes only after its
successor was recorded in the database. A complete trial keeps each run's last, a pruned or failed one none.
"""

import re
import shutil
from pathlib import Path

NAME = re.compile(r"r(?P<replicate>\d+)-a(?P<attempt>\d+)-e(?P<epoch>\d+)(-[0-9a-f]+)?\.pt(\.partial)?")
KEEP = 2


class CheckpointFolder:
    """The checkpoints of one study, below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def of(self, trial: int) -> Path:
        """Return the folder of a trial; it need not exist."""
        return self.root / f"trial-{trial:05d}"

    def paths(self, trial: int, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return full paths of a trial's checkpoints."""
        return tuple(str(self.of(trial) / name) for name in names)

    def keep(self, trial: int, replicate: int, names: tuple[str, ...], recorded: int) -> None:
        """Remove a run's checkpoints up to the recorded epoch, but for ``names``."""
        for path in self._files(trial):
            match = NAME.fullmatch(path.name)
            if (
                match
                and int(match["replicate"]) == replicate
                and int(match["epoch"]) <= recorded
                and path.name not in names
            ):
                path.unlink(missing_ok=True)

    def keep_only(self, trial: int, names: tuple[str, ...]) -> None:
        """Remove everything of a trial but ``names``."""
        for path in self._files(trial):
            if path.name not in names:
                path.unlink(missing_ok=True)

    def drop(self, trial: int) -> None:
        """Remove everything of a trial."""
        shutil.rmtree(self.of(trial), ignore_errors=True)

    def _files(self, trial: int) -> list[Path]:
        folder = self.of(trial)
        return list(folder.iterdir()) if folder.is_dir() else []
