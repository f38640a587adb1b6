"""Errors of code that is the user's own: told with the place in it."""

import faulthandler
import re
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from qpsearch.dispatch.watchdog import cause_of_death
from qpsearch.errors import DataError, UserError, blamed, gist


@pytest.mark.parametrize("raised", [UserError, DataError])
def test_the_place_in_the_code_of_a_user_is_told_also_beside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: type[UserError]
) -> None:
    """A folder whose name begins as that of the package is the user's."""
    package = tmp_path / "qpsearch"
    monkeypatch.setattr(sys.modules["qpsearch"], "__file__", str(package / "__init__.py"))
    file = tmp_path / "qpsearch-blocks" / "mine.py"
    code = compile("def broken():\n    raise ValueError('no.')\n", file, "exec")
    names: dict[str, Any] = {}
    exec(code, names)
    with (
        pytest.raises(raised, match=re.escape(f"block 'mine': {file}:2: ValueError: no.")),
        blamed("block", "mine", raised),
    ):
        names["broken"]()


def test_the_place_is_the_users_also_where_a_library_raises(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    names: dict[str, Any] = {}
    exec(compile("import json\n\n\ndef broken():\n    json.loads('{')\n", file, "exec"), names)
    with (
        pytest.raises(UserError, match=re.escape(f"block 'mine': {file}:5: JSONDecodeError: ")),
        blamed("block", "mine"),
    ):
        names["broken"]()


def test_the_place_in_code_that_is_installed_is_told(tmp_path: Path) -> None:
    file = tmp_path / "site-packages" / "theirs" / "blocks.py"
    names: dict[str, Any] = {"blamed": blamed}
    exec(compile("def broken():\n    raise ValueError('no')\n", file, "exec"), names)
    caller = compile("with blamed('block', 'theirs'):\n    broken()\n", "<qpsearch>", "exec")  # not the user's either
    with pytest.raises(UserError, match=re.escape(f"{file}:2: ValueError: no.")):
        exec(caller, names)


def test_an_error_of_ours_is_not_blamed_on_the_user() -> None:
    with pytest.raises(DataError, match=r"^data$"), blamed("block", "mine"):
        raise DataError("data")


def test_of_the_stacks_of_a_worker_that_hung_the_innermost_call_is_told(tmp_path: Path) -> None:
    threading.Thread(target=(release := threading.Event()).wait, daemon=True).start()

    def hangs() -> None:
        with (tmp_path / "stack").open("w") as file:
            faulthandler.dump_traceback(file, all_threads=True)

    hangs()
    release.set()
    detail = cause_of_death((tmp_path / "stack").read_text(), "").detail
    said = gist(detail)
    assert said.startswith("no report within resources.report_timeout; the worker hung in: File ")
    assert said.endswith(" in hangs")
