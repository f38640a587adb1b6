"""Bad input: one clear message, exit code 2, nothing written, no traceback."""

from pathlib import Path

import pytest

from tests.cli.run import qpsearch, set_traps, started
from tests.space.cases import GOOD

CIFAR = GOOD.replace("dataset: digits", "dataset: cifar10").replace("study: s", "study: c")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "cifar.yaml").write_text(CIFAR)
    (tmp_path / "broken.yaml").write_text(GOOD + "  - x: [\n")
    (tmp_path / "typo.yaml").write_text(GOOD.replace("tpe", "tep"))
    (tmp_path / "range.yaml").write_text(GOOD.replace("[0.01, 0.3]", "[0.3, 0.01]"))
    (tmp_path / "fits.yaml").write_text(
        GOOD.replace("depth: {", "shortcut: pad, depth: {").replace("{width: 16, sh", "{width: 2, sh")
    )
    (tmp_path / "bad-archive").mkdir()
    (tmp_path / "bad-archive" / "cifar10.npz").write_text("not an archive")
    (tmp_path / "note.txt").write_text("a file")
    set_traps(tmp_path)
    return tmp_path


REFUSED = [
    (("run", "none.yaml"), "none.yaml: no such file. Files there: "),
    (("run", "broken.yaml"), "broken.yaml:15:3: is not YAML"),
    (("run", "typo.yaml"), "typo.yaml:13:19: search.sampler: unknown sampler 'tep'. Did you mean 'tpe'?"),
    (("run", "range.yaml"), "range.yaml:12:26: training.optimizer.sgd.lr: a log range needs 0 < low < high"),
    (("space", "check", "typo.yaml"), "typo.yaml:13:19: search.sampler: unknown sampler 'tep'"),
    (("run", "good.yaml", "--study", "a/b"), "--study: 'a/b' cannot name a study"),
    (("run", "good.yaml", "--storage", "here"), "'here': is not a database URL. Expected a file such as studies/qp"),
    (
        ("run", "good.yaml", "--storage", "postgresql+psycopg://me:secret@127.0.0.1:9/x"),
        "postgresql+psycopg://***@127.0.0.1:9/x: ",
    ),
    (
        ("run", "good.yaml", "--storage", "postgresql+psycopg://me:secret/x"),
        "--storage: is not a database URL. Expected a file such as studies/qpsearch.db, or postgresql",
    ),
    (
        ("run", "good.yaml", "--storage", "postgresql+psycopg://me:se@cret@127.0.0.1:9/x"),
        "--storage: is not a database URL",
    ),
    (
        ("run", "good.yaml", "--storage", "postgresql+psycopg://me@127.0.0.1:9/x?password=secret"),
        "postgresql+psycopg://***@127.0.0.1:9/x: ",
    ),
    (("run", "good.yaml", "--storage", "sqlite:////proc/none/q.db"), "/proc/none: cannot be made"),
    (("run", "good.yaml", "--storage", "sqlite:///note.txt"), "file is not a database"),
    (("run", "good.yaml", "--time", "12"), "--time: '12' is not a time such as 90s, 15m, 12h or 2d."),
    (("run", "good.yaml", "--artifacts", "s3://key:secret@bucket/x"), "may hold credentials, which would be stored"),
    (
        ("run", "good.yaml", "--artifacts", "nowhere://x/y"),
        "nowhere://...: unknown kind of store. Expected a folder, s3://bucket/path or gs://bucket/path.",
    ),
    (("run", "good.yaml", "--sink", "tensorbord"), "Did you mean 'tensorboard'? Known: tensorboard, wandb."),
    (("studies", "rename", "digits", "a/b"), "studies/qpsearch.db: no study database there"),
    (("studies", "copy", "digits", "--to", "x.db"), "studies/qpsearch.db: no study database there"),
    (("export", "digits", "--format", "csv"), "no study database there"),
    (("dashboard",), "no study database there"),
    (("status",), "studies/qpsearch.db: no study database there"),
    (("trials", "digits"), "no study database there"),
    (("resume", "digits"), "no study database there"),
    (("best", "digits", "--storage", "sqlite:///note.txt"), "file is not a database"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_bad_input_is_one_message_and_exit_code_2(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    before = sorted(folder.rglob("*"))
    done = qpsearch(folder, *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1
    assert "secret" not in done.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nowhere", "QPSEARCH_DATA=nowhere: is not a folder. Make it, or unset QPSEARCH_DATA"),
        ("note.txt", "QPSEARCH_DATA=note.txt: is not a folder"),
        ("bad-archive", "cifar10.npz: is not a readable archive"),
    ],
)
def test_a_wrong_data_folder_is_said_before_anything_is_written(folder: Path, data: str, message: str) -> None:
    done = qpsearch(folder, "run", "cifar.yaml", QPSEARCH_DATA=data)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "studies").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("rn", "x"),
        ("run", "good.yaml", "--trials", "0"),
        ("run", "good.yaml", "--trials", "99999999999999999999"),
        ("run", "good.yaml", "--seed", "99999999999999999999"),
        ("run", "good.yaml", "--epochs", "99999999999999999999"),
        ("run", "good.yaml", "--gpus", "inf"),
        ("run", "good.yaml", "--gpu-hours", "1e400"),
        ("run", "good.yaml", "--gpus", "x"),
        ("importance", "d", "--evaluator", "shap"),
    ],
)
def test_a_wrong_flag_is_exit_code_2(folder: Path, arguments: tuple[str, ...]) -> None:
    done = qpsearch(folder, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.ray
def test_a_cluster_that_is_not_there_leaves_no_study(folder: Path) -> None:
    done = started(folder, "run", "good.yaml", "--address", "127.0.0.1:9")
    assert done.returncode == 2, done.stderr
    assert "--address 127.0.0.1:9: no Ray cluster can be reached there" in done.stderr
    assert "Traceback" not in done.stderr
    again = qpsearch(folder, "status", "--json")
    assert '"studies": []' in again.stdout


@pytest.mark.ray
def test_more_gpus_than_there_are_leaves_no_study(folder: Path) -> None:
    done = started(folder, "run", "good.yaml", "--gpus", "64")
    assert done.returncode == 2, done.stderr
    assert "a trial asks for 1 cores and 64 GPUs, but no node has that many" in done.stderr
    assert '"studies": []' in qpsearch(folder, "status", "--json").stdout


def test_a_space_in_which_nothing_fits_is_explained(folder: Path) -> None:
    done = qpsearch(folder, "run", "fits.yaml", "--dispatch", "inline")
    assert done.returncode == 2
    assert "none of 1000 draws can be trained. Refused by: stage 0 is narrower" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "studies").exists()
