"""A report as a browser shows it: on a desk, on a phone, in the dark; with names that would like to be HTML."""

import csv
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qpsearch.analysis.report import Material, report_of, state_of
from qpsearch.cli.report_server import LiveReport, address, make_server
from tests.analysis.test_report import EVIL, charts, evil_study, page_of
from tests.browser import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; CI installs one")
LIGHT = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part > 200)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    evil_study(f"sqlite:///{folder}/evil.db")
    page_of(f"sqlite:///{folder}/evil.db", EVIL, folder)
    return folder


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Browser]:
    with Browser(folder) as browser:
        yield browser


def test_a_report_on_a_desk_on_a_phone_and_in_the_dark(folder: Path, browser: Browser) -> None:
    page = folder / "report.html"
    names = list(charts(page.read_text()))
    browser.open(page.as_uri())
    drawn = browser.ask(
        "[...document.querySelectorAll('.chart')].filter((each) => each.querySelector('.main-svg')).length"
    )
    assert drawn == len(names) >= 6
    assert browser.ask("document.querySelectorAll('.chart .point, .chart .lines path').length") > 100
    assert browser.ask("document.querySelector('h1').textContent") == EVIL
    assert browser.ask("document.querySelectorAll('main script, main img').length") == 0
    labels = browser.ask("[...document.querySelectorAll('.chart text')].map((each) => each.textContent).join(' ')")
    assert EVIL in labels  # as plotly draws it
    rows = list(csv.DictReader(io.StringIO(browser.ask("reportCsv('history')"))))
    assert {row["trial"] for row in rows if row["blocks"] != "best so far"} == {str(number) for number in range(30)}
    assert EVIL in {row["blocks"] for row in rows}
    assert browser.ask("""(() => {
        const head = [...document.querySelectorAll('#importance th')].find((each) => each.textContent === 'in total');
        head.querySelector('button').focus();
        head.querySelector('button').click();
        const cells = [...head.closest('table').tBodies[0].rows].map((row) => Number(row.cells[1].dataset.value));
        return head.getAttribute('aria-sort') === 'descending' && cells.every((each, at) => !at || cells[at - 1] >= each);
    })()""")
    assert browser.ask(LIGHT)
    browser.open(page.as_uri(), width=360, height=780, dark=True)
    assert browser.ask("document.documentElement.scrollWidth") <= 360
    assert browser.ask("document.querySelectorAll('.chart .main-svg').length") >= len(names)
    assert not browser.ask(LIGHT)
    ink = browser.ask(
        "getComputedStyle(document.querySelector('#chart-history .xtick text')).fill.match(/\\d+/g).map(Number)"
    )
    assert min(ink) > 180  # light letters on dark ground
    assert browser.errors == []
    assert {url for url in browser.requests if not url.startswith("data:")} == {page.as_uri()}


def test_a_served_report_takes_new_trials_without_being_reloaded(folder: Path, browser: Browser) -> None:
    url = f"sqlite:///{folder}/grows.db"
    evil_study(url, "grows", 4)
    served = LiveReport(
        study="grows", state=lambda: state_of(url, "grows"), make=lambda: report_of(Material.at(url, "grows"))
    )
    with make_server(served, None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.open(address(server))
        browser.ask("window.stays = true")
        assert "4 trials so far" in browser.ask("document.querySelector('.headline').textContent")
        evil_study(url, "grows", 1)
        browser.wait("document.querySelector('.headline').textContent.includes('5 trials so far')")
        browser.wait("document.documentElement.dataset.drawn !== undefined")
        assert browser.ask("window.stays") is True
        server.shutdown()
    assert browser.errors == []
