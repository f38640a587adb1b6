"""The scripted trainer, which also obeys orders that the injections leave beside its log."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from qpsearch.architecture.config import TrialConfig
from qpsearch.protocol import EpochReport, RunSettings
from tests import scripted

USUAL_BYTES = os.environ.get("SCRIPTED_CHECKPOINT_BYTES", "0")
EATEN_BYTES = 2**30
CHUNK_BYTES = 2**24


def train(config: TrialConfig, run: RunSettings) -> Iterator[EpochReport]:
    """Yield the script's reports; obey before each of them, when its checkpoint is written."""
    for report in scripted.train(config, run):
        _obey(Path(os.environ["SCRIPTED_LOG"]))
        yield report


def _obey(folder: Path) -> None:
    size = folder / "checkpoint-bytes"
    try:
        os.environ["SCRIPTED_CHECKPOINT_BYTES"] = size.read_text()
    except FileNotFoundError:
        os.environ["SCRIPTED_CHECKPOINT_BYTES"] = USUAL_BYTES
    if (folder / f"eat-{os.getpid()}").exists():
        eaten: list[bytes] = []
        while sum(map(len, eaten)) <= EATEN_BYTES:  # the machine is never in danger
            eaten.append(b"x" * CHUNK_BYTES)  # written at once, so that it is over before the time to report is
        time.sleep(600)
