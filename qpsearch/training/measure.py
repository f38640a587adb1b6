"""Timing of configurations in a separate process, so that the caller need not load torch.

``python -m qpsearch.training.measure SETTINGS`` reads configurations, one JSON document a line, and writes
the seconds that an epoch of each would take, a line each; ``null`` where there is not enough memory.
"""

import json
import sys
from dataclasses import replace

import torch

from qpsearch.architecture.config import TrialConfig
from qpsearch.architecture.plugins import load_everything
from qpsearch.errors import OutOfMemory
from qpsearch.protocol import RunSettings
from qpsearch.training.memory import out_of_memory_named
from qpsearch.training.timing import seconds_an_epoch


def main(settings: str) -> None:
    """Answer every line of standard input."""
    load_everything()
    run = RunSettings(**json.loads(settings))
    if run.device == "cuda" and not torch.cuda.is_available():
        run = replace(run, device="cpu")
    for line in sys.stdin:
        try:
            with out_of_memory_named():
                seconds = seconds_an_epoch(TrialConfig.from_json(line), run)
        except OutOfMemory:
            seconds = None
        print(json.dumps({"seconds": seconds, "device": run.device}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
