"""Checkpoints belong to one study of one database: what is anyone else's is neither written to nor removed."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from qpsearch.errors import ArtifactError, StudyBusy
from qpsearch.space import Space
from qpsearch.study import manage, opening
from qpsearch.study.drivers import leftovers
from qpsearch.study.drivers.lease import Driver, _started
from qpsearch.study.ledger import Ledger
from qpsearch.study.storage import sqlite_file
from qpsearch.study.trials.owner import MARKER
from tests.helpers import abandon, new_ledger, progress, ready_database, resumed_ledger, rows
from tests.postgres import Postgres


def begun(url: str, space: Space) -> Path:
    """Make a study with one open trial that has a checkpoint, and return its folder."""
    with new_ledger(url, space) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        folder = Path(ledger.checkpoints.of(0))
        folder.mkdir(parents=True)
        (folder / "r0-a1-e001.pt").write_text("weights")
        ledger.report(0, 1, progress(1, 0.5, checkpoint="r0-a1-e001.pt"))
    return folder.parent


def deleted(url: str, name: str = "scripted", *, keep_checkpoints: bool = False) -> list[str]:
    with closing(ready_database(url)) as database:
        return manage.delete(database, name, keep_checkpoints=keep_checkpoints)


def copy_of_study(url: str, name: str) -> None:
    with closing(ready_database(url)) as database:
        manage.copy(database, "scripted", database, name)


def swept(url: str) -> list[str]:
    with closing(ready_database(url)) as database:
        return leftovers.sweep(database)


def changed(url: str, update: str, **values: object) -> None:
    with closing(ready_database(url)) as database:
        database.write(lambda connection: connection.execute(text(update), values))


def kept(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


WHOLE = [MARKER, "trial-00000/r0-a1-e001.pt"]


@pytest.fixture
def copied(url: str, space: Space, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """A study's checkpoints, and a copy of its database beside the original."""
    folder = begun(url, space)
    if url.startswith("sqlite"):
        other = url.replace("q.db", "backup.db")
        shutil.copyfile(make_url(url).database or "", make_url(other).database or "")
        return folder, other
    server: Postgres = request.getfixturevalue("postgres")
    return folder, server.new_database(url.rsplit("/", 1)[1])


def test_a_copied_database_neither_deletes_nor_resumes_into_the_originals_checkpoints(
    url: str, copied: tuple[Path, str]
) -> None:
    folder, copy = copied
    with pytest.raises(ArtifactError, match=r"belong to .*This database is a copy.* --keep-checkpoints"):
        deleted(copy)
    with pytest.raises(ArtifactError, match=r"continue the study in the original.*studies copy scripted --as NAME"):
        resumed_ledger(copy)
    assert kept(folder) == WHOLE
    copy_of_study(copy, "fork")
    with resumed_ledger(copy, "fork") as fork:
        assignment = fork.ask()
        assert assignment is not None
        assert assignment.runs[0].resume_from == ("r0-a1-e001.pt",)
        assert Path(fork.checkpoints.root) != folder
        assert kept(Path(fork.checkpoints.root)) == WHOLE
    assert deleted(copy, keep_checkpoints=True) == []
    deleted(copy, "fork")
    assert kept(folder) == WHOLE
    with resumed_ledger(url) as ledger:
        assert ledger.ask() is not None


@pytest.fixture
def other_process() -> Iterator[Driver]:
    """A process that lives and does not have anything open."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield replace(Driver.this(), pid=process.pid, process_started=_started(process.pid))
        process.kill()


def test_a_copy_is_not_held_by_the_driver_of_the_original(
    sqlite_url: str, space: Space, tmp_path: Path, other_process: Driver
) -> None:
    """Neither beside the original, nor elsewhere without checkpoints; the original itself is held."""
    with new_ledger(sqlite_url, space):
        taken = "UPDATE qpsearch_leases SET pid = :pid, process_started = :process_started"
        changed(sqlite_url, taken, pid=other_process.pid, process_started=other_process.process_started)
        with pytest.raises(StudyBusy, match=f"is being run by process {other_process.pid}"):
            deleted(sqlite_url, keep_checkpoints=True)
        (tmp_path / "away").mkdir()
        for place in (Path(make_url(sqlite_url).database or "").with_name("copy.db"), tmp_path / "away" / "q.db"):
            with closing(ready_database(sqlite_url)) as database:
                database.backup(place)
            with closing(ready_database(f"sqlite:///{place}")) as database:
                manage.rename(database, "scripted", "other")
            assert deleted(f"sqlite:///{place}", "other", keep_checkpoints=True) == []


@pytest.mark.parametrize("marker", ["another's", "none"])
def test_a_driver_that_has_the_copy_open_holds_it(
    sqlite_url: str, space: Space, monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    with new_ledger(sqlite_url, space) as ledger:
        path = Path(ledger.checkpoints.root) / MARKER
        Path(make_url(sqlite_url).database or "").with_name("another.db").touch()
        path.write_text(path.read_text().replace("q.db", "another.db")) if marker == "another's" else path.unlink()
        with pytest.raises(StudyBusy), closing(ready_database(sqlite_url)) as database:
            manage.rename(database, "scripted", "other")
        if marker == "none":  # and where the system does not tell what the process has open
            monkeypatch.setattr(sqlite_file, "PROCESSES", Path("/nowhere"))
            with pytest.raises(StudyBusy), closing(ready_database(sqlite_url)) as database:
                manage.rename(database, "scripted", "other")


def test_who_takes_over_takes_the_checkpoints_too(url: str, copied: tuple[Path, str]) -> None:
    folder, copy = copied
    with resumed_ledger(copy, take_over=True) as ledger:
        assert Path(ledger.checkpoints.root) == folder
    with pytest.raises(ArtifactError, match="This database is a copy"):
        resumed_ledger(url)


def test_a_renamed_moved_or_restored_database_keeps_its_checkpoints(
    sqlite_url: str, space: Space, tmp_path: Path
) -> None:
    folder = begun(sqlite_url, space)
    there = folder.parent.parent
    (there / "q.db").rename(there / "renamed.db")
    with resumed_ledger(f"sqlite:///{there}/renamed.db") as ledger:
        assert Path(ledger.checkpoints.root) == folder
    moved = tmp_path / "elsewhere"
    shutil.copytree(there, moved)  # with its checkpoints, which the copy of both owns
    copy = f"sqlite:///{moved}/renamed.db"
    with resumed_ledger(copy) as ledger:
        assert Path(ledger.checkpoints.root).is_relative_to(moved)
    assert deleted(copy) == []
    assert not (moved / "checkpoints" / folder.name).exists()
    assert kept(folder) == WHOLE


def test_a_database_is_one_by_whichever_path_it_is_opened(sqlite_url: str, space: Space, tmp_path: Path) -> None:
    real = Path(make_url(sqlite_url).database or "")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "l.db").symlink_to(real)
    folder = begun(f"sqlite:///{tmp_path}/links/l.db", space)
    assert folder.parent == real.parent / "checkpoints"
    with resumed_ledger(sqlite_url) as ledger:
        assignment = ledger.ask()
        assert assignment is not None
        assert assignment.runs[0].resume_from == ("r0-a1-e001.pt",)


def test_artifacts_beside_the_database_move_with_it(sqlite_url: str, space: Space, tmp_path: Path) -> None:
    there = Path(make_url(sqlite_url).database or "").parent
    opened = opening.create(ready_database(sqlite_url), space, source="test", artifacts=str(there / "weights"))
    with Ledger(opened):
        pass
    assert rows(sqlite_url, "SELECT checkpoint_root FROM qpsearch_studies") == [("weights",)]
    there.rename(tmp_path / "moved")
    with resumed_ledger(f"sqlite:///{tmp_path}/moved/q.db") as ledger:
        assert Path(ledger.checkpoints.root).parent == tmp_path / "moved" / "weights"


@pytest.mark.parametrize("trap", ["no marker", "a link", "another file", "a path in the name"])
def test_a_path_from_the_database_is_not_trusted(url: str, space: Space, tmp_path: Path, trap: str) -> None:
    folder = begun(url, space)
    thesis = tmp_path / "home" / f"my-{'ab' * 4}"
    thesis.mkdir(parents=True)
    (thesis / "thesis.tex").write_text("years")
    if trap == "another file":
        (folder / "thesis.tex").write_text("years")
        (folder / "trial-00000" / "notes.txt").write_text("mine")
        (why,) = deleted(url)
        assert "which is not qpsearch's" in why
        assert kept(folder) == [MARKER, "thesis.tex", "trial-00000/notes.txt"]
        return
    if trap == "a link":
        shutil.rmtree(folder / "trial-00000")
        (folder / "trial-00000").symlink_to(thesis)
        (thesis / "r0-a1-e001.pt").write_text("the user's own")
        deleted(url)
        assert sorted(path.name for path in thesis.iterdir()) == ["r0-a1-e001.pt", "thesis.tex"]
        return
    first = "my" if trap == "no marker" else "../home/my"
    _point(url, first, str(tmp_path / "home"))
    if trap == "a path in the name":
        with pytest.raises(ArtifactError, match="cannot name a folder of checkpoints"):
            deleted(url)
    else:
        (why,) = deleted(url)
        assert "does not say whose it is" in why
    assert kept(thesis) == ["thesis.tex"]


def _point(url: str, first_name: str, root: str) -> None:
    update = "UPDATE qpsearch_studies SET checkpoint_root = :root, first_name = :name, uid = :uid"
    changed(url, update, root=root, name=first_name, uid="ab" * 16)


def test_a_strange_folder_is_not_written_into(url: str, space: Space, tmp_path: Path) -> None:
    begun(url, space)
    strange = tmp_path / "home" / f"my-{'ab' * 4}"
    strange.mkdir(parents=True)
    (strange / "thesis.tex").write_text("years")
    _point(url, "my", str(tmp_path / "home"))
    with pytest.raises(ArtifactError, match=r"holds 'thesis\.tex', which is not qpsearch's"):
        resumed_ledger(url)
    assert kept(strange) == ["thesis.tex"]


def test_what_a_killed_delete_or_copy_left_is_swept_at_the_next_opening(
    url: str, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(url, space)

    def killed(*arguments: object, **named: object) -> list[str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(leftovers, "sweep", killed)
        patched.setattr("qpsearch.study.manage._write", killed)
        with pytest.raises(KeyboardInterrupt):
            copy_of_study(url, "copy")
    folders = sorted(folder.parent.iterdir())
    assert len(folders) == 2
    swept(url)
    assert len(list(folder.parent.iterdir())) == 2  # the process that fills it lives
    changed(url, "UPDATE qpsearch_leftovers SET process_started = process_started - 1000")
    with resumed_ledger(url):
        assert list(folder.parent.iterdir()) == [folder]
    with monkeypatch.context() as patched:
        patched.setattr(leftovers, "sweep", killed)
        with pytest.raises(KeyboardInterrupt):
            deleted(url)
    assert kept(folder) == WHOLE
    with new_ledger(url, space) as ledger:
        assert not folder.exists()
        assert rows(url, "SELECT count(*) FROM qpsearch_leftovers") == [(0,)]
        abandon(ledger)


def test_a_study_that_optunas_own_tools_deleted_leaves_no_checkpoints(url: str, space: Space) -> None:
    folder = begun(url, space)
    with closing(ready_database(url)) as database:
        database.with_optuna(lambda storage: storage.delete_study(storage.get_study_id_from_name("scripted")))
    assert kept(folder) == WHOLE
    assert swept(url) == []
    assert not folder.exists()


def test_a_restored_backup_does_not_sweep_what_it_does_not_know(sqlite_url: str, space: Space, tmp_path: Path) -> None:
    real = Path(make_url(sqlite_url).database or "")
    shutil.copyfile(real, tmp_path / "backup.db")
    folder = begun(sqlite_url, space)
    for path in real.parent.glob("q.db*"):
        path.unlink()
    shutil.copyfile(tmp_path / "backup.db", real)
    swept(sqlite_url)
    assert kept(folder) == WHOLE


def test_a_damaged_marker_is_said(url: str, space: Space) -> None:
    folder = begun(url, space)
    (folder / MARKER).write_text("{")
    with pytest.raises(ArtifactError, match=r"qpsearch\.json: cannot be read"):
        resumed_ledger(url)
