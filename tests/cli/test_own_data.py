"""The command line on images of the user's own, from the space file to the evaluation, in one study."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.run import qpsearch, reply

SPACE = """\
study: shades
data: {folder: shades, validation: 12}
network: {stem: {width: 4}, stages: [{width: 4, depth: 1, block: {choice: [additive, quotient]}}]}
training: {epochs: 2, batch_size: 16, optimizer: {sgd: {lr: 0.05}}}
search: {trials: 2, sampler: random, pruner: none}
"""

LOST = "1 of 120 images has a channel of transparency, which is dropped: dark/0.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of dark and light images, run to its end."""
    made = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(0)
    for label, level in (("dark", 60), ("light", 190)):
        (made / "shades" / label).mkdir(parents=True)
        for index in range(60):
            Image.fromarray(random.integers(level - 50, level + 50, (8, 8), dtype=np.uint8)).save(
                made / "shades" / label / f"{index}.png"
            )
    clear = Image.open(made / "shades" / "dark" / "0.png")
    clear.putalpha(200)
    clear.save(made / "shades" / "dark" / "0.png")
    (made / "s.yaml").write_text(SPACE)
    (made / "data").mkdir()
    done = qpsearch(made, "run", "s.yaml", "--dispatch", "inline", QPSEARCH_DATA=str(made / "data"))
    assert done.returncode == 0, done.stderr
    assert f"images shades: {LOST}" in done.stdout
    return made


def test_what_was_found_is_said(folder: Path) -> None:
    done = qpsearch(folder, "space", "check", "s.yaml", QPSEARCH_DATA=str(folder / "data"))
    assert done.stdout.splitlines()[2:4] == [
        "images shades: 2 classes (dark, light), 8x8 grey; 108 to train, held out of them 12 to validate, 12 to test",
        f"note: {LOST}",
    ]
    done = qpsearch(folder, "space", "check", "s.yaml", "--json", QPSEARCH_DATA=str(folder / "data"))
    assert LOST in json.loads(done.stdout)["notes"]


def test_a_study_of_own_images_is_resumed_evaluated_and_told(folder: Path) -> None:
    data = {"QPSEARCH_DATA": str(folder / "data")}
    assert reply(folder, "status", "shades")["studies"][0]["best"]["value"] > 0.9
    done = qpsearch(folder, "resume", "shades", "--space", "s.yaml", "--trials", "3", "--dispatch", "inline", **data)
    assert done.returncode == 0, done.stderr
    assert "[3/3] trial 2 COMPLETE" in done.stdout
    done = qpsearch(folder, "evaluate", "shades", "--json", **data)
    assert '"dataset": "shades"' in done.stdout
    done = qpsearch(folder, "report", "shades")
    assert done.returncode == 0, done.stderr
    assert "on shades (12 of the training images for validation)" in (folder / "studies" / "shades.html").read_text()
    done = qpsearch(folder, "best", "shades", "--as-space", "again.yaml")
    assert done.returncode == 0, done.stderr
    done = qpsearch(folder, "space", "check", "again.yaml")
    told = "fine. Study shades-again, 1 designed trial (grid), nothing is searched: one network, on 5 seeds"
    assert told in done.stdout, done.stderr


def test_a_changed_folder_is_refused_with_what_changed(folder: Path) -> None:
    data = {"QPSEARCH_DATA": str(folder / "data")}
    moved = (folder / "shades" / "dark" / "7.png").rename(folder / "7.png")
    try:
        for more in ((), ("--space", "s.yaml")):
            done = qpsearch(folder, "resume", "shades", "--trials", "4", "--dispatch", "inline", *more, **data)
            assert done.returncode == 2
            assert "1 removed (dark/7.png)" in done.stderr
            assert "Traceback" not in done.stderr
        done = qpsearch(folder, "rerun", "shades", "0", **data)
        assert (done.returncode, "1 removed (dark/7.png)" in done.stderr) == (2, True)
    finally:
        moved.rename(folder / "shades" / "dark" / "7.png")


def test_a_study_is_read_where_its_images_are_not(folder: Path, tmp_path: Path) -> None:
    """The database alone builds the network; on a machine without images, training says what is missing."""
    (folder / "shades").rename(folder / "away")
    try:
        shown = qpsearch(folder, "best", "shades")
        assert shown.returncode == 0, shown.stderr
        done = qpsearch(folder, "evaluate", "shades", QPSEARCH_DATA=str(tmp_path))
        assert done.returncode == 2
        assert "shades: is not there, and its images were not decoded on this machine. Put them there" in done.stderr
        done = qpsearch(folder, "evaluate", "shades", QPSEARCH_DATA=str(folder / "data"))
        assert done.returncode == 0, done.stderr
    finally:
        (folder / "away").rename(folder / "shades")


def test_bad_images_are_lines_of_the_file(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "shades" / label).mkdir(parents=True)
        for index in range(1, 5):
            (tmp_path / "shades" / label / f"{index}.png").write_bytes(b"text")
            (tmp_path / "shades" / label / f"{index}.txt").touch()
    (tmp_path / "s.yaml").write_text(SPACE)
    done = qpsearch(tmp_path, "space", "check", "s.yaml", QPSEARCH_DATA=str(tmp_path))
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    bad = "is not an image of a known format. Replace it, or remove it."
    assert lines[6].endswith(f"s.yaml:2:16: data.folder: {tmp_path}/shades/a/1.png: {bad}")
    more = [line.partition("data.folder: ")[2] for line in (lines[5], lines[11])]
    kinds = ("other files", "unreadable images")
    assert more == [f"and 3 more problems of this kind: {kind}." for kind in kinds]
    assert len(lines) == 12


def test_a_folder_is_streamed_by_run_evaluate_and_train(folder: Path) -> None:
    (folder / "streamed").mkdir()
    data = {"QPSEARCH_DATA": str(folder / "streamed")}
    text = SPACE.replace("study: shades", "study: flowing").replace("validation", "stream: true, validation")
    (folder / "flowing.yaml").write_text(text)
    done = qpsearch(folder, "space", "check", "flowing.yaml", **data)
    assert "12 to test; decoded while networks train, by 1 process a trial\n" in done.stdout, done.stderr
    done = qpsearch(folder, "run", "flowing.yaml", "--dispatch", "inline", **data)
    assert done.returncode == 0, done.stderr
    trials = [reply(folder, "trials", study)["trials"][:2] for study in ("flowing", "shades")]
    assert [each["value"] for each in trials[0]] == [each["value"] for each in trials[1]]
    assert [each["params"] for each in trials[0]] == [each["params"] for each in trials[1]]
    done = qpsearch(folder, "evaluate", "flowing", "--json", **data)
    assert '"dataset": "shades"' in done.stdout, done.stderr
    done = qpsearch(folder, "train", "flowing.yaml", "--set", "training.epochs=1", **data)
    assert done.returncode == 0, done.stderr
    assert "images shades: decoded while networks train, by 1 process a trial\n" in done.stdout
    resumed = ("resume", "shades", "--trials", "5", "--dispatch", "inline", "--space", "flowing.yaml")
    done = qpsearch(folder, *resumed, **data)
    assert done.returncode == 0, done.stderr
    assert "images shades: decoded while networks train, by 1 process a trial\n" in done.stdout
    for without_file in (("evaluate", "shades"), ("rerun", "shades", "4")):
        done = qpsearch(folder, *without_file, **data)
        assert done.returncode == 0, done.stderr
    assert not list((folder / "streamed").rglob("*_images.npy"))
    again = ("train", "flowing.yaml", "--set", "training.epochs=1", "--set", "data.stream=auto", "--resume")
    done = qpsearch(folder, *again, **data)
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "streamed").rglob("*_images.npy"))) == 2
