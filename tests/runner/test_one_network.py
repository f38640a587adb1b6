"""One network, trained by itself: stopped and continued, counted, exported, and what is refused."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from filelock import FileLock

import qpsearch
from qpsearch.architecture.cost import cost
from qpsearch.architecture.named import list_networks, named_network
from qpsearch.errors import UserError
from qpsearch.protocol import EpochReport
from qpsearch.runner.changes import changes
from qpsearch.runner.one_network import OneNetwork, begin, reopen, threads_for
from qpsearch.runner.training_folder import LOCK
from qpsearch.runner.wanted import Wanted, wanted
from qpsearch.training import exported
from qpsearch.training.checkpoint import load

SMALL = ("training.epochs=3", "data.validation=740")
MEASURED = {"seconds", "images_per_s", "peak_memory_bytes", "checkpoint"}


def asked(*settings: str, point: int = 0) -> Wanted:
    return wanted("smoke", [*SMALL, *settings], point)


def curve(network: OneNetwork) -> list[dict[str, object]]:
    return [{key: value for key, value in asdict(each).items() if key not in MEASURED} for each in network.reports]


def trained(folder: Path, want: Wanted, epochs: int = 9) -> OneNetwork:
    """Train at most so many epochs more in a folder, which may be new."""
    is_new = not folder.exists()
    network = begin(want, folder, seed=4, threads=1) if is_new else reopen(want, folder)
    for _, told in zip(range(epochs), network.train(), strict=False):
        assert isinstance(told, EpochReport)
    return network


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> OneNetwork:
    return trained(tmp_path_factory.mktemp("whole") / "trained", asked())


def test_a_stopped_training_continues_to_the_bit(tmp_path: Path, whole: OneNetwork) -> None:
    folder = tmp_path / "trained"
    assert trained(folder, asked(), epochs=1).reports[-1].epoch == 1
    (folder / "epochs.jsonl.partial").write_text("half a li")  # as a kill leaves it
    again = trained(folder, asked())
    assert curve(again) == curve(whole)
    assert [report.epoch for report in again.reports] == [1, 2, 3]
    assert again.is_finished
    assert [path.name for path in folder.glob("*.pt")] == [again.reports[-1].checkpoint]


def test_a_checkpoint_that_is_lost_costs_epochs_and_is_not_passed_over(tmp_path: Path, whole: OneNetwork) -> None:
    folder = tmp_path / "trained"
    network = trained(folder, asked(), epochs=2)
    (folder / network.reports[-1].checkpoint).unlink()
    again = trained(folder, asked())
    assert [report.epoch for report in again.reports] == [1, 2, 3]
    assert curve(again) == curve(whole)


def test_the_best_epoch_is_kept_where_the_space_counts_it(tmp_path: Path) -> None:
    network = trained(tmp_path / "trained", asked("search.score=best", "training.optimizer.sgd.lr=0.2"))
    best = max(network.reports, key=lambda report: (report.val_accuracy or 0, -report.epoch))
    assert network.counting == best
    kept = {path.name for path in network.folder.glob("*.pt")}
    assert kept == {best.checkpoint, network.reports[-1].checkpoint}
    assert "which the same images chose" in (network.folder / network.export().files[-1]).read_text()


def test_the_exported_weights_are_those_of_the_checkpoint(whole: OneNetwork) -> None:
    done = whole.export()
    assert done.files == ("config.json", "model.safetensors", "load.py", "README.md")
    model = qpsearch.load_exported(whole.folder)
    stored = load(qpsearch.artifacts.open_artifacts(str(whole.folder)), whole.reports[-1].checkpoint)
    for name, value in model.network.state_dict().items():
        assert torch.equal(value, stored.model[name])
    card = (whole.folder / "README.md").read_text()
    assert card.startswith("# smoke\n")
    assert "The test images were not looked at." in card
    assert f"val_accuracy {whole.reports[-1].val_accuracy:.4f}, one seed." in card


def test_a_look_at_the_test_images_is_noted(whole: OneNetwork) -> None:
    look = whole.look_at_test_images()
    assert 0 <= look["accuracy"] <= 1
    assert look["images"] == 300
    assert reopen(asked(), whole.folder).record.looks == (look,)
    done = whole.export()
    assert done.info["results"]["test"] == [look]
    assert "looked at once" in (whole.folder / "README.md").read_text()


def test_a_card_stands_alone_where_weights_cannot_be_written(
    whole: OneNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exported, "is_installed", lambda package: False)
    assert whole.export().files == ("config.json", "README.md")
    card = (whole.folder / "README.md").read_text()
    assert f"`{whole.reports[-1].checkpoint}`, which `torch.load` reads" in card
    with pytest.raises(UserError, match=r"pip install 'qpsearch\[export\]'"):
        whole.export(programs=True)


def test_another_network_is_not_mixed_with_the_one_that_is_there(whole: OneNetwork) -> None:
    with pytest.raises(UserError, match=r"\(training\.|\(recipe\.epochs: 3 there, 4 asked for\)"):
        reopen(wanted("smoke", ["training.epochs=4", SMALL[1]]), whole.folder)
    with pytest.raises(UserError, match=r"\(seed: 4 there, 5 asked for\)"):
        reopen(asked(), whole.folder, seed=5)
    with pytest.raises(UserError, match=r"\(cpus: 1 there, 2 asked for\)"):
        reopen(asked(), whole.folder, threads=2)
    with pytest.raises(UserError, match=r"\(search.score: last there, best asked for\)"):
        reopen(asked("search.score=best"), whole.folder)  # whose checkpoint may be gone
    with pytest.raises(UserError, match=r"\(search.metrics: nothing there, \['val_macro_f1'\] asked for\)"):
        reopen(asked("search.metrics=[val_macro_f1]"), whole.folder)
    with pytest.raises(UserError, match="already trained there"):
        begin(asked(), whole.folder)


def test_the_record_continues_the_training_that_it_is_of(tmp_path: Path) -> None:
    of = ("data.validation=0", "search.objective.minimize=train_loss", "search.score=best")
    begin(asked(*of), tmp_path / "trained", seed=4)
    found = wanted(str(tmp_path / "trained" / "run.json"))
    assert reopen(found, tmp_path / "trained").config == found.config == asked(*of).config
    (tmp_path / "alone.json").write_text(found.config.to_json())
    alone = wanted(str(tmp_path / "alone.json")).space.search
    assert (alone.objective.metric, str(alone.score)) == ("train_loss", "last")


def test_images_that_changed_are_not_called_another_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    want = asked()
    begin(want, tmp_path / "trained")
    monkeypatch.setattr(
        "qpsearch.runner.one_network.changes", lambda *_: {"data.own.fingerprint": ("a", "b"), "data.own.mean": (1, 2)}
    )
    own = SimpleNamespace(place="/pictures/pets")
    changed = SimpleNamespace(to_json=want.config.to_json, data=SimpleNamespace(own=own))
    with pytest.raises(UserError, match="is trained on other images than /pictures/pets has now"):
        reopen(SimpleNamespace(config=changed), tmp_path / "trained")  # type: ignore[arg-type]  # it is enough of one


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="is not empty, and nothing was trained there"):
            begin(asked(), tmp_path, overwrite=overwrite)
    (tmp_path / "run.json").write_text('{"runs": "of another program"}')
    for overwrite in (False, True):
        with pytest.raises(UserError, match="is not empty, and nothing was trained there"):
            begin(asked(), tmp_path, overwrite=overwrite)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json", "thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_training_is_replaced_without_what_a_user_put_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "trained"
    begin(asked(), folder, seed=1)
    (folder / "epochs.jsonl").write_text("")
    (folder / "checkpoint-e001-0123.pt").write_text("")
    (folder / "notes.txt").write_text("mine")
    (folder / "plots").mkdir()
    assert begin(asked(), folder, seed=2, overwrite=True).record.seed == 2
    assert sorted(path.name for path in folder.iterdir()) == [LOCK, "notes.txt", "plots", "run.json"]


def test_what_did_not_begin_is_replaced_and_what_did_only_when_told(tmp_path: Path) -> None:
    folder = tmp_path / "trained"
    begin(asked(), folder, seed=1)
    assert begin(asked(), folder, seed=4, threads=1).record.seed == 4  # no epoch is lost
    trained(folder, asked(), epochs=1)
    other = begin(asked("training.epochs=1"), folder, overwrite=True)
    assert (other.epochs, other.reports, list(folder.glob("*.pt"))) == (1, [], [])


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    network = begin(asked(), tmp_path / "trained")
    record = (network.folder / "run.json").read_text()
    with FileLock(network.folder / LOCK):
        with pytest.raises(UserError, match="another process trains there"):
            next(network.train())
        with pytest.raises(UserError, match="another process trains there"):
            begin(asked(), network.folder, seed=7)
    assert (network.folder / "run.json").read_text() == record
    begin(asked(), network.folder, seed=7)  # between the other one's beginning and its first step
    with pytest.raises(UserError, match="another process has just trained there"):
        next(network.train())


def test_a_training_on_a_gpu_does_not_continue_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    network = begin(asked(), tmp_path / "trained")
    record = replace(network.record, device="cuda")
    (network.folder / "run.json").write_text(record.to_text())
    with pytest.raises(UserError, match="is trained on a GPU, and this machine does not have one"):
        next(reopen(asked(), network.folder).train())


def test_a_gpu_that_torch_cannot_use_gives_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qpsearch.runner.one_network.has_gpu", lambda: True)
    monkeypatch.setattr("qpsearch.runner.trainer.gpu_fault", lambda: "Found no driver")
    network = begin(asked(), tmp_path / "trained")
    with pytest.raises(
        UserError, match=r"^torch cannot use the GPU: Found no driver\. .*export CUDA_VISIBLE_DEVICES=$"
    ):
        next(network.train())
    monkeypatch.undo()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert begin(asked(), network.folder).record.device == "cpu"  # as the message says


@pytest.mark.parametrize(("name", "text"), [("run.json", "{"), ("run.json", "[]"), ("epochs.jsonl", '{"epoch": 1}\n')])
def test_damaged_files_are_named(tmp_path: Path, name: str, text: str) -> None:
    network = begin(asked(), tmp_path / "trained")
    (network.folder / name).write_text(text)
    with pytest.raises(UserError, match=f"{name}: is damaged"):
        reopen(asked(), network.folder)


@pytest.mark.parametrize("change", [{"threads": "two"}, {"device": "tpu"}, {"looks": ({"accuracy": 1},)}])
def test_a_record_of_other_values_is_damaged(tmp_path: Path, change: dict[str, Any]) -> None:
    network = begin(asked(), tmp_path / "trained")
    (network.folder / "run.json").write_text(replace(network.record, **change).to_text())
    with pytest.raises(UserError, match=r"run\.json: is damaged"):
        reopen(asked(), network.folder)


def test_nothing_to_continue_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing was trained there"):
        reopen(asked(), tmp_path / "none")
    with pytest.raises(UserError, match="no epoch was trained yet"):
        begin(asked(), tmp_path / "trained").export()


def test_every_named_network_is_the_one_that_is_trained() -> None:
    for name, _ in list_networks():
        found = wanted(name)
        assert (found.config.network, found.drawn) == (named_network(name), {}), name


def test_a_name_trains_with_the_recipe_of_its_paper_or_the_one_that_is_set() -> None:
    assert (wanted("quotient20").config.recipe.epochs, wanted("pure20").config.recipe.epochs) == (182, 160)
    modern = wanted("quotient20", ["training.recipe=modern", "training.epochs=30"]).config
    assert (modern.recipe.optimizer.kind, modern.recipe.epochs, modern.data.validation) == ("muon", 30, 5000)
    assert wanted("resnet20", ["data.dataset=cifar100"]).config.network.classes == 100


@pytest.mark.parametrize("around", ["", "config", "trial"])
def test_a_stored_configuration_is_trained_as_it_is(tmp_path: Path, around: str) -> None:
    """Also below ``config`` (an export, a sample) or ``trial`` and ``config`` (``trials STUDY N --json``)."""
    config = asked(point=3).config
    document = json.loads(config.to_json())
    if around:
        document = {"study": "mine", around: document if around == "config" else {"config": document}}
    (tmp_path / "point.json").write_text(json.dumps(document))
    found = wanted(str(tmp_path / "point.json"))
    assert (found.config, found.name) == (config, "mine" if around else "point")
    changed = wanted(str(tmp_path / "point.json"), ["training.epochs=7"]).config
    assert changed == replace(config, recipe=replace(config.recipe, epochs=7))


def test_a_point_of_a_space_is_that_of_its_samples() -> None:
    space = qpsearch.load_space("smoke", SMALL)
    points = qpsearch.sample(space, 3)
    for index, point in enumerate(points):
        found = asked(point=index)
        assert (found.config, found.drawn) == (point.config, point.draw.params)


def test_a_point_may_be_one_of_the_samples_that_were_printed(tmp_path: Path) -> None:
    points = qpsearch.sample(qpsearch.load_space("smoke", SMALL), 2)
    samples = [{"params": {}, "config": json.loads(point.config.to_json())} for point in points]
    (tmp_path / "points.json").write_text(json.dumps({"samples": samples}))
    for index, point in enumerate(points):
        assert wanted(str(tmp_path / "points.json"), point=index).config == point.config
    with pytest.raises(UserError, match=r"--point 2: .*points.json holds 2 points. Expected one from 0 to 1"):
        wanted(str(tmp_path / "points.json"), point=2)


def test_a_late_point_is_drawn_without_those_before_it() -> None:
    assert asked(point=100_000).drawn != asked(point=99_999).drawn  # in a minute and more, one after the other


def test_what_a_space_says_of_pruning_does_not_bind_one_network() -> None:
    assert wanted("digits", ["training.epochs=1"]).config.recipe.epochs == 1  # its first rung is at epoch 3


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("cifr", "Did you mean 'cifar'"),
        ("qoutient20", "Did you mean 'quotient20'"),
        ("quotient21", "Expected a depth 6n"),
        ("none.json", "cannot be read"),
        ("none.yaml", "no such file"),
        ("cifar-blocks", "compares arms"),
        ("zebra", "is not a file, a shipped space or a network. List them"),
    ],
)
def test_what_is_not_there_is_named_with_what_may_be_meant(what: str, message: str) -> None:
    with pytest.raises(qpsearch.errors.QpsearchError, match=message):
        wanted(what)


def test_a_file_without_a_configuration_is_refused(tmp_path: Path) -> None:
    for text in ("[]", "{}", '{"network": 3}', "nonsense"):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(UserError, match="does not hold a configuration"):
            wanted(str(tmp_path / "c.json"))


def test_threads_fit_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qpsearch.runner.one_network.own_cores", lambda: 8)
    assert threads_for(asked().config) == 1
    resnet = wanted("resnet20").config
    assert threads_for(resnet) == cost(resnet.network).macs * 128 // 10**9 == 5
    assert threads_for(wanted("resnet18").config) == 8


def test_changes_of_lists_of_records_are_named_one_by_one() -> None:
    then = {"stages": [{"block": "a", "width": 1}, {"block": "b"}], "sizes": [1, 2]}
    now = {"stages": [{"block": "a", "width": 2}], "sizes": [1, 3]}
    assert changes(then, now) == {
        "stages.0.width": (1, 2),
        "stages.1": ({"block": "b"}, None),
        "sizes": ([1, 2], [1, 3]),
    }
