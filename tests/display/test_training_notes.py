"""What the training of a trial has to say reaches the user once."""

import pytest

from qpsearch.display.progress import Notes, closed_line, paused_line
from qpsearch.display.tally import Running, Tally
from qpsearch.display.training import TrainingDisplay
from qpsearch.protocol import EpochReport, Place
from qpsearch.study.trials.events import Closed, Paused, Reported

SAID = "training steps are launched kernel by kernel, not as a CUDA graph: as the test says"


def report(epoch: int, note: str) -> EpochReport:
    return EpochReport(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, note=note)


def test_a_study_says_it_once_however_many_trials_do() -> None:
    notes, place = Notes(Tally()), Place(host="here", device="cuda 0", threads=1, memory_format="channels_last")
    said = [
        text
        for number in range(3)
        for epoch, note in ((1, SAID), (2, ""))
        for text in notes.of(Reported(number=number, replicate=0, value=0.5, report=report(epoch, note), place=place))
    ]
    assert said == [SAID]


def test_initials_are_told_by_the_first_line_that_has_them() -> None:
    """Of trials that end as of those that pause, and of each kind of block once."""
    tally = Tally()

    def running(*stages: str) -> Running:
        return Running(1, stages, 9, 3, 0.0, value=0.5)

    first = paused_line(Paused(number=0, epoch=3), running("additive", "additive", "product_unit"), tally)
    assert first.splitlines()[1:] == ["    blocks, by stage: A additive, PU product_unit"]
    closed = Closed(number=1, state="PRUNED", value=0.5, reason=None, detail=None, seconds=1.0)
    second = closed_line(closed, running("additive", "quotient", "product_unit"), tally)
    assert second.splitlines()[1:] == ["    blocks, by stage: Q quotient"]
    assert len(closed_line(closed, running("quotient", "quotient", "product_unit"), tally).splitlines()) == 1
    third = closed_line(closed, running("additive", "power_unit", "power_unit", "additive"), tally)
    assert third.splitlines()[1:] == ["    blocks, by stage: PU power_unit"]  # another kind of the same initials
    again = closed_line(closed, running("quotient", "quotient", "product_unit"), tally)
    assert again.splitlines()[1:] == ["    blocks, by stage: PU product_unit"]


@pytest.mark.parametrize("is_quiet", [False, True])
def test_a_network_by_itself_says_it_below_the_epoch(is_quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingDisplay("quotient20", 2, is_live=False, is_quiet=is_quiet) as display:
        display.reported(report(1, SAID))
        display.reported(report(2, ""))
    lines = capsys.readouterr().out.splitlines()
    assert [line == SAID for line in lines] == ([] if is_quiet else [False, True, False])
