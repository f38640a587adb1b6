"""The arithmetic against float64 NumPy, and its limits."""

import numpy as np
import pytest
import torch
from torch import Tensor

from qpsearch.models.ops import bounded_linear, bounded_quotient, product_unit2d
from qpsearch.models.product_unit import THRESHOLD_EPS, positive_floor


def product_by_hand(x: np.ndarray, w: np.ndarray, theta: float, clip: float | None) -> np.ndarray:
    """The product unit from its scalar formula: a product of powers over a window, one output at a time."""
    n, channels, height, width = x.shape
    out, _, kernel, _ = w.shape
    margin = kernel // 2
    floor = np.log1p(np.exp(theta)) + THRESHOLD_EPS
    padded = np.ones((n, channels, height + 2 * margin, width + 2 * margin))  # 1 changes no product
    padded[:, :, margin : margin + height, margin : margin + width] = np.maximum(x, floor)
    y = np.empty((n, out, height, width))
    for image, channel, row, column in np.ndindex(y.shape):
        window = padded[image, :, row : row + kernel, column : column + kernel]
        if clip is None:
            y[image, channel, row, column] = np.prod(window ** w[channel])
        else:
            y[image, channel, row, column] = np.exp(np.clip((w[channel] * np.log(window)).sum(), -clip, clip))
    return y


@pytest.mark.parametrize("clip", [None, 8.0, 0.1])
@pytest.mark.parametrize("theta", [0.0, -3.0, 2.0])
def test_the_product_unit_is_a_product_of_powers(theta: float, clip: float | None) -> None:
    generator = np.random.default_rng(0)
    x, w = generator.normal(size=(2, 3, 4, 5)), generator.normal(size=(2, 3, 3, 3)) / 4
    expected = product_by_hand(x, w, theta, clip)
    double = product_unit2d(*map(torch.from_numpy, (x, w)), torch.tensor(theta, dtype=torch.float64), clip)
    np.testing.assert_allclose(double.numpy(), expected, rtol=1e-10)
    single = product_unit2d(torch.from_numpy(x).float(), torch.from_numpy(w).float(), torch.tensor(theta), clip)
    np.testing.assert_allclose(single.numpy(), expected, rtol=2e-5)


def test_the_product_unit_has_the_gradients_of_its_formula() -> None:
    torch.manual_seed(0)
    x = (torch.rand(1, 2, 3, 3, dtype=torch.float64) + 1).requires_grad_()  # above the floor: max is smooth there
    w = (torch.randn(2, 2, 3, 3, dtype=torch.float64) / 4).requires_grad_()
    theta = torch.zeros((), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b, c: product_unit2d(a, b, c, None), (x, w, theta))
    below = torch.full((1, 2, 3, 3), -1.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b, c: product_unit2d(a, b, c, 8.0), (below, w, theta))


def parts(width: int = 3, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    x = torch.randn(2, width, 5, 4, dtype=dtype, requires_grad=True)
    w = (torch.randn(4, width, 3, 3, dtype=dtype) / 4).requires_grad_()
    return x, w, torch.tensor(0.3, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("clip", [None, 8.0, 0.3])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_fused_form_is_the_plain_one(clip: float | None, memory_format: torch.memory_format) -> None:
    """Values and all gradients, with some inputs below the floor and, where there is a clip, some sums beyond it."""
    x, w, theta = parts()
    x = x.detach().contiguous(memory_format=memory_format).requires_grad_()
    found = []
    for fused in (True, False):
        y = product_unit2d(x, w, theta, clip, fused=fused)
        found.append((y, *torch.autograd.grad((y * torch.arange(y.numel()).view_as(y)).sum(), (x, w, theta))))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_the_fused_form_keeps_half_of_what_the_plain_one_keeps() -> None:
    x, w, theta = parts(64, torch.float32)

    def kept(fused: bool) -> int:
        storages: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            product_unit2d(x * 1, w, theta, 8.0, fused=fused)
        return sum(storages.values()) - 4 * w.numel()

    assert kept(True) <= 0.7 * kept(False)


@pytest.mark.parametrize("clip", [None, 8.0])
@pytest.mark.parametrize("shift", [2.0, -6.0], ids=["above the floor", "below"])
def test_the_fused_form_can_be_differentiated_twice(clip: float | None, shift: float) -> None:
    _, w, theta = parts()
    x = (torch.rand(1, 3, 3, 3, dtype=torch.float64) + shift).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b, c: product_unit2d(a, b, c, clip), (x, w, theta))
    assert torch.autograd.gradgradcheck(lambda a, b, c: product_unit2d(a, b, c, clip), (x, w, theta))


def test_the_fused_form_under_vmap_and_functional_call() -> None:
    x, w, theta = parts()
    several = torch.stack([w, w / 2]).detach()
    ours = torch.vmap(lambda exponents: product_unit2d(x.detach(), exponents, theta.detach(), 8.0))(several)
    for index in range(2):
        torch.testing.assert_close(ours[index], product_unit2d(x, several[index], theta, 8.0, fused=False).detach())
    slopes = torch.func.vmap(torch.func.grad(lambda e: product_unit2d(x.detach(), e, theta.detach()).sum()))(several)
    expected = torch.autograd.grad(product_unit2d(x, w, theta, fused=False).sum(), w)[0]
    torch.testing.assert_close(slopes[0], expected)


@pytest.mark.parametrize("bound", [2.0, 4.0, 8.0])
def test_the_clipped_linear_function_is_bounded_and_passes_through_0_1(bound: float) -> None:
    z = torch.linspace(-10, 10, 81, dtype=torch.float64)
    np.testing.assert_array_equal(bounded_linear(z, bound), np.minimum(np.maximum(0, z.numpy() + 1), bound))
    assert bounded_linear(torch.zeros(1), bound).item() == 1
    with pytest.raises(ValueError, match="alpha must exceed 1"):
        bounded_linear(z, 1.0)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_clipped_product_unit_is_finite(scale: float) -> None:
    torch.manual_seed(0)
    x, w = torch.rand(2, 4, 5, 5) * scale, torch.randn(4, 4, 3, 3)
    theta = torch.tensor(-80.0)
    y = product_unit2d(x, w, theta, clip=8.0)
    assert y.isfinite().all()
    assert y.min() >= torch.tensor(-8.0).exp() * 0.999
    assert y.max() <= torch.tensor(8.0).exp() * 1.001


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_product_unit_computes_in_float32_under_autocast(dtype: torch.dtype) -> None:
    """HAZARDS 29, rule P19: sums up to 15 were seen, and exp(15) overflows float16."""
    x, w = torch.full((1, 1, 3, 3), 2.0, dtype=dtype), torch.full((1, 1, 3, 3), 2.4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = product_unit2d(x, w, torch.zeros(()))
    assert y.dtype is torch.float32
    assert y.isfinite().all()
    assert y[0, 0, 1, 1] > 65504


@pytest.mark.parametrize("alpha", [1.5, 1.7, 1.8, 2.0, 4.0])
def test_the_quotient_is_bounded_and_passes_through_0_1(alpha: float) -> None:
    z = torch.linspace(-30, 30, 241, dtype=torch.float64, requires_grad=True)
    q = bounded_quotient(z, alpha)
    expected = alpha / (1 + (alpha - 1) * np.exp(-z.detach().numpy()))  # the same function, without log or sigmoid
    np.testing.assert_allclose(q.detach().numpy(), expected, rtol=1e-12)
    assert 0 < q.min() < q.max() < alpha
    zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    at_zero = bounded_quotient(zero, alpha)
    at_zero.backward()
    assert at_zero.item() == pytest.approx(1, abs=1e-15)
    assert zero.grad is not None
    assert zero.grad.item() == pytest.approx((alpha - 1) / alpha, rel=1e-12)
    assert torch.autograd.gradcheck(lambda value: bounded_quotient(value, alpha), (z[::40].detach().requires_grad_(),))


@pytest.mark.parametrize("alpha", [1.0, 0.5, -2.0, float("nan")])
def test_an_alpha_that_no_sigmoid_can_have_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must exceed 1"):
        bounded_quotient(torch.zeros(1), alpha)


def test_the_floor_is_positive_for_every_threshold() -> None:
    floors: Tensor = positive_floor(torch.tensor([-200.0, -5.0, 0.0, 5.0]))
    assert (floors >= THRESHOLD_EPS * 0.999).all()
    assert floors[2].item() == pytest.approx(np.log(2), rel=1e-6)
