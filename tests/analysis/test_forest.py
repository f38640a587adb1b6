"""A forest is the same wherever it grows."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qpsearch.analysis.anova import forest
from qpsearch.analysis.anova.forest import Forest, prepared

COLUMNS = np.random.default_rng(0).normal(size=(30, 3))
VALUES = COLUMNS[:, 0] + np.random.default_rng(1).normal(size=30)


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes that are begun, in a process that has not loaded scikit-learn."""
    begun: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen[bytes]):
        def __init__(self, *args: object, **settings: object) -> None:
            super().__init__(*args, **settings)  # type: ignore[call-overload]
            begun.append(self)

    monkeypatch.delitem(sys.modules, "sklearn.ensemble", raising=False)
    monkeypatch.setattr(forest.subprocess, "Popen", Watched)
    yield begun
    assert all(helper.returncode is not None for helper in begun)


def test_another_process_grows_the_same_forests(
    helpers: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = forest._grown
    with prepared():
        monkeypatch.setattr(forest, "_grown", None)  # this process grows none
        found = [Forest(COLUMNS, VALUES, seed).forecasts() for seed in (0, 1)]
    assert len(helpers) == 1
    assert [each.tolist() for each in found] == [grown(COLUMNS, VALUES, seed).tolist() for seed in (0, 1)]
    assert np.corrcoef(found[0], VALUES)[0, 1] > 0.5


@pytest.mark.parametrize("is_asked", [False, True])
def test_where_it_has_ended_the_forest_grows_here(helpers: list[subprocess.Popen[bytes]], is_asked: bool) -> None:
    with prepared():
        if not is_asked:
            helpers[0].kill()
            helpers[0].wait()
        asked = Forest(COLUMNS, VALUES, 0)
        helpers[0].kill()
        assert asked.forecasts().tolist() == forest._grown(COLUMNS, VALUES, 0).tolist()


def test_what_a_file_of_the_users_folder_prints_is_no_answer(
    helpers: list[subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.py").write_text("print('mine', flush=True); raise SystemExit")  # in place of Python's own
    (tmp_path / "usercustomize").mkdir()
    (tmp_path / "usercustomize" / "sitecustomize.py").write_text("print('loaded', flush=True)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "usercustomize"))
    with prepared():
        found = Forest(COLUMNS, VALUES, 0).forecasts()
    assert found.tolist() == forest._grown(COLUMNS, VALUES, 0).tolist()


def test_without_another_process_the_forest_grows_here(
    monkeypatch: pytest.MonkeyPatch, helpers: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with prepared():
        assert np.corrcoef(Forest(COLUMNS, VALUES, 0).forecasts(), VALUES)[0, 1] > 0.5


def test_an_error_ends_it_at_once(helpers: list[subprocess.Popen[bytes]]) -> None:
    with pytest.raises(KeyError), prepared():
        raise KeyError("no such study")
    assert helpers[0].returncode is not None


def test_what_has_loaded_scikit_learn_grows_its_own(helpers: list[subprocess.Popen[bytes]]) -> None:
    import sklearn.ensemble  # noqa: F401

    with prepared():
        assert not helpers
        assert np.corrcoef(Forest(COLUMNS, VALUES, 0).forecasts(), VALUES)[0, 1] > 0.5
