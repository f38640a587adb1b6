"""Levels of fidelity: what follows from an epoch's number."""

import pytest

from qpsearch.registry.fidelity import Fidelity, FidelityKind

TENTHS = Fidelity(kind=FidelityKind.IMAGES, levels=(0.1, 0.3, 1.0), epochs=10)
SIZES = Fidelity(kind=FidelityKind.IMAGE_SIZE, levels=(16, 32), epochs=4)
WIDTHS = Fidelity(kind=FidelityKind.WIDTH, levels=(0.25, 0.5, 1.0), epochs=3)


def test_a_level_is_a_function_of_the_epochs_number() -> None:
    assert [TENTHS.level_of(epoch) for epoch in (1, 10, 11, 20, 21, 30, 31)] == [0, 0, 1, 1, 2, 2, 3]
    assert (TENTHS.rungs, TENTHS.whole, TENTHS.before_last) == ((10, 20), 30, 20)


def test_levels_are_told_by_their_epochs() -> None:
    assert SIZES.spans == "image_size 16 in epochs 1 to 4, 32 in epochs 5 to 8"
    assert Fidelity(kind=SIZES.kind, levels=(16, 32), epochs=1).spans == "image_size 16 in epoch 1, 32 in epoch 2"
    assert [TENTHS.value_of(epoch) for epoch in (10, 11, 30)] == ["images 0.1", "images 0.3", "images 1"]


@pytest.mark.parametrize(
    ("fidelity", "shares", "cost"),
    [(TENTHS, (0.1, 0.3, 1.0), 14), (SIZES, (0.25, 1.0), 5), (WIDTHS, (0.0625, 0.25, 1.0), 3.9375)],
)
def test_an_epoch_costs_its_share_of_a_whole_one(fidelity: Fidelity, shares: tuple[float, ...], cost: float) -> None:
    assert (fidelity.shares, fidelity.cost) == (pytest.approx(shares), cost)
    assert fidelity.cost_up_to(fidelity.whole) == cost


def test_costs_of_many_epochs_are_exact() -> None:
    """Three tenths are 0.3 and not 0.30000000000000004, so that a budget ends where it is met."""
    assert TENTHS.cost_of({1: 3}) == 0.3
    assert TENTHS.cost_of({1: 10, 11: 10, 30: 2}) == 6
    assert [TENTHS.cost_up_to(epochs) for epochs in (0, 7, 11, 21, 30, 33)] == [0, 0.7, 1.3, 5, 14, 17]
    assert [TENTHS.epochs_for(cost) for cost in (0, 0.7, 1.3, 5, 14, 17)] == pytest.approx([0, 7, 11, 21, 30, 33])


def test_further_seeds_train_at_the_last_level_alone() -> None:
    assert [TENTHS.before(replicate) for replicate in range(3)] == [0, 20, 20]
