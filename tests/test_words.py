"""The words that name a database or a store: whatever characters a path has, what is opened is what was named."""

import contextlib
import string
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from qpsearch.artifacts import open_artifacts, parse_root
from qpsearch.errors import ArtifactError, StorageError, hidden
from qpsearch.space import Space
from qpsearch.study.optuna_export import export_optuna
from qpsearch.study.storage.database import Database
from qpsearch.study.storage.engine import file_url, parse_url, resolved_url
from tests.helpers import new_ledger, release

NASTY = "what? 50% #1 a@b:c [x]{y} 'é' ~ & + = \\ ;"
LETTERS = "?#%@:~ é漢.+&=[]{}'\"\\;*\n" + string.ascii_letters + string.digits
NAMES = st.text(LETTERS, min_size=1, max_size=12).filter(lambda name: name not in (".", ".."))
PATHS = (
    st.lists(NAMES, min_size=1, max_size=4).map("/".join).filter(lambda path: hidden(path) == path)
)  # S3:/@ is refused: it looks like a URL with a password
FEW = settings(max_examples=100, deadline=None)


def opened(word: str) -> Path:
    """The file that a word leads to."""
    path = resolved_url(parse_url(word)).database
    assert path is not None
    return Path(path)


@FEW
@given(PATHS)
def test_a_path_a_url_and_a_path_again_are_one_file(path: str) -> None:
    file = Path(f"/nowhere/{path}.db")
    url = file_url(file)
    assert opened(str(file)) == opened(url) == file
    assert parse_url(url).render_as_string() == url  # what is printed
    assert make_url(url).database == str(file)  # Optuna's own reader
    assert parse_root(str(file)) == str(file)


@FEW
@given(PATHS, st.sampled_from(["./", "x/../", "link/", "//", ""]))
def test_two_spellings_of_a_file_are_one_file(path: str, before: str) -> None:
    here = Path.cwd()
    relative = f"./{before}{path}.db" if before != "//" else f".//{path}.db"
    assert opened(relative) == opened(f"{here}/{path}.db") == here / f"{path}.db"
    assert opened(f"sqlite:///{parse_url(relative).render_as_string().removeprefix('sqlite:///')}") == opened(relative)


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("words").resolve()
    (folder / "x").mkdir()
    (folder / "link").symlink_to(folder)
    with contextlib.chdir(folder):
        yield


@pytest.mark.parametrize("kind", ["path", "url", "still"])
def test_a_study_in_a_file_of_any_name(
    kind: str, tmp_path: Path, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / NASTY / f"{NASTY}.db"
    word = file_url(file) if kind == "url" else str(file)
    with new_ledger(word, space):
        pass
    if kind == "still":
        monkeypatch.setattr("qpsearch.study.storage.engine._is_still", lambda path: True)
    database = Database.open(word)
    assert database.file == file
    assert Database.open(database.shown).file == file
    exported = export_optuna(database, "scripted", tmp_path / "out?#%41")
    database.close()
    storage = optuna.storages.RDBStorage(file_url(exported))
    assert [study.study_name for study in storage.get_all_studies()] == ["scripted"]
    release(storage)
    assert {path.name for path in tmp_path.iterdir()} == {NASTY, "out?#%41"}
    assert {path.name for path in (tmp_path / NASTY).iterdir()} >= {f"{NASTY}.db"}
    assert [path.name for path in exported.parent.iterdir()] == ["scripted.db"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("sqlite:///a?b.db", r"A \? in the path is written %3F"),
        ("sqlite:///q.db?timeout=5", r"A \? in the path is written %3F"),
        ("sqlite://studies/q.db", "Expected sqlite:/// and a path"),
        ("sqlite:/studies/q.db", "Expected sqlite:/// and a path"),
        ("sqlite:studies/q.db", "Expected sqlite:/// and a path"),
        ("sqlite+aiosqlite:///q.db", "Expected sqlite:/// and a path"),
        ("SQLITE://", "is a database in memory"),
        ("postgresql:/me@host/x.db", "is not a database URL"),
        ("sqlite:///a%FFb.db", "is not UTF-8"),
        ("a\udcff.db", "is not UTF-8"),
        ("sqlite:///a%00b.db", "cannot hold a null character"),
        (
            "~nobody-here/q.db",
            r"nobody here has the home folder ~nobody-here; a folder of that name is \./~nobody-here/q",
        ),
        (f"{'n' * 300}.db", "File name too long"),
        ("circle/q.db", "Too many levels of symbolic links"),
        ("", "is not a database URL"),
    ],
)
def test_a_word_that_names_no_file_is_one_message(word: str, message: str) -> None:
    if not Path("circle").is_symlink():
        Path("circle").symlink_to("circle")
    before = sorted(Path().iterdir())
    for use in (Database.create, Database.open):
        with pytest.raises(StorageError, match=message) as caught:
            use(word)
        assert len(str(caught.value).splitlines()) == 1
    assert sorted(Path().iterdir()) == before


def test_upper_case_and_a_home_folder_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    right = tmp_path.resolve() / "q.db"
    for word in ("~/q.db", "sqlite:///~/q.db", "SQLite:///~/q.db", "sqlite+pysqlite:///~/q.db", f"{tmp_path}/q.db"):
        assert opened(word) == right
    assert opened("./~/q.db") == opened("sqlite:///./~/q.db") == Path.cwd() / "~" / "q.db"


@pytest.mark.parametrize(
    ("word", "right"),
    [
        (f"file:///tmp/{NASTY}".replace("%", "%25").replace("?", "%3F").replace("#", "%23"), f"/tmp/{NASTY}"),
        ("file://localhost/tmp/a%20b", "/tmp/a b"),
        ("file:/tmp/a", "/tmp/a"),
        ("s3://bucket/x?region=y", "s3://bucket/x?region=y"),
        ("file", "HERE/file"),
    ],
)
def test_a_store_is_what_was_named(word: str, right: str) -> None:
    root = parse_root(word)
    assert root == parse_root(root) == right.replace("HERE", str(Path.cwd()))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("", "cannot be a folder .it is empty"),
        ("file://host/x", "Expected the path of a folder, or file:///folder"),
        ("file:///a?b", "Expected the path of a folder, or file:///folder"),
        ("s3:/bucket/x", r"^s3://\.\.\.: unknown kind of store"),
        ("S3://bucket/x", r"^S3://\.\.\.: unknown kind of store"),
        (" s3://bucket/x", "unknown kind of store"),
        ("s3://bucket/a#b", "Write it as %23"),
        ("~nobody-here/x", "nobody here has the home folder ~nobody-here"),
    ],
)
def test_a_word_that_names_no_store_is_one_message(word: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message) as caught:
        parse_root(word)
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_named_file_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_artifacts("file").write("x", b"1")
    assert (tmp_path / "file" / "x").read_bytes() == b"1"
