"""``qpsearch train``: what it prints, what it exits with, and what a terminal shows while it trains."""

import signal
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from qpsearch.display.curves import chart
from qpsearch.display.terminal import Drawing
from qpsearch.display.training import TrainingDisplay
from qpsearch.protocol import EpochReport
from qpsearch.runner.tool_documents import TrainDocument
from tests.cli.run import documented, qpsearch, reply

SMALL = ("smoke", "--set", "data.validation=740", "--set", "training.epochs=2")


def test_one_network_is_trained_tested_and_told(tmp_path: Path) -> None:
    done = qpsearch(tmp_path, "train", *SMALL, "--test", "--set", "search.metrics=[val_macro_f1]")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("smoke: ")
    assert lines[1] == "seed 0, cpu, 1 thread; in studies/trained/smoke-0"
    assert lines[2].startswith("  drawn: network.stages.0.block = ")
    assert [line.split()[1] for line in lines if line.startswith("epoch ") and "/" in line] == ["1/2", "2/2"]
    table = lines[next(index for index, line in enumerate(lines) if line.startswith("epoch that counts")) :]
    said = dict(line.split("  ", 1) for line in table if "  " in line)
    assert said["epoch that counts"].strip() == "2 of 2 (last)"
    assert said["test accuracy"].strip().endswith("of 300 images")
    assert "written: config.json, model.safetensors, load.py, README.md" in lines
    folder = tmp_path / "studies" / "trained" / "smoke-0"
    loaded = subprocess.run([sys.executable, "load.py"], cwd=folder, capture_output=True, text=True, check=True)
    assert "ResidualNetwork" in loaded.stdout
    assert 0 <= float(said["val_macro_f1"]) <= 1
    assert 0 <= float(said["test_macro_f1"]) <= 1
    again = qpsearch(tmp_path, "train", *SMALL)
    assert (again.returncode, again.stdout) == (2, "")
    assert "already trained there. Continue it (--resume), replace it (--overwrite)" in again.stderr


def test_the_document_is_as_documented(tmp_path: Path) -> None:
    document = reply(tmp_path, "train", *SMALL, "--output", "one", "--seed", "3")
    documented(TrainDocument, document)
    assert (document["seed"], document["folder"], document["epoch"]) == (3, "one", 2)
    assert document["epochs"][-1]["val_accuracy"] == document["results"]["score"]


def test_ctrl_c_stops_and_resume_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "qpsearch", "train", "smoke", "--set", "training.epochs=200", "--cpus", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch   2/200"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
    assert process.returncode == 130
    said = rest.splitlines()[-1]
    assert said.endswith("of 200; to continue, say the same with --resume")
    after = int(said.split()[3])
    assert after >= 2
    more = qpsearch(tmp_path, "train", "smoke", "--set", "training.epochs=201", "--resume")
    assert "training.epochs: 200 there, 201 asked for" in more.stderr
    other = qpsearch(tmp_path, "train", "smoke", "--resume", "--overwrite")
    assert (other.returncode, other.stderr) == (2, "qpsearch: --resume, --overwrite: expected one of the two.\n")


def test_divergence_is_told_and_exits_with_one(tmp_path: Path) -> None:
    unbounded = ("network.stages.0.block=quotient", "network.rules.quotient.activation=unbounded")
    settings = [word for each in (*unbounded, "training.optimizer.sgd.lr=100") for word in ("--set", each)]
    done = qpsearch(tmp_path, "train", *SMALL, *settings)
    assert (done.returncode, done.stderr) == (1, "")
    told = done.stdout.splitlines()[-1]
    assert told.startswith("diverged: training loss ")
    assert told.endswith(". A lower learning rate may help.")
    document = qpsearch(tmp_path, "train", *SMALL, *settings, "--json")
    assert (document.returncode, document.stdout, document.stderr) == (1, "", f"{told}\n")


def report(epoch: int, loss: float, accuracy: float) -> EpochReport:
    return EpochReport(epoch=epoch, train_loss=loss, val_loss=loss, val_accuracy=accuracy, lr=0.1, seconds=2.0)


class Paper:
    """A screen that keeps what is printed."""

    is_live, failure = True, None

    def __init__(self, draw: Drawing) -> None:
        self.draw, self.lines = draw, list[str]()

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def print(self, text: str) -> None:
        self.lines.append(text)


def drawn(display: TrainingDisplay) -> list[str]:
    console = Console(width=79)
    with console.capture() as got:
        for line in display._draw(79, 23):
            console.print(line, no_wrap=True, overflow="ellipsis")
    return got.get().splitlines()


def test_a_terminal_shows_bar_steps_and_curves_within_80_columns() -> None:
    display = TrainingDisplay("quotient20", 182, is_live=True, screen=Paper)
    with display:
        display.continues([report(1, 2.3, 0.1)])
        display.stepped(120, 391)
        (head,) = drawn(display)
        assert head.startswith("quotient20  ................  epoch 2/182  step 120/391  0 s gone, ")
        for epoch in range(2, 93):
            display.reported(report(epoch, 2.3 - epoch / 50, epoch / 100))
        head, titles, *curves = drawn(display)
        assert "########........  epoch 93/182" in head
        assert titles.split("   ")[0].strip() == "training loss 2.3000 to 0.4600"
        assert titles.endswith("validation accuracy 0.1000 to 0.9200")
        assert len(curves) == 6
        assert curves[0][0] == "█"
        assert curves[0][-1] in "▁▂▃▄▅▆▇█"
        assert max(map(len, (head, titles, *curves))) <= 79
        assert max(map(len, display._screen.lines)) <= 79  # type: ignore[union-attr]  # it is Paper


def test_a_chart_goes_from_the_smallest_to_the_largest_value() -> None:
    assert chart([1, 2, 3, 4], 10, 1) == ["▁▃▆█"]
    assert chart([0, 8, 16], 10, 2) == [" ▁█", "▁██"]
    assert chart([1, 3, 1, 3], 2, 1) == ["▅▅"]  # means of neighbours
    assert chart([float("nan"), 1, 2], 10, 1) == [" ▁█"]
    assert chart([], 10, 2) == ["", ""]
    assert chart([float("inf")], 10, 1) == [""]
