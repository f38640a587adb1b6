"""Whatever the repository cites exists: paths, headings, links, the papers' rules."""

import functools
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from qpsearch.architecture.paper_rules import PAPER_RULES

ROOT = Path(__file__).parent.parent
PAPERS_PAGE = "docs/background/papers.md"
# Files that were never part of the repository. The patterns do not match themselves.
ABSENT = re.compile(r"\b(?:PAPER[S]|HAZARD[S]|(?:DESIGN|HOUSE|STYLE)[.]md)\b")
A_PATH = re.compile(r"(?<![\w./-])(?:docs/[\w./-]+[.]md|qpsearch/[\w./-]+[.]py)\b")
A_HEADING = re.compile(r'(docs/[\w./-]+[.]md), "([^"]+)"(?: and "([^"]+)")?')
A_RULE = re.compile(r"\b([QP])(\d{1,2})(?:-[QP]?(\d{1,2}))?\b")
A_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
A_ROLE = re.compile(r"\{ref\}`(?:[^`<]*<)?([^`<>]+)>?`")
AN_ANCHOR = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Every text file that git keeps, or would keep if it were added."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("this copy of the repository has no git")
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return tuple(path for path in paths if path.is_file() and b"\0" not in path.read_bytes())


def prose(path: Path) -> str:
    """A Markdown file without its code."""
    text = re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<!`)`[^`\n]+`(?!`)", "code", text)


def headings(path: Path) -> list[str]:
    text = re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [title.strip() for title in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)]


def slugs(path: Path) -> set[str]:
    """The anchors that GitHub and MyST make of a file's headings; the second of one name ends in -1."""
    found: dict[str, int] = {}
    made = set()
    for title in headings(path):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        made.add(f"{slug}-{found[slug]}" if slug in found else slug)
        found[slug] = found.get(slug, 0) + 1
    return made


def pages() -> list[Path]:
    return sorted((ROOT / "docs").rglob("*.md"))


def broken(path: Path, anchors: set[str]) -> list[str]:
    """Links of a Markdown file to files, headings or anchors that are not there; those to other hosts are left alone."""
    found = [label for label in A_ROLE.findall(path.read_text()) if label not in anchors]
    for target in A_LINK.findall(prose(path)):
        name, _, fragment = target.partition("#")
        if re.match(r"[a-z]+:", name):
            continue
        other = (path.parent / name) if name else path
        known = slugs(other) if fragment and other.suffix == ".md" and other.is_file() else set()
        if not name:
            known |= anchors
        if not other.exists() or (fragment and fragment not in known):
            found.append(target)
    return found


def rules_cited(text: str) -> set[str]:
    """Rule numbers in a text; Q1-Q3 names three."""
    return {
        f"{letter}{number}"
        for letter, first, last in A_RULE.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }


def rows_of_rules() -> list[str]:
    return re.findall(r"^\| ([QP]\d+) \|", (ROOT / PAPERS_PAGE).read_text(), re.MULTILINE)


def lines_of(path: Path) -> list[tuple[int, str]]:
    return list(enumerate(path.read_text().splitlines(), 1))


def test_nothing_cites_a_text_that_the_repository_does_not_hold() -> None:
    found = [f"{path.relative_to(ROOT)}:{n}" for path in tracked() for n, line in lines_of(path) if ABSENT.search(line)]
    assert found == []


def test_every_path_that_is_mentioned_exists() -> None:
    mentioned = {
        (name, f"{path.relative_to(ROOT)}:{n}")
        for path in tracked()
        for n, line in lines_of(path)
        for name in A_PATH.findall(line)
    }
    assert {PAPERS_PAGE, "qpsearch/dispatch/tune.py"} <= {name for name, _ in mentioned}
    assert sorted((name, place) for name, place in mentioned if not (ROOT / name).is_file()) == []


def test_every_heading_that_code_cites_exists() -> None:
    cited = {
        (name, title)
        for path in tracked()
        if path.suffix in (".py", ".yaml")
        for name, *titles in A_HEADING.findall(" ".join(path.read_text().split()))
        for title in titles
        if title
    }
    assert cited
    assert sorted((name, title) for name, title in cited if title not in headings(ROOT / name)) == []


def test_every_rule_that_code_cites_has_a_row() -> None:
    """A comment counts as a docstring does, and a space file as code does."""
    cited = {
        rule
        for path in tracked()
        if path.suffix in (".py", ".yaml") and path != Path(__file__)
        for rule in rules_cited(path.read_text())
    }
    rows = rows_of_rules()
    assert {"Q1", "Q18", "P1", "P21"} <= cited
    assert sorted(cited - set(rows)) == []
    assert rows == [rule.id for rule in PAPER_RULES]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "studies/README.md"])
def test_links_of_the_files_beside_the_pages_lead_somewhere(name: str) -> None:
    assert broken(ROOT / name, set()) == []


def test_links_of_the_pages_lead_somewhere() -> None:
    """An explicit anchor is one name for the whole site, so no two pages may have the same."""
    anchors = [anchor for page in pages() for anchor in AN_ANCHOR.findall(page.read_text())]
    assert len(anchors) == len(set(anchors))
    assert {str(page.relative_to(ROOT)): found for page in pages() if (found := broken(page, set(anchors)))} == {}


def test_every_trap_has_an_anchor() -> None:
    text = (ROOT / "docs/background/optuna-and-ray.md").read_text()
    parts = text.split("\n### ")
    assert len(parts) > 20
    for before, after in pairwise(parts):
        assert re.search(r"\n\(trap-[\w-]+\)=$", before), after.splitlines()[0]
