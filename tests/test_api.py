"""The public interface: small, lazy, and every example in it runs as it stands."""

import ast
import doctest
import importlib
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import qpsearch
from qpsearch import errors
from qpsearch.architecture import plugins
from qpsearch.errors import QpsearchError, StudyExists, StudyMismatch, StudyNotFound, UserError
from qpsearch.protocol import RunSettings
from qpsearch.vocabulary import PluginGroup

HEAVY = {"torch", "ray", "optuna", "sqlalchemy", "pandas", "plotly", "numpy", "rich", "typer", "ruamel", "pydantic"}
MODULES = sorted(
    {
        *qpsearch._PLACES.values(),
        "qpsearch.api.answers",
        "qpsearch.space.file.editing",
        "qpsearch.space.space",
        "qpsearch.training.loop",
        "qpsearch.models.blocks",
        "qpsearch.models.layers",
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study that the examples look at."""
    made = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        qpsearch.run("smoke", trials=4, dispatch="inline", progress=False)
        qpsearch.run("smoke", study="many", trials=8, dispatch="inline", progress=False)
    return made


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, qpsearch; dir(qpsearch); print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY


def test_each_name_is_there_typed_and_with_an_example() -> None:
    tree = ast.parse(Path(qpsearch.__file__).read_text())
    typed = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        for each in node.body
        if isinstance(each, ast.ImportFrom)
        for alias in each.names
    }
    assert typed == set(qpsearch.__all__) <= set(dir(qpsearch))
    for name in qpsearch.__all__:
        value = getattr(qpsearch, name)
        assert ">>> " in (value.__doc__ or "") or name == "layers", name
    for name in qpsearch.layers.__all__:
        assert ">>> " in (getattr(qpsearch.layers, name).__doc__ or ""), name


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'resmue'"):
        qpsearch.resmue  # noqa: B018


@pytest.mark.parametrize("module", MODULES)
def test_every_example_runs(module: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loaded = importlib.import_module(module)
    finder, options = doctest.DocTestFinder(), doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=options)
    said: list[str] = []
    for example in finder.find(loaded):
        monkeypatch.chdir(tmp_path if example.name == "qpsearch.api.running.run" else folder)
        runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)


def test_a_program_without_a_guard_runs_once(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        'print("here")\nimport qpsearch\nstudy = qpsearch.run("smoke", trials=1, dispatch="inline", progress=False)\n'
        "print(study)\n"
    )
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == "here"
    assert second.startswith("<Study 'smoke': 1 COMPLETE; best 0.")


def test_mistakes_are_said_as_on_the_command_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    again = r"Continue it: qpsearch\.resume\('smoke'\), or join=True. Or start another study: study='NAME'\."
    with pytest.raises(StudyExists, match=again):
        qpsearch.run("smoke", dispatch="inline", progress=False)
    with pytest.raises(StudyExists, match=r"search\.seed: 0 -> 7\. .* own space: qpsearch\.resume\('smoke'\)\. Or"):
        qpsearch.run("smoke", dispatch="inline", progress=False, seed=7)
    with pytest.raises(StudyNotFound, match="Did you mean 'smoke'"):
        qpsearch.load_study("smok")
    with pytest.raises(UserError, match="time: 'soon' is not a time such as 90s"):
        qpsearch.resume("smoke", time="soon", progress=False)
    wrong = [{"dispatch": "rya"}, {"trials": -5}, {"trials": 2.5}, {"cpus": 0}, {"seed": -1}, {"gpu_hours": -1.0}]
    for given in wrong:
        with pytest.raises(UserError, match=f"{next(iter(given))}: .*{next(iter(given.values()))}"):
            qpsearch.run("smoke", study="other", progress=False, **given)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(StudyNotFound):
        qpsearch.load_study("other")
    absurd = [{"num_classes": 0}, {"num_classes": "x"}, {"num_classes": 2.5}, {"in_chans": "x"}, {"seed": "x"}]
    for asked in ({"in_chans": 0}, {"width": -1}, {"width": 5000}, *absurd):
        with pytest.raises(UserError, match=rf"{next(iter(asked))}: .* is not a whole number from [01] to"):
            qpsearch.create_model("resnet20", **asked)
    with pytest.raises(UserError, match="study: 'a b' cannot name a study"):
        qpsearch.run("smoke", study="a b", dispatch="inline", progress=False)
    with pytest.raises(UserError, match="does not have trial 9"):
        qpsearch.load_study("smoke").load_model(9)
    with pytest.raises(UserError, match="does not have replicate 1"):
        qpsearch.load_study("smoke").load_model(0, replicate=1)
    for device, why in (
        ("gpu", "'gpu' is not a device. Expected 'cpu', or 'cuda' for a GPU."),
        ("mps", "'mps' cannot be used here. Expected 'cpu', or 'cuda' for a GPU."),
        ("cuda:99", r"('cuda:99' cannot be used, since torch does not find a GPU here\. Take|there is no 'cuda:99'\.)"),
    ):
        with pytest.raises(UserError, match=f"^device: {why}"):
            qpsearch.load_study("smoke").load_model(0, device=device)


def test_arguments_of_another_kind_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    study: Any = qpsearch.load_study("smoke")
    library: Any = qpsearch
    network = study.trials[0].config.network
    calls: dict[str, Callable[[], object]] = {
        "storage: 5": lambda: library.load_study("smoke", storage=5),
        "artifacts: 5": lambda: library.run("smoke", study="other", artifacts=5, progress=False),
        "sinks: 5": lambda: library.run("smoke", study="other", sinks=5, progress=False),
        "space: None": lambda: library.run(None),
        "path: 5": lambda: study.report(5),
        "folder: 5": lambda: study.export_model(5),
        "replicate: 'x'": lambda: study.load_model(trial=0, replicate="x"),
        "trial: 'x'": lambda: study.rerun("x"),
        "seeds: 'x'": lambda: study.confirm(seeds="x"),
        "dispatch: unknown value 'rya'": lambda: study.confirm(dispatch="rya"),
        "name: None": lambda: library.create_model(None),
        "name: 5 is not the name of a study": lambda: library.load_study(5),
        "name: None is not": lambda: library.resume(None, dispatch="inline", progress=False),
        "address: 5": lambda: library.run("smoke", study="other", address=5, progress=False),
        "address: 6": lambda: study.confirm(address=6, progress=False),
        "evaluator: unknown value 'foo'": lambda: study.importance("foo"),
        "evaluator: unknown value 5": lambda: study.plot_importance(5),
        "device: 'foo' is not a device": lambda: study.load_model(device="foo"),
        "device: None is not a device": lambda: study.load_model(device=None),
        "replicate: None": lambda: study.load_model(replicate=None),
        "seeds: None": lambda: study.confirm(seeds=None, dispatch="inline", progress=False),
        "trials: 3 does not name trials": lambda: study.confirm(trials=3, progress=False),
        r"trials: \[\] does not name trials": lambda: study.confirm(trials=[], progress=False),
        "trials: 'x'": lambda: study.confirm(trials=["x"], progress=False),
        "confirm takes either the best configurations": lambda: study.confirm(top=1, trials=[0], progress=False),
        "study 'smoke' does not have a complete trial 99": lambda: study.confirm(trials=[0, 99], progress=False),
        "trial: None": lambda: study.rerun(None),
        "values: 5": lambda: study.enqueue(5),
        "values: {5: 6}": lambda: study.enqueue({5: 6}),
        "images: got int": lambda: study.preprocess(5),
        r"images: got torch.float32 of shape \(3,\)": lambda: study.preprocess(torch.zeros(3)),
        r"images: got torch.float32 .* \(N, 1, 8, 8\) of uint8, 0 to 16": lambda: study.preprocess(
            torch.rand(2, 1, 8, 8)
        ),
        "folder: 7": lambda: library.load_exported(7),
        "pattern: None": lambda: library.list_models(None),
        "network: 'resnet20'": lambda: library.build_model("resnet20", 0),
        "seed: 2.5": lambda: library.build_model(network, 2.5),
        "config: 5": lambda: next(library.train(5, library.RunSettings(seed=1))),
        "settings: 5": lambda: library.load_space("smoke", 5),
        "folder: 8": lambda: library.build_space(SMALL, folder=8),
        "object .* cannot stand in a file": lambda: library.build_space({"study": object()}),
        "changes: 5": lambda: library.space.edited("study: a", 5),
        "rules 5 is not a dict": lambda: library.custom_block("own", print, rules=5),
        "cost 5 is not callable": lambda: library.custom_block("own", print, cost=5),
        "options 5 is not a dict": lambda: library.custom_sampler("own", print, version=1, options=5),
        "low must be below high": lambda: library.custom_metric("own", print, direction="minimize", low="a"),
        "count: None": lambda: library.sample("smoke", None),
        "count: -1": lambda: library.sample("smoke", -1),
        "space: 5": lambda: library.sample(5, 1),
    }
    for said, call in calls.items():
        with pytest.raises(UserError, match=said):
            call()


def test_each_function_that_reads_a_space_or_a_name_loads_what_is_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    point = EntryPoint("own", "no_such_module:own", PluginGroup.BLOCKS)
    monkeypatch.setattr(plugins, "entry_points", lambda: EntryPoints([point]))
    calls: list[Callable[[], object]] = [
        lambda: qpsearch.load_space("smoke"),
        lambda: qpsearch.build_space(SMALL),
        lambda: qpsearch.sample("smoke", 1),
        lambda: qpsearch.run("smoke"),
        lambda: qpsearch.resume("smoke"),
        lambda: qpsearch.load_study("smoke"),
        lambda: qpsearch.list_models(),
        lambda: qpsearch.create_model("own20"),
    ]
    for call in calls:
        with pytest.raises(UserError, match="block 'own' of an installed package cannot be loaded"):
            call()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": "x"}, "seed: 'x' is not a whole number of at least 0."),
        ({"seed": True}, "seed: True is not a whole number of at least 0."),
        ({"threads": 0}, "threads: 0 is not a whole number of at least 1."),
        ({"epochs_before": 1.5}, "epochs_before: 1.5 is not a whole number of at least 0."),
        (
            {"memory_format": "channel_last"},
            "memory_format: unknown value 'channel_last'. Did you mean 'channels_last'? Known: channels_last, contiguous.",
        ),
        ({"memory_format": None}, "memory_format: None is not a text."),
        ({"device": 0}, "device: 0 is not a text."),
        ({"memory_share": 0}, "memory_share: 0 is not a number above 0 and at most 1."),
        ({"resume_from": "a.pt"}, "resume_from: 'a.pt' is not a tuple of texts."),
        ({"metrics": "val_macro_f1"}, "metrics: 'val_macro_f1' is not a tuple of texts."),
        (
            {"metrics": ("val_macro_f2",)},
            "metrics: unknown metric 'val_macro_f2'. Did you mean 'val_macro_f1'? Known: ",
        ),
        ({"cuda_graphs": "sometimes"}, "cuda_graphs: unknown value 'sometimes'. Choices: never, auto, always."),
    ],
)
def test_a_setting_of_a_run_is_refused_where_it_is_given(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        qpsearch.RunSettings(**{"seed": 0} | settings)
    assert str(caught.value).startswith(message)


def test_training_names_a_device_that_is_not_there() -> None:
    config = qpsearch.sample(qpsearch.load_space("smoke"), 1)[0].config
    with pytest.raises(UserError, match=r"^device: 'gpu' is not a device"):
        next(qpsearch.train(config, qpsearch.RunSettings(seed=0, device="gpu")))


def test_numbers_of_numpy_and_what_a_file_would_say_are_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the project's own tables were refused."""
    monkeypatch.chdir(folder)
    study = qpsearch.load_study("smoke")
    first = study.trials_dataframe().number.iloc[:2]
    assert study.rerun(first.iloc[0]).trial == 0
    with pytest.raises(UserError, match="fresh seeds"):
        study.compare(trials=first)  # which names them, and says what they lack
    with pytest.raises(UserError, match="is not a whole number"):
        study.rerun(np.True_)  # type: ignore[arg-type]  # is what is tested
    for given in (np.array([1, 2]), np.array([2.0]), torch.tensor(True)):
        with pytest.raises(UserError, match="is not a whole number"):
            study.rerun(given)  # type: ignore[arg-type]  # is what is tested
    with pytest.raises(UserError, match="does not name trials"):
        study.compare(trials=np.array(3))  # type: ignore[arg-type]  # is what is tested
    said = yaml.safe_load(qpsearch.load_space("smoke").source)
    assert [each.config for each in qpsearch.sample(said, np.int64(2))] == [
        each.config for each in qpsearch.sample("smoke", 2)
    ]
    qpsearch.resume("smoke", space=said, dispatch="inline", progress=False)
    with pytest.raises(StudyMismatch):
        qpsearch.resume("smoke", space=said | {"training": {"epochs": 3}}, dispatch="inline", progress=False)


def test_commands_in_messages_name_the_database_of_the_study(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They went on with the study of that name in the default database."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(errors, "_STATED", {})
    other = qpsearch.run("smoke", storage="other.db", trials=2, dispatch="inline", progress=False)
    here = qpsearch.load_study("smoke")
    for study, said in ((other, " --storage other.db"), (here, ""), (other, " --storage other.db")):
        with pytest.raises(UserError) as caught:
            study.compare(trials=[0, 1])
        assert re.search(rf"qpsearch confirm smoke( --trial \d)+ --seeds 5{said}\.$", str(caught.value)), caught.value


def test_training_leaves_the_threads_of_torch_as_they_were(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        qpsearch.load_study("smoke").rerun(0)
        assert torch.get_num_threads() == 2
        steps = qpsearch.train(qpsearch.sample("smoke", 1)[0].config, RunSettings(seed=0, threads=1))
        next(iter(steps))
        assert torch.get_num_threads() == 1
        steps.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


ERRORS = sorted(
    (each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, QpsearchError)),
    key=lambda each: each.__name__,
)
MADE: dict[type[QpsearchError], QpsearchError] = {
    errors.SpaceError: errors.SpaceError(["one", "another"]),
    errors.Infeasible: errors.Infeasible("a network", "a rule", 3.0),
    errors.TrainingDiverged: errors.TrainingDiverged(3, 2e9, 4, 10, 1e9),
    errors.OutOfMemory: errors.OutOfMemory("no room", in_step=True),
    errors.StudyExists: errors.StudyExists("is there", "name", ["a change"]),
}


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_can_come_from_another_process(kind: type[QpsearchError]) -> None:
    """That of a space came with each letter as a problem of its own, and others broke a pool of processes."""
    error = MADE.get(kind) or kind("something")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


def test_a_path_is_taken_as_its_text_and_a_sink_by_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    study = qpsearch.run(
        {**SMALL, "study": "placed"},
        storage=Path("placed.db"),
        artifacts=Path("weights"),
        sinks="tensorboard:curves",
        dispatch="inline",
        progress=False,
    )
    assert study.storage == str(folder / "placed.db")
    assert [name for name in ("placed.db", "weights", "curves/placed") if not Path(name).exists()] == []
    assert qpsearch.load_study("placed", storage=Path("placed.db").absolute()).summary.counts == {"COMPLETE": 1}
    assert qpsearch.sample("smoke", 2) == qpsearch.sample(qpsearch.load_space("smoke"), 2)


def test_a_study_goes_on_with_a_larger_budget(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    qpsearch.run({**SMALL, "study": "grown"}, dispatch="inline", progress=False)
    study = qpsearch.resume("grown", trials=2, dispatch="inline", progress=False)
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 2
    assert study.summary.budget.trials == 2
    assert study.space.data.dataset == "digits"
    assert [trial.number for trial in study.optuna.trials] == [0, 1]
    frame = study.trials_dataframe()
    assert list(frame["number"]) == [0, 1]
    assert "param.training.optimizer.sgd.lr" in frame
    assert len(study.epochs_dataframe()) == 2
    assert study.front
    assert pickle.loads(pickle.dumps(study)).trials == study.trials


SMALL = {
    "data": {"dataset": "digits", "validation": 300},
    "network": {"stem": {"width": 4}, "stages": [{"width": 4, "depth": 1, "block": "additive"}]},
    "training": {"epochs": 1, "batch_size": 256, "optimizer": {"sgd": {"lr": {"log": [0.02, 0.2]}}}},
    "search": {"sampler": "random", "pruner": "none", "trials": 1},
    "resources": {"gpus": 0},
}
