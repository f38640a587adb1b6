"""Files by URI: the same on a disk and in an object store."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qpsearch import artifacts
from qpsearch.artifacts import check_store, content_hash, join, open_artifacts, read_sound
from qpsearch.errors import ArtifactError
from tests.stores import s3_bucket


@pytest.fixture(params=["folder", "file", "s3"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "s3":
        with s3_bucket() as bucket:
            yield bucket
    else:
        yield f"{'file://' if request.param == 'file' else ''}{tmp_path}/artifacts"


def test_what_is_written_is_read_listed_and_deleted(uri: str) -> None:
    files = open_artifacts(uri)
    assert files.names() == []
    assert files.names("a") == []
    for path in ("a/one", "a/two", "b/one"):
        files.write(path, path.encode() * 100_000)
    assert files.names() == ["a", "b"]
    assert files.names("a") == ["one", "two"]
    assert files.read("a/two") == b"a/two" * 100_000
    files.write("a/two", b"again")
    assert open_artifacts(uri).read("a/two") == b"again"
    files.delete("a/one")
    files.delete("a/never")
    assert files.names("a") == ["two"]
    files.delete("b")
    files.delete_folder("b")
    assert files.names("b") == ["one"]  # neither removes a folder with something in it
    files.delete("b/one")
    files.delete_folder("b")
    files.delete_folder("never")
    assert files.names() == ["a"]
    with pytest.raises(OSError, match="one"):
        files.read("a/one")


def test_a_damaged_file_is_passed_over(uri: str) -> None:
    files = open_artifacts(uri)
    names = [f"r0-e{epoch}-{content_hash(b'good')}.pt" for epoch in (3, 2, 1)]
    files.write(names[0], b"go")
    files.write(names[2], b"good")
    assert list(read_sound(files, names)) == [(names[2], b"good")]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://key:word@bucket/x", "may hold credentials, which would be stored"),
        ("s3://bucket/x?secret_key=word", "an option other than endpoint_override, region, scheme"),
        ("s3://bucket/x?endpoint_override=http://u:word@h:9", "may hold credentials"),
        ("nowhere://x/y", "unknown kind of store"),
        ("s3://", "cannot be opened"),
    ],
)
def test_a_wrong_uri_is_one_message_without_its_secret(uri: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message) as caught:
        open_artifacts(uri)
    assert "word" not in str(caught.value)


def test_a_store_that_is_away_is_the_machines_fault_not_a_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "S3_ATTEMPTS", 2)
    with s3_bucket() as uri:
        files = open_artifacts(uri)
        files.write("x", b"1")
    actions = {
        "cannot be written": [lambda: files.write("y", b"1")],
        "cannot be read": [lambda: files.read("x")],
        "cannot be reached": [files.names, lambda: files.delete("x")],
    }
    with ThreadPoolExecutor(4) as pool:
        asked = {pool.submit(action): message for message, of in actions.items() for action in of}
        for future, message in asked.items():
            with pytest.raises(ArtifactError, match=message):
                future.result()


def test_a_store_is_tried_before_it_is_used() -> None:
    with s3_bucket() as uri:
        check_store(uri)
        assert open_artifacts(uri).names() == []
        with pytest.raises(
            ArtifactError, match=r"^s3://none/studies: probe-.* cannot be written .* Does this machine reach"
        ):
            check_store(uri.replace("bucket", "none"))
    with pytest.raises(ArtifactError, match="may hold credentials"):
        check_store("s3://key:word@bucket/x")


def test_a_store_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default, pyarrow tries S3 for 100 s, and Google's store for a quarter of an hour."""
    monkeypatch.setattr(artifacts, "S3_ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"endpoint_override=127.0.0.1:{silent.getsockname()[1]}&scheme=http&region=us-east-1"
        with pytest.raises(ArtifactError, match=r"^s3://bucket/x: probe-.* cannot be written .*Timeout was reached"):
            check_store(f"s3://bucket/x?{address}")
    _, (options,) = open_artifacts("gs://bucket/x")._fs.__reduce__()  # type: ignore[attr-defined]  # pyarrow's own
    assert options["retry_time_limit"].total_seconds() == 20


def test_a_file_in_the_place_of_a_folder_cannot_be_written_below(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a file")
    with pytest.raises(ArtifactError, match="cannot be written"):
        open_artifacts(str(tmp_path / "x")).write("y/z", b"1")


def test_options_stay_at_the_end_of_a_longer_uri() -> None:
    assert join("s3://b/x?region=y", "z/1") == "s3://b/x/z/1?region=y"
    assert join("studies/what?", "z") == "studies/what?/z"
    assert join("gs://b/x/", "z") == "gs://b/x/z"


def test_two_processes_that_write_one_file_at_once_leave_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = open_artifacts(str(tmp_path))
    syncs: list[int] = []

    def sync(descriptor: int) -> None:
        syncs.append(descriptor)
        if len(syncs) == 1:  # the other one writes all of the file while this one has written its own, without a name
            files.write("owner", b"the other")
            assert files.read("owner") == b"the other"

    monkeypatch.setattr(os, "fsync", sync)
    files.write("owner", b"this one")
    assert files.read("owner") == b"this one"
    assert files.names() == ["owner"]
