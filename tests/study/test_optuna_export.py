"""A study as a plain Optuna study: its file has its name only once it is whole."""

import errno
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest

from qpsearch.space import Space
from qpsearch.study.optuna_export import export_optuna
from qpsearch.study.storage.sqlite_file import whole_file
from tests.helpers import new_ledger, ready_database


def test_an_export_that_ends_early_does_not_leave_a_file(
    sqlite_url: str, space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, copy_study = tmp_path / "out", optuna.copy_study

    def fail(**given: Any) -> None:
        copy_study(**given)
        assert not (out / "scripted.db").exists()
        raise OSError(errno.ENOSPC, "No space left on device")

    with new_ledger(sqlite_url, space):
        pass
    with closing(ready_database(sqlite_url)) as database:
        monkeypatch.setattr(optuna, "copy_study", fail)
        with pytest.raises(OSError, match="No space left"):
            export_optuna(database, "scripted", out)
    assert list(out.iterdir()) == []


def test_an_export_takes_the_place_of_one_that_was_killed_also_where_files_cannot_be_linked(
    sqlite_url: str, space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*paths: Path) -> None:
        raise PermissionError

    with new_ledger(sqlite_url, space):
        pass
    for name in ("scripted.db.partial", "scripted.db.0a1b2c3d4e5f.partial", "scripted.db.mine.partial"):
        (tmp_path / name).write_text("half a study")
    monkeypatch.setattr(os, "link", link)
    with closing(ready_database(sqlite_url)) as database:
        exported = export_optuna(database, "scripted", tmp_path)
    assert {path.name for path in tmp_path.glob("*.partial")} == {"scripted.db.mine.partial"}
    assert optuna.get_all_study_names(f"sqlite:///{exported}") == ["scripted"]


def test_two_exports_at_once_do_not_share_a_file(tmp_path: Path) -> None:
    """The one that ends first has the name; the other one is told, and its file goes."""
    target = tmp_path / "scripted.db"
    with pytest.raises(FileExistsError), whole_file(target) as slow:
        slow.write_text("slow")
        with whole_file(target) as quick:
            assert slow.read_text() == "slow"
            quick.write_text("quick")
    assert target.read_text() == "quick"
    assert list(tmp_path.iterdir()) == [target]
