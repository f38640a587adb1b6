"""Images that stay on disk: read ahead from mapped arrays, or decoded while a network trains; always the same bits."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from qpsearch.architecture.config import TrialConfig
from qpsearch.errors import DataError, TrainingDiverged
from qpsearch.protocol import EpochReport, RunSettings
from qpsearch.registry.datasets import Data
from qpsearch.registry.fidelity import Fidelity, FidelityKind
from qpsearch.registry.own import decoding
from qpsearch.registry.own.decoding import is_streamed
from qpsearch.registry.own.layout import Subset
from qpsearch.registry.own.places import own_data
from qpsearch.registry.own.record import Source
from qpsearch.runner import machine
from qpsearch.runner.machine import how_streamed
from qpsearch.training import data, train
from qpsearch.training.data import DiskSplit, Split, at_size, in_parts, load_split, train_and_validation
from qpsearch.training.fused import train_runs
from qpsearch.training.loop import train_by_steps
from qpsearch.training.prepare import main, prepare_images
from qpsearch.training.reading import MORE, _Decoder, ahead, processes_kept
from qpsearch.vocabulary import BlockKind, Fuse
from tests.registry.images import class_folders, picture
from tests.training.configs import digits

CPU = torch.device("cpu")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the data sets."""
    load_split.cache_clear()
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("QPSEARCH_DATA", str(tmp_path / "data"))
    yield tmp_path / "data"
    load_split.cache_clear()
    assert not readers()


def readers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("reading")]


def decoders(parent: int) -> list[int]:
    """The processes that decode for a process."""
    found = subprocess.run(["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in found.splitlines()]
    return [int(pid) for pid, ppid, args in rows[1:] if ppid == str(parent) and "own.streamed" in args]


def photographs(root: Path) -> Path:
    """JPEG and PNG files of several sizes, colour and grey, one of them turned by the camera."""
    class_folders(root, 10, "abc", size=(13, 10))
    for index in range(4):
        picture(root / "b" / f"{index}.jpg", (30, 22))
    picture(root / "c" / "grey.png", (9, 17), "L")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.open(root / "b" / "0.jpg").save(root / "a" / "turned.jpg", exif=turned)
    return root


def both(root: Path, kept: Path, size: int = 8, validation: int = 6) -> tuple[Data, Data]:
    """The images of a folder, kept as arrays, and streamed."""
    own = own_data(Source.FOLDER, root, size)
    whole = Data(dataset=own.name, validation=validation, own=own, augment=("flip", "crop"))
    streamed = replace(whole, stream=True)
    for each in (whole, streamed):
        prepare_images(each, kept)
    return whole, streamed


def trained_on(given: Data, epochs: int = 2, parts: int = 1) -> TrialConfig:
    plain = digits(BlockKind.ADDITIVE, epochs=epochs)
    network = replace(plain.network, channels=given.facts.channels, size=given.facts.size, classes=given.facts.classes)
    recipe = replace(plain.recipe, batch_size=5, gradient_accumulation=parts, drop_path=0.2)
    return replace(plain, data=given, network=network, recipe=recipe)


def results(config: TrialConfig, kept: Path, **settings: object) -> list[tuple[object, ...]]:
    run = RunSettings(seed=0, data_folder=str(kept), **settings)
    return [(each.epoch, each.train_loss, each.val_loss, each.val_accuracy) for each in train(config, run)]


def test_streamed_images_are_those_that_would_be_kept(tmp_path: Path, kept: Path) -> None:
    whole, streamed = both(photographs(tmp_path / "x"), kept)
    for arrays, files in zip(
        train_and_validation(whole, kept, CPU), train_and_validation(streamed, kept, CPU), strict=True
    ):
        assert isinstance(arrays, Split)
        assert isinstance(files, DiskSplit)
        assert arrays.side == files.side == 9
        order = torch.randperm(len(arrays.labels))
        assert torch.equal(arrays.batch(order).images, files.batch(order).images)
        assert torch.equal(arrays.labels, files.labels)
        again = list(in_parts(files, 4))
        assert torch.equal(arrays.images, torch.cat([part.images for part in again]))
        assert torch.equal(arrays.labels, torch.cat([part.labels for part in again]))
    small = [at_size(each, whole, 6) for each in (arrays, files)]
    assert torch.equal(small[0].batch(order).images, small[1].batch(order).images)
    tests = [next(iter(in_parts(data.test_images(each, kept, CPU), 99))) for each in (whole, streamed)]
    assert torch.equal(tests[0].images, tests[1].images)


def test_a_streamed_run_repeats_one_in_memory_and_so_does_a_continued_one(tmp_path: Path, kept: Path) -> None:
    whole, streamed = both(photographs(tmp_path / "x"), kept)
    expected = results(trained_on(whole, parts=2), kept)
    config = trained_on(streamed, parts=2)
    assert results(config, kept) == expected
    folder = {"checkpoint_folder": str(tmp_path / "kept"), "checkpoint_stem": "r0"}
    (tmp_path / "kept").mkdir()
    with closing(train(config, RunSettings(seed=0, data_folder=str(kept), **folder))) as told:
        first = next(told)
    assert results(config, kept, resume_from=(first.checkpoint,), **folder) == expected[1:]


def test_fused_runs_each_read_their_own_images(tmp_path: Path, kept: Path) -> None:
    found = []
    for given in both(photographs(tmp_path / "x"), kept):
        runs = [RunSettings(seed=seed, data_folder=str(kept)) for seed in (1, 2)]
        told = train_runs(trained_on(given, epochs=1), runs, Fuse.ALWAYS)
        found.append([(each.run, each.report.train_loss, each.report.val_loss) for each in told])  # type: ignore[union-attr]
    assert found[0] == found[1]
    assert len(found[0]) == 2


@pytest.mark.skipif(
    "QPSEARCH_DATA" not in os.environ, reason="QPSEARCH_DATA names no folder with the real CIFAR-10; CI sets it"
)
def test_real_images_are_trained_on_alike(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    images, labels = load_split(Data(dataset="cifar10", validation=0), Path(os.environ["QPSEARCH_DATA"]), Subset.TEST)
    kept = request.getfixturevalue("kept")
    for index, (image, label) in enumerate(zip(images[:300], labels[:300], strict=True)):
        (tmp_path / "x" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "x" / str(label) / f"{index}.jpg", quality=90)
    whole, streamed = both(tmp_path / "x", kept, size=24, validation=30)
    assert results(trained_on(streamed, 1), kept) == results(trained_on(whole, 1), kept)


def test_a_run_on_mapped_images_repeats_one_in_memory(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = both(photographs(tmp_path / "x"), kept)
    expected = results(trained_on(whole), kept)
    load_split.cache_clear()
    monkeypatch.setattr(data, "IN_MEMORY", 1000)
    assert isinstance(train_and_validation(whole, kept, CPU)[0], DiskSplit)
    assert results(trained_on(whole), kept) == expected


def test_no_array_of_a_streamed_folder_is_kept(tmp_path: Path, kept: Path) -> None:
    own = own_data(Source.FOLDER, photographs(tmp_path / "x"), 8)
    prepare_images(Data(dataset=own.name, validation=0, own=own, stream=True), kept)
    assert not list(kept.rglob("*_images.npy"))
    assert len(list(kept.rglob("*_files.npy"))) == 2


def test_arrays_are_kept_where_there_is_room_for_them(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = own_data(Source.FOLDER, class_folders(tmp_path / "x", 10, "abc"), None)
    given = Data(dataset=own.name, validation=6, own=own)
    room = 30 * 8 * 8 * 3
    for name, enough, less in (
        ("MOST", room, room - 1),
        ("free_bytes", lambda folder: 2 * room, lambda folder: 2 * room - 1),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(decoding, name, enough)
            assert not is_streamed(own, kept, None)
            patched.setattr(decoding, name, less)
            assert is_streamed(own, kept, None)
            prepare_images(given, kept)
    assert not list(kept.rglob("*_images.npy"))
    assert isinstance(train_and_validation(given, kept, CPU)[0], DiskSplit)
    load_split.cache_clear()
    prepare_images(given, kept)
    assert isinstance(train_and_validation(given, kept, CPU)[0], Split)
    monkeypatch.setattr(decoding, "MOST", 0)
    assert not is_streamed(own, kept, None)  # they are there


def test_a_streamed_folder_says_why(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = own_data(Source.FOLDER, class_folders(tmp_path / "x", 10, "abc"), None)
    given = Data(dataset=own.name, validation=6, own=own)
    assert how_streamed(given, kept, 1) == ""
    assert how_streamed(replace(given, stream=True), kept, 1) == "decoded while networks train, by 1 process a trial"
    for module in (decoding, machine):
        monkeypatch.setattr(module, "free_bytes", lambda folder: own.kept_bytes)
    why = "decoded while networks train, by 4 processes a trial: as arrays they would take 0.0 GiB"
    assert how_streamed(given, kept, 4) == f"{why}, and 0.0 GiB are free in {kept}"
    for module in (decoding, machine):
        monkeypatch.setattr(module, "MOST", 0)
    assert how_streamed(given, kept, 4) == why


def test_arrays_that_a_disk_cannot_hold_are_not_begun(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = own_data(Source.FOLDER, class_folders(tmp_path / "x", 10, "abc"), None)
    monkeypatch.setattr(decoding, "free_bytes", lambda folder: own.kept_bytes - 1)
    text = r"x: its images take 0\.0 GiB as arrays, but 0\.0 GiB are free in .*/data\. Write data\.stream: true, or point QPS"
    with pytest.raises(DataError, match=text):
        prepare_images(Data(dataset=own.name, validation=6, own=own, stream=False), kept)
    assert not list(kept.rglob("*.npy"))


@pytest.mark.parametrize("stream", [None, True, False])
def test_what_is_there_is_used_whatever_a_study_was_begun_with(tmp_path: Path, kept: Path, stream: bool | None) -> None:
    own = own_data(Source.FOLDER, class_folders(tmp_path / "x", 10, "ab"), None)
    given = Data(dataset=own.name, validation=6, own=own, stream=stream)
    with pytest.raises(DataError, match=r"Delete .* to decode the images again"):
        train_and_validation(given, kept, CPU)
    found = []
    for prepared in (replace(given, stream=not stream), replace(given, stream=bool(stream))):
        prepare_images(prepared, kept)
        load_split.cache_clear()
        found.append(train_and_validation(given, kept, CPU)[0])
    assert [isinstance(each, DiskSplit) for each in found] == [not stream, bool(stream)]


@pytest.mark.parametrize("after", ["vanished", "changed"])
def test_a_file_that_is_not_what_it_was_is_named(tmp_path: Path, kept: Path, after: str) -> None:
    root = class_folders(tmp_path / "x", 10, "abc")
    _, streamed = both(root, kept)
    path = root / "b" / "3.png"
    if after == "vanished":
        path.unlink()
    else:
        picture(root / "b" / "other.png").rename(path)
    text = "cannot be read (No such file or directory)" if after == "vanished" else "has changed since the folder"
    with pytest.raises(DataError) as caught:
        results(trained_on(streamed), kept)
    assert str(caught.value).startswith(f"{path}: {text}")
    assert not decoders(os.getpid())


def test_a_damaged_image_is_named_before_training_and_a_changed_folder_is_refused(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = class_folders(tmp_path / "x", 10)
    content = (root / "b" / "2.png").read_bytes()
    (root / "b" / "2.png").write_bytes(content[:-30])
    monkeypatch.setattr("qpsearch.registry.own.found.MEASURED", 2)
    own = own_data(Source.FOLDER, root, None)
    streamed = Data(dataset=own.name, validation=2, own=own, stream=True)
    with pytest.raises(DataError, match=r"b/2\.png: is truncated or damaged"):
        prepare_images(streamed, kept)
    assert not list(kept.rglob("*.npy"))
    (root / "b" / "2.png").write_bytes(content)
    with pytest.raises(DataError, match=r"has changed since the study was made: 1 changed \(b/2\.png\)"):
        prepare_images(streamed, kept)
    monkeypatch.setattr("sys.stdin.read", own.to_text)
    monkeypatch.setattr("socket.setdefaulttimeout", lambda seconds: None)
    assert main(["own", str(kept), "streamed"]) == DataError.exit_code
    assert "1 changed (b/2.png)" in capsys.readouterr().out
    root.rename(tmp_path / "gone")
    with pytest.raises(DataError, match="x: no such folder"):
        prepare_images(streamed, kept)


def test_a_run_keeps_its_processes_to_its_end(tmp_path: Path, kept: Path) -> None:
    _, streamed = both(class_folders(tmp_path / "x", 10, "abc"), kept)
    levels = Fidelity(kind=FidelityKind.IMAGES, levels=(0.5, 1.0), epochs=1)
    run = RunSettings(seed=0, data_folder=str(kept), threads=2, fidelity=levels)
    found = []
    for _ in train(trained_on(streamed, epochs=1), run):
        found.append(decoders(os.getpid()))
    assert found[0] == found[1]
    assert len(found[0]) == 2
    assert not decoders(os.getpid())


def test_a_process_that_ends_between_epochs_is_replaced(tmp_path: Path, kept: Path) -> None:
    whole, streamed = both(class_folders(tmp_path / "x", 10, "abc"), kept)
    found = []
    for each in train(trained_on(streamed), RunSettings(seed=0, data_folder=str(kept))):
        found.append(each.train_loss)
        (pid,) = decoders(os.getpid())
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: not is_running(pid))  # type: ignore[misc]
    assert found == [each[1] for each in results(trained_on(whole), kept)]


def test_a_process_that_was_killed_at_its_work_is_not_used_again(tmp_path: Path, kept: Path) -> None:
    _, streamed = both(class_folders(tmp_path / "x", 10, "abc"), kept)
    split, _ = train_and_validation(streamed, kept, CPU)
    assert isinstance(split, DiskSplit)
    with processes_kept():
        reader = split.files.reader()
        assert isinstance(reader, _Decoder)
        reader._is_busy = True
        reader.interrupt()
        reader._is_busy = False  # it had answered just before
        reader.close()
        assert reader._process.returncode == -signal.SIGKILL
        assert len(split.batch(torch.arange(20)).images) == 20
    assert not decoders(os.getpid())


def test_epochs_in_threads_do_not_take_each_others_processes(tmp_path: Path, kept: Path) -> None:
    whole, streamed = both(class_folders(tmp_path / "x", 10, "abc"), kept)
    expected = torch.cat([part.images for part in in_parts(train_and_validation(whole, kept, CPU)[0], 4)])
    files, _ = train_and_validation(streamed, kept, CPU)

    def read(_: int) -> bool:
        with processes_kept():
            return all(torch.equal(torch.cat([part.images for part in in_parts(files, 4)]), expected) for _ in range(3))

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(read, range(3)))
    assert not decoders(os.getpid())


@pytest.mark.parametrize("count", [1, 2])
def test_nothing_is_left_of_runs_that_diverge(tmp_path: Path, kept: Path, count: int) -> None:
    _, streamed = both(class_folders(tmp_path / "x", 10, "abc"), kept)
    config = trained_on(streamed)
    wild = replace(config, recipe=replace(config.recipe, optimizer=replace(config.recipe.optimizer, lr=1e30)))  # type: ignore[call-arg, type-var]
    runs = [RunSettings(seed=seed, data_folder=str(kept)) for seed in range(count)]
    with pytest.raises(TrainingDiverged):
        list(train_runs(wild, runs, Fuse.ALWAYS))
    assert not decoders(os.getpid())


def test_nothing_is_left_of_a_run_that_is_stopped_within_an_epoch(tmp_path: Path, kept: Path) -> None:
    _, streamed = both(class_folders(tmp_path / "x", 10, "abc"), kept)
    run = RunSettings(seed=0, data_folder=str(kept), steps_every_s=0.0)
    with closing(train_by_steps(trained_on(streamed), run)) as told:
        assert not isinstance(next(told), EpochReport)
        assert len(decoders(os.getpid())) == 1
    assert not decoders(os.getpid())


def test_fused_runs_share_the_processes_that_their_cpus_allow(tmp_path: Path, kept: Path) -> None:
    _, streamed = both(class_folders(tmp_path / "x", 10, "abc"), kept)
    runs = [RunSettings(seed=seed, data_folder=str(kept), threads=2, steps_every_s=0.0) for seed in (1, 2)]
    with closing(train_runs(trained_on(streamed), runs, Fuse.ALWAYS)) as told:
        next(told)
        assert len(decoders(os.getpid())) == 2
    assert not decoders(os.getpid())


def wait_until(happens: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for its new parent to look."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_processes_that_decode_end_with_a_parent_that_is_stopped(tmp_path: Path, kept: Path, sent: int) -> None:
    _, streamed = both(class_folders(tmp_path / "x", 10, "abc"), kept)
    code = (
        "import signal, sys; import qpsearch; from qpsearch.architecture.config import TrialConfig\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "run = qpsearch.RunSettings(seed=0, data_folder=sys.argv[2], threads=2)\n"
        "for each in qpsearch.train(TrialConfig.from_json(sys.argv[1]), run):\n"
        "    print(each.epoch, flush=True)\n"
    )
    command = [sys.executable, "-c", code, trained_on(streamed, epochs=100_000).to_json(), str(kept)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        assert parent.stdout.readline() == "1\n"
        found = decoders(parent.pid)
        assert len(found) == 2
        parent.send_signal(sent)
        parent.stdout.read()
        said = parent.stderr.read()  # until the last process that could write there has ended
    wait_until(lambda: not any(map(is_running, found)))
    assert said.count("Traceback") == (sent == signal.SIGINT)


def test_a_process_that_dies_while_it_decodes_is_told(tmp_path: Path, kept: Path) -> None:
    _, streamed = both(class_folders(tmp_path / "x", 10, "abc"), kept)
    split, _ = train_and_validation(streamed, kept, CPU)
    assert isinstance(split, DiskSplit)
    with split.reading() as begin:
        begin(torch.arange(2)).result()
        for pid in decoders(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(DataError, match=r"a process that decoded its images ended \(exit code -9\)"):
            begin(torch.arange(2)).result()


def test_a_bounded_number_is_begun_ahead() -> None:
    begun: list[int] = []
    found = ahead(range(20), lambda item: begun.append(item) or item, readers=3)  # type: ignore[func-returns-value]
    for count, item in enumerate(found, 1):
        assert item == count - 1
        assert len(begun) == min(count + 3 + MORE, 20)


def test_mapped_images_are_read_in_the_order_that_is_asked_for() -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), np.uint8)
    split = DiskSplit(data.MappedImages(array), np.array([8, 1, 5]), torch.arange(3), 4)
    found = split.batch(torch.tensor([2, 0, 2]))
    assert np.array_equal(found.images.numpy(), array[[5, 8, 5]].transpose(0, 3, 1, 2))
    assert found.labels.tolist() == [2, 0, 2]
