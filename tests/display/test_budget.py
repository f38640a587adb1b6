"""A budget that is spent, and the command that goes on with a larger one."""

import pytest

from qpsearch.display.budget import resume_command, spent_text
from qpsearch.space.schema.value_types import Duration
from qpsearch.space.search import Budget, SpentBound


@pytest.mark.parametrize(
    ("name", "limit", "spent", "words", "option"),
    [
        ("epochs", 90, 90, "90 epochs", "--epochs 180"),
        ("epochs", 1, 1.5, "1 epoch", "--epochs 2"),
        ("epochs", 2, 7.3, "2 epochs", "--epochs 15"),  # the command must work as it is printed
        ("trials", 9, 10, "9 trials", "--trials 18"),
        ("seconds", 25.0, 25.2, "25 s of wall time", "--time 50s"),
        ("seconds", 1.0, 100.5, "1 s of wall time", "--time 4m"),
        ("seconds", 43_200.0, 43_201.0, "12.0 h of wall time", "--time 24h"),
        ("gpu_seconds", 3600.0, 3600.0, "1 GPU hour", "--gpu-hours 2"),
        ("gpu_seconds", 1800.0, 1800.0, "0.5 GPU hours", "--gpu-hours 1"),
    ],
)
def test_a_spent_bound_is_named_with_its_option(name: str, limit: float, spent: float, words: str, option: str) -> None:
    bound = SpentBound(name=name, limit=limit, spent=spent)
    assert spent_text(bound) == f"the budget of {words} is spent"
    assert resume_command("a", bound) == f"qpsearch resume a {option}"
    if name == "seconds":
        assert float(str(Duration().parse(option.split()[1], "time"))) > spent


def test_a_budget_says_which_of_its_bounds_is_reached() -> None:
    budget = Budget(trials=4, epochs=10, seconds=None)
    assert budget.reached(epochs=9.9, seconds=1e9, gpu_seconds=1e9) is None
    assert budget.reached(epochs=10.5, trials=5) == SpentBound(name="epochs", limit=10, spent=10.5)
    assert budget.reached(trials=4) == SpentBound(name="trials", limit=4, spent=4)
    assert resume_command("a", None) == "qpsearch resume a"
    assert resume_command("a", None, "search.stop.target: ...") == "qpsearch resume a --ignore-stop"
