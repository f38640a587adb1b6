"""The page as a browser shows it."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go
import pytest

from qpsearch.analysis.figures import importance_bars
from qpsearch.analysis.importance import importance
from qpsearch.analysis.page import write_page
from qpsearch.errors import UserError
from tests.analysis.test_importance import planted, subject

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SILENT = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; CI installs one")
def test_a_browser_without_a_network_draws_the_bars(tmp_path: Path) -> None:
    table = importance(replace(subject(planted(40, 0)), study="digits <1>"))
    write_page(importance_bars(table), ("a note & more",), tmp_path / "page.html")
    options = [
        *SILENT,
        "--disable-sync",
        "--disable-component-update",
        f"--user-data-dir={tmp_path}/profile",
        "--virtual-time-budget=10000",
    ]
    command = [str(CHROMIUM), *options, "--dump-dom", (tmp_path / "page.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    drawn = dom.split("<body>")[1]
    assert drawn.count('class="point"') == 2 * len(table.importances)
    assert drawn.count("errorbar") >= len(table.importances)
    for row in table.importances:
        assert f">{row.parameter}</text>" in drawn
    assert "a note &amp; more" in drawn


def test_a_page_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"page\.html: cannot be written .* --output FILE"):
        write_page(go.Figure(layout={"title": "x"}), (), tmp_path / "file" / "page.html")
