"""What a helper does meanwhile is what this process would do."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qpsearch.analysis.anova.ahead import FOREST, checked_meanwhile
from qpsearch.analysis.importance import importance
from qpsearch.analysis.subject import Goal, Subject
from qpsearch.dispatch import meanwhile
from qpsearch.dispatch.meanwhile import Later, helped
from qpsearch.vocabulary import Direction
from tests.planted.studies import search
from tests.planted.truths import TRUTHS

LARGE = np.ones(2_000_000)  # bytes that no pipe holds


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes that are begun, in one that has not loaded scikit-learn."""
    begun: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen[bytes]):
        def __init__(self, *args: object, **settings: object) -> None:
            super().__init__(*args, **settings)  # type: ignore[call-overload]
            begun.append(self)

    monkeypatch.delitem(sys.modules, FOREST, raising=False)
    monkeypatch.setattr(meanwhile.subprocess, "Popen", Watched)
    yield begun
    assert all(helper.returncode is not None for helper in begun)


def test_another_process_does_the_work(helpers: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    with helped():
        monkeypatch.setattr(meanwhile, "_called", None)  # this process does none
        begun = [Later(math.pow, 2, power) for power in (3, 4)]
        Later(np.sum, LARGE)  # its answer is not asked for
        last = Later(np.sum, LARGE, axis=0)
        assert [each.result() for each in reversed(begun)] == [16, 8]
        assert last.result() == len(LARGE)
    assert len(helpers) == 1


@pytest.mark.parametrize("is_asked", [False, True])
def test_where_it_has_ended_the_work_is_done_here(helpers: list[subprocess.Popen[bytes]], is_asked: bool) -> None:
    with helped():
        if not is_asked:
            helpers[0].kill()
            helpers[0].wait()
        asked = Later(np.sum, LARGE)
        helpers[0].kill()
        assert asked.result() == len(LARGE)


def test_an_error_of_the_work_is_raised_here(helpers: list[subprocess.Popen[bytes]]) -> None:
    with helped(), pytest.raises(ValueError, match="domain"):
        Later(math.sqrt, -1).result()


def test_a_file_of_the_users_folder_does_not_stand_in_for_pythons_own(
    helpers: list[subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.py").write_text("raise SystemExit")
    with helped():
        asked = Later(math.pow, 2, 3)
        monkeypatch.setattr(meanwhile, "_called", None)
        assert asked.result() == 8


def test_what_is_printed_at_the_start_is_no_answer(
    helpers: list[subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('loaded', flush=True)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with helped():
        assert Later(math.pow, 2, 3).result() == 8


def test_without_another_process_the_work_is_done_here(
    monkeypatch: pytest.MonkeyPatch, helpers: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with helped():
        assert Later(math.pow, 2, 3).result() == 8


def test_an_error_ends_it_at_once(helpers: list[subprocess.Popen[bytes]]) -> None:
    with pytest.raises(KeyError), helped():
        raise KeyError("no such study")
    assert helpers[0].returncode is not None


def test_what_has_loaded_scikit_learn_does_its_own_work(helpers: list[subprocess.Popen[bytes]]) -> None:
    import sklearn.ensemble  # noqa: F401

    with checked_meanwhile():
        assert not helpers
        assert Later(math.pow, 2, 3).result() == 8


def test_work_goes_around_where_this_process_takes_its_turn(helpers: list[subprocess.Popen[bytes]]) -> None:
    with helped("math", helpers=2, shares=True):
        begun = [Later(os.getpid) for _ in range(6)]
        found = [each.result() for each in begun]
    assert found == 2 * [helpers[0].pid, helpers[1].pid, os.getpid()]


def test_a_helper_that_cannot_load_what_it_should_leaves_the_work_to_this_process(
    helpers: list[subprocess.Popen[bytes]],
) -> None:
    with helped("no.such.module"):
        assert Later(math.pow, 2, 3).result() == 8


def test_an_analysis_is_the_same_with_another_process(
    helpers: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = search(TRUTHS["cliff"], "random", pruned=False, trials=120, seed=0)
    subject = Subject(study="planted", objectives=(Goal(metric="value", direction=Direction.MAXIMIZE),), trials=trials)
    with checked_meanwhile(), monkeypatch.context() as patch:
        patch.setattr(meanwhile, "_called", None)
        found = importance(subject)
    assert found == importance(subject)
    assert found.doubts
