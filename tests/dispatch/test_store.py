"""A study with checkpoints in an object store and a database server: workers do not share a folder with it."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from qpsearch.artifacts import open_artifacts
from qpsearch.study.trials.owner import MARKER
from tests.cli.run import ROOT
from tests.dispatch.study import log_lines, records_of
from tests.postgres import PASSWORD, Postgres
from tests.scripted import Behaviour, space_text
from tests.stores import KEYS, s3_bucket

pytestmark = pytest.mark.ray


def test_a_study_goes_on_from_an_object_store_and_no_secret_is_left_anywhere(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted and resumed on a cluster: not one epoch is trained twice, so every checkpoint came from the store."""
    (tmp_path / "s.yaml").write_text(space_text(Behaviour.SLOW, trials=4, epochs=6))
    url = postgres.new_database()
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("SCRIPTED_LOG", str(tmp_path))
    with s3_bucket() as bucket:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            cluster.add_node(num_cpus=1)
            arguments = [sys.executable, "-m", "tests.driver", "run", "s.yaml", "--join", "--artifacts", bucket]
            arguments += ["--address", cluster.address]
            environment = os.environ | {"QPSEARCH_STORAGE": url}
            with (tmp_path / "output").open("w") as output:
                first = subprocess.Popen(arguments, cwd=tmp_path, env=environment, stdout=output, stderr=output)
                while first.poll() is None and "2" not in {epoch for _, epoch in epochs_begun(tmp_path)}:  # promoted
                    time.sleep(0.1)
                first.send_signal(signal.SIGINT)
                assert first.wait(timeout=100) == 130, (tmp_path / "output").read_text()
                done = subprocess.run(
                    arguments, cwd=tmp_path, env=environment, stdout=output, stderr=output, check=False, timeout=200
                )
            text = (tmp_path / "output").read_text()
            assert done.returncode == 0, text
            session = Path(cluster.head_node.get_session_dir_path())
            files = [path for path in (*session.rglob("*"), *tmp_path.rglob("*")) if path.is_file()]
            secrets = (PASSWORD.encode(), KEYS["AWS_SECRET_ACCESS_KEY"].encode())
            assert [path for path in files if any(secret in path.read_bytes() for secret in secrets)] == []
        finally:
            cluster.shutdown()
        (folder,) = open_artifacts(bucket).names()
        kept = {
            trial: open_artifacts(bucket).names(f"{folder}/{trial}")
            for trial in open_artifacts(bucket).names(folder)
            if trial != MARKER
        }
    found = records_of(url)
    assert {(record.state, record.epochs) for record in found} <= {("COMPLETE", 6), ("PRUNED", 1), ("PRUNED", 3)}
    assert len(found) == 4
    assert "continues after epoch" in text
    assert set(epochs_begun(tmp_path).values()) == {1}
    assert sum(epochs_begun(tmp_path).values()) == sum(record.epochs for record in found)
    assert {trial: [name.split("-")[2] for name in names] for trial, names in kept.items()} == {
        f"trial-{record.number:05d}": ["e006"] for record in found if record.state == "COMPLETE"
    }
    assert kept
    assert not (tmp_path / "studies").exists()


def epochs_begun(folder: Path) -> Counter[tuple[str, str]]:
    return Counter((line[0], line[2]) for line in log_lines(folder)) if (folder / "log").exists() else Counter()
