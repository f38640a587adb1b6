"""Calling the command line as a user does: another process, a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


def reply(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a command with ``--json`` and return its document: nothing else may be printed, and no NaN be in it."""
    done = qpsearch(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    document = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert isinstance(document, dict)
    return document
