"""How long a study takes, told from its first epochs: on a clock that the test moves; and which trial is the best."""

from dataclasses import replace

import pytest

from qpsearch.architecture.candidates import sample
from qpsearch.architecture.levels import at_level
from qpsearch.display.pace import Pace
from qpsearch.display.progress import Notes
from qpsearch.display.tally import Tally
from qpsearch.protocol import EpochReport, Place
from qpsearch.space import edited, parse_space
from qpsearch.space.search import Budget
from qpsearch.study.trials.events import BudgetChanged, Closed, Dispatching, Elsewhere, Reported, Started, StudyOpened
from tests.scripted import Behaviour, space_text


def run_trials(pace: Pace, trials: int, epoch_s: float, epochs: int, start_s: float = 0.0, gap_s: float = 0.0) -> float:
    """Run trials one after another, the first ``start_s`` late and each ``gap_s`` before its first epoch."""
    now = 0.0
    for number in range(trials):
        pace.started(number, epochs, 0, now)
        now += gap_s + (start_s if number == 0 else 0)
        for _ in range(epochs):
            now += epoch_s
            pace.reported(number, epoch_s, now)
        pace.ended(number, counts=True)
    return now


def test_a_complete_trial_without_a_finite_value_is_not_called_incomplete() -> None:
    tally = Tally()
    assert tally.best_text() == "no complete trial yet"
    tally.see(Closed(number=0, state="COMPLETE", value=float("inf"), reason=None, detail=None, seconds=1.0))
    assert tally.best_text() == "no complete trial has a finite value"


def test_nothing_is_known_before_an_epoch() -> None:
    pace = Pace(epochs=10)
    assert pace.left_s(5) is None
    pace.started(0, 10, 0, 0.0)
    assert pace.left_s(5) is None


def test_the_first_epoch_tells_what_is_left_without_the_start_of_workers() -> None:
    pace = Pace(epochs=10)
    pace.started(0, 10, 0, 0.0)
    pace.reported(0, 2.0, 30.0)  # Ray and torch took 28 s
    assert pace.left_s(5) == pytest.approx(2.0 * (9 + 4 * 10))


def test_slots_share_the_work_but_no_trial_is_cut_in_two() -> None:
    pace = Pace(epochs=10, slots=4)
    for number in range(4):
        pace.started(number, 10, 0, 0.0)
        pace.reported(number, 1.0, 1.0)
    assert pace.left_s(8) == pytest.approx((4 * 9 + 4 * 10) / 4)
    for number in range(3):
        pace.ended(number, counts=False)
    assert pace.left_s(1) == pytest.approx(9)


def test_what_each_trial_takes_to_begin_counts_once_it_is_known() -> None:
    pace = Pace(epochs=5)
    run_trials(pace, 4, epoch_s=1.0, epochs=5, start_s=20.0, gap_s=0.5)
    assert pace.left_s(10) == pytest.approx(10 * (5 * 1.0 + 0.5))


def test_pruning_is_expected_as_simulated_until_trials_tell_better() -> None:
    pace = Pace(epochs=10, kept=0.4)
    assert pace.share == pytest.approx(0.4)
    run_trials(pace, 95, epoch_s=1.0, epochs=10)  # none was pruned
    assert pace.share == pytest.approx((5 * 0.4 + 95) / 100)
    assert pace.left_s(10, share=1.0) == pytest.approx(100)


def test_a_failure_says_nothing_about_pruning() -> None:
    pace = Pace(epochs=10)
    pace.started(0, 10, 0, 0.0)
    pace.reported(0, 1.0, 1.0)
    pace.ended(0, counts=False)
    assert pace.share == 1.0


@pytest.mark.parametrize(
    ("left", "seconds"),
    [
        (Budget(trials=10), (9 * 4 + 3) * 2.0),
        (Budget(trials=10, seconds=30.0), 30.0 - 2.0),
        (Budget(trials=10, epochs=11), (11 - 1) * 2.0),
        (Budget(trials=10, gpu_seconds=20.0), 20.0 / 0.5 - 2.0),
    ],
)
def test_the_estimate_stays_within_what_is_left_of_the_budget(
    left: Budget, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    space = parse_space(space_text(Behaviour.IMPROVES, trials=50, epochs=4), "s.yaml")
    config = sample(space, 1)[0].config
    report = EpochReport(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, seconds=2.0, checkpoint="")
    place = Place(host="a", device="cpu", threads=1, memory_format="contiguous")
    tally = Tally()
    tally.see(StudyOpened(space=space, ended=dict.fromkeys(range(40), "COMPLETE"), best=None, left=left))
    tally.see(Dispatching(how="inline", slots=1, gpus=0.5))
    tally.see(Started(number=40, attempt=1, blocks=("additive",), config=config, epochs=4, resumed_at=0))
    assert tally.left_s() is None
    now += 2.0
    tally.see(Reported(number=40, replicate=0, value=0.5, report=report, place=place))
    assert tally.left_s() == pytest.approx(seconds)


def test_validation_takes_as_long_at_each_share_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    text = edited(space_text(Behaviour.IMPROVES, trials=2, epochs=4), {"search.fidelity": {"images": [0.1, 1]}})
    space = parse_space(text, "s.yaml")
    tally = Tally()
    notes = Notes(tally)
    config, place = sample(space, 1)[0].config, Place(host="a", device="cpu", threads=1, memory_format="contiguous")
    assert space.search.fidelity is not None
    images = at_level(config, space.search.fidelity, 0).data.trained_on
    told: list[str] = []
    for event in (
        StudyOpened(space=space, ended={}, best=None, left=Budget(trials=2)),
        Dispatching(how="inline", slots=1, gpus=0),
        Started(number=0, attempt=1, blocks=("additive",), config=config, epochs=8, resumed_at=0),
    ):
        tally.see(event)
    tally.pace.kept = 1.0
    for epoch in (1, 2):
        now += 14.0  # 2 s of training, 12 s of validation
        report = EpochReport(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, seconds=14.0)
        report = replace(report, images_per_s=images / 2)
        reported = Reported(number=0, replicate=0, value=0.5, report=report, place=place)
        tally.see(reported)
        told += notes.of(reported)
    left = (2 * 14 + 4 * 32) + (4 * 14 + 4 * 32)
    assert tally.left_s() == pytest.approx(left, rel=0.01)  # of rounded numbers of images
    assert told == [
        f"time: about {left / 60:.0f} min left\n      (the first 2 epochs took 14.0 s each, a whole one about 32.0 s; "
        "trials at once: 1)"
    ]


PLACE = Place(host="a", device="cpu", threads=1, memory_format="contiguous")


class Watched:
    """A study of one-slot trials of four epochs, on a clock that ``train`` moves by a second an epoch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, trials: int, ended: dict[int, str] | None = None) -> None:
        self.now, self.tally = 100.0, Tally()
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        self.space = parse_space(space_text(Behaviour.IMPROVES, trials=trials, epochs=4), "s.yaml")
        self.config = sample(self.space, 1)[0].config
        self.open(ended)

    def open(self, ended: dict[int, str] | None = None) -> None:
        left = self.space.search.budget
        self.tally.see(StudyOpened(space=self.space, ended=ended or {}, best=None, left=left))
        self.tally.see(Dispatching(how="inline", slots=1, gpus=0.0))

    def start(self, number: int, epochs: int = 4, done: int = 0) -> None:
        blocks = ("additive",)
        self.tally.see(
            Started(number=number, attempt=1, blocks=blocks, config=self.config, epochs=epochs, resumed_at=done)
        )

    def train(self, number: int, *epochs: int, is_new: bool = True) -> None:
        for epoch in epochs:
            self.now += 1.0
            report = EpochReport(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, seconds=1.0)
            event = Reported(number=number, replicate=0, value=0.5, report=report, place=PLACE, is_new=is_new)
            self.tally.see(event)

    def close(self, number: int, state: str = "COMPLETE") -> None:
        self.tally.see(Closed(number=number, state=state, value=0.5, reason=None, detail=None, seconds=1.0))


def test_the_next_study_of_a_comparison_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, trials=2)
    watched.start(0)
    watched.train(0, 1, 2, 3, 4)
    watched.close(0)
    watched.start(1)
    watched.open()
    tally = watched.tally
    assert (tally.closed, tally.ended, tally.own, tally.running, tally.began) == (0, {}, {}, {}, None)
    assert tally.best_text() == "no complete trial yet"
    assert tally.left_s() is None


def test_epochs_that_are_trained_again_bring_a_trial_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, trials=2)
    watched.start(0, done=3)
    watched.train(0, 1, 2, 3, is_new=False)
    watched.train(0, 4)
    assert (watched.tally.running[0].done, watched.tally.pace.recorded) == (4, 1)
    watched.close(0)
    assert watched.tally.left_s(share=1.0) == pytest.approx(4)


def test_the_budget_is_the_one_that_holds_now(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, trials=2)
    watched.start(0)
    watched.train(0, 1, 2, 3, 4)
    watched.close(0)
    assert watched.tally.left_s(share=1.0) == pytest.approx(4)
    watched.tally.see(BudgetChanged(budget=Budget(trials=5), left=Budget(trials=5)))
    assert (watched.tally.asked, watched.tally.left_s(share=1.0)) == (5, pytest.approx(16))
    watched.tally.see(BudgetChanged(budget=Budget(trials=5, epochs=10), left=Budget(trials=5, epochs=6)))
    assert watched.tally.left_s(share=1.0) == pytest.approx(6)


def test_a_trial_that_ends_again_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another driver has tried a failed one again."""
    watched = Watched(monkeypatch, trials=8, ended={3: "FAIL", 4: "COMPLETE"})
    assert (watched.tally.closed, watched.tally.own) == (2, {})
    watched.tally.see(Elsewhere(number=3, state="COMPLETE", value=0.5))
    assert (watched.tally.closed, watched.tally.ended[3]) == (2, "COMPLETE")


def test_what_other_drivers_will_train_is_not_this_drivers_time(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, trials=20)
    for number in range(0, 10, 2):
        watched.start(number)
        watched.train(number, 1, 2, 3, 4)
        watched.close(number)
        watched.tally.see(Elsewhere(number=number + 1, state="COMPLETE", value=0.5))
    assert watched.tally.left_s(share=1.0) == pytest.approx(5 * 4)


def test_seeds_that_a_race_adds_count_as_much_as_the_first() -> None:
    pace, now = Pace(epochs=4), 0.0
    for seeds in (1, 2, 3):
        pace.started(0, 4 * seeds, 4 * (seeds - 1), now)
        for _ in range(4):
            now += 1.0
            pace.reported(0, 1.0, now)
        pace.ended(0, counts=True)
    assert pace.share == pytest.approx((5 + 3) / 6)


def test_of_equally_good_trials_the_first_is_the_best_whichever_ends_first() -> None:
    """As ``qpsearch best`` says it afterwards."""
    tally = Tally()
    for number, value in ((5, 0.9), (7, 0.9), (3, 0.9), (4, 0.8)):
        tally.see(Elsewhere(number=number, state="COMPLETE", value=value))
    assert tally.best == (0.9, 3)
