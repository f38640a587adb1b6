"""Calling the command line as a user does: another process, a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def qpsearch(
    folder: Path, *arguments: str, scripted: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``qpsearch ARGUMENTS`` in a folder, with the scripted trainer if asked."""
    module = "tests.driver" if scripted else "qpsearch.cli.main"
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("QPSEARCH_")}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=inherited | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
