"""The arithmetic against float64 NumPy, and its limits."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from qpsearch.models import product_unit
from qpsearch.models.layers import ProductUnit2d
from qpsearch.models.ops import bounded_linear, bounded_quotient, product_unit2d
from qpsearch.models.product_unit import THRESHOLD_EPS, positive_floor
from qpsearch.vocabulary import LogPadding, Numbers, Positivity


def product_by_hand(
    x: np.ndarray,
    w: np.ndarray,
    theta: np.ndarray,
    clip: float | None = None,
    bias: np.ndarray | None = None,
    stride: int = 1,
    positivity: Positivity = Positivity.MAX,
    padding: LogPadding = LogPadding.AFTER_LOG,
    numbers: Numbers = Numbers.REAL,
) -> np.ndarray:
    """The product unit from its scalar formula: a product of powers over a window, one output at a time."""
    n, channels, height, width = x.shape
    out, narrow, kernel, _ = w.shape
    margin = kernel // 2
    floor = np.broadcast_to(np.log1p(np.exp(theta)) + THRESHOLD_EPS, (channels, 1, 1))

    def positive(values: np.ndarray) -> np.ndarray:
        values = np.abs(values) if numbers is Numbers.COMPLEX else values
        smooth = np.log(np.exp(values) + np.exp(floor))
        return smooth if positivity is Positivity.SMOOTH else np.maximum(values, floor)

    shape = (n, channels, height + 2 * margin, width + 2 * margin)
    inside = np.s_[:, :, margin : margin + height, margin : margin + width]
    image = np.zeros(shape)
    image[inside] = x
    bases = positive(image)
    if padding is LogPadding.AFTER_LOG:
        bases = np.ones(shape)  # 1 changes no product
        bases[inside] = positive(x)
    y = np.empty((n, out, (height - 1) // stride + 1, (width - 1) // stride + 1))
    for each, channel, row, column in np.ndindex(y.shape):
        first = channel // (out // (channels // narrow)) if narrow < channels else 0
        window = np.s_[
            each,
            first : first + narrow,
            row * stride : row * stride + kernel,
            column * stride : column * stride + kernel,
        ]
        product = np.prod(bases[window] ** w[channel]) * (1 if bias is None else np.exp(bias[channel]))
        if clip is not None:
            product = np.clip(product, np.exp(-clip), np.exp(clip))
        if numbers is Numbers.COMPLEX:
            product *= np.real(np.prod(np.exp(1j * np.pi * w[channel] * (image[window] < 0))))
        y[each, channel, row, column] = product
    return y


def drawn(channels: int = 3, narrow: int = 3, kernel: int = 3, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, channels, 5, 4, generator=generator, dtype=torch.float64) * scale
    return x, torch.randn(2 * channels, narrow, kernel, kernel, generator=generator, dtype=torch.float64) / 4


SCALAR, CHANNELS = torch.tensor(0.3).double(), torch.tensor([-2.0, 0.0, 1.0]).double().view(3, 1, 1)
BIAS = torch.linspace(-1, 1, 6).double()
VARIANTS: list[dict[str, Any]] = [  # one rule at a time, then several at once
    {},
    {"clip": 8.0},
    {"clip": 0.3},
    {"clip": 0.011},
    {"theta": CHANNELS},
    {"theta": SCALAR - 3},
    {"bias": BIAS},
    {"stride": 2},
    {"positivity": Positivity.SMOOTH},
    {"padding": LogPadding.BEFORE_LOG},
    {"numbers": Numbers.COMPLEX},
    {"narrow": 1},
    {"kernel": 1},
    {"theta": CHANNELS, "positivity": Positivity.SMOOTH, "bias": BIAS, "clip": 0.5, "stride": 2, "narrow": 1},
    {"theta": CHANNELS, "padding": LogPadding.BEFORE_LOG, "numbers": Numbers.COMPLEX, "stride": 2, "bias": BIAS},
    {"positivity": Positivity.SMOOTH, "padding": LogPadding.BEFORE_LOG, "numbers": Numbers.COMPLEX, "clip": 1.0},
]
BY_NAME = pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(variant) or "papers")


def split(variant: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor, dict[str, Any]]:
    """Input, exponents and threshold for a variant, and what else product_unit2d takes."""
    rest = dict(variant)
    x, w = drawn(narrow=rest.pop("narrow", 3), kernel=rest.pop("kernel", 3))
    return x, w, rest.pop("theta", SCALAR), rest


@BY_NAME
def test_the_product_unit_is_a_product_of_powers(variant: dict[str, Any]) -> None:
    x, w, theta, rest = split(variant)
    plain = {name: value.numpy() if isinstance(value, Tensor) else value for name, value in rest.items()}
    expected = product_by_hand(x.numpy(), w.numpy(), theta.numpy(), **plain)
    np.testing.assert_allclose(product_unit2d(x, w, theta, **rest).numpy(), expected, rtol=1e-10)
    single = {name: value.float() if isinstance(value, Tensor) else value for name, value in rest.items()}
    found = product_unit2d(x.float(), w.float(), theta.float(), **single)
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-5, atol=1e-6)


@BY_NAME
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_fused_form_is_the_plain_one(variant: dict[str, Any], memory_format: torch.memory_format) -> None:
    """Values and all gradients, with some inputs below the floor and, where there is a clip, some sums beyond it."""
    x, w, theta, rest = split(variant)
    x = x.contiguous(memory_format=memory_format)
    bias = rest.pop("bias", None)
    learned = [each.clone().requires_grad_() for each in (x, w, theta, bias) if each is not None]
    found = []
    for fused in (True, False):
        y = product_unit2d(*learned[:3], bias=learned[3] if bias is not None else None, **rest, fused=fused)
        found.append((y, *torch.autograd.grad((y * torch.arange(y.numel()).view_as(y)).sum(), learned)))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@BY_NAME
@pytest.mark.parametrize("shift", [2.0, -6.0], ids=["above the floor", "below"])
def test_the_product_unit_has_the_gradients_of_its_formula_twice(variant: dict[str, Any], shift: float) -> None:
    """Away from the kink at the floor, where a maximum has no gradient to check."""
    _, w, theta, rest = split(variant)
    x = (torch.rand(1, 3, 3, 3, dtype=torch.float64) + shift).requires_grad_()
    bias = rest.pop("bias", torch.zeros(6)).double()
    learned = (x, w.clone().requires_grad_(), theta.clone().requires_grad_(), bias.clone().requires_grad_())

    def unit(x: Tensor, w: Tensor, theta: Tensor, bias: Tensor) -> Tensor:
        return product_unit2d(x, w, theta, bias=bias, **rest)

    assert torch.autograd.gradcheck(unit, learned)
    assert torch.autograd.gradgradcheck(unit, learned)


@pytest.mark.parametrize(
    ("above", "to_x"),
    [(0, (0.0, 0.5)), (1, (0.0, 1.0)), (100, (1.0, 1.0)), (-1, (0.0, 0.0))],
    ids=["a tie", "above by rounding", "above", "below"],
)
def test_at_the_floor_the_two_forms_share_the_gradient_as_they_say(above: int, to_x: tuple[float, float]) -> None:
    """One step gives the whole gradient to theta where x is the floor; ``torch.maximum`` gives half of it to x."""
    theta = torch.zeros((), requires_grad=True)
    tau = positive_floor(theta).detach()
    x = (tau * (1 + above * torch.finfo(tau.dtype).eps)).view(1, 1, 1, 1).requires_grad_()
    w = torch.full((1, 1, 1, 1), 0.3)
    whole = 0.3 * tau**-0.7  # of y = x_hat ** 0.3
    outputs = []
    for fused, share in zip((True, False), to_x, strict=True):
        y = product_unit2d(x, w, theta, fused=fused)
        outputs.append(y.item())
        at_x, at_theta = torch.autograd.grad(y.sum(), (x, theta))
        assert at_x.item() == pytest.approx(share * whole.item(), rel=1e-4)
        assert at_theta.item() == pytest.approx((1 - share) * whole.item() / 2, rel=1e-4)  # sigmoid(0) is 1/2
    assert outputs[0] == outputs[1]


def test_at_the_clip_one_step_has_no_gradient_and_the_composition_has_one_below_it() -> None:
    x = torch.full((1, 1, 1, 1), math.e)
    bound = torch.nextafter(x.log(), torch.tensor(9.0)).item()  # the sum is below it by rounding alone
    w = torch.ones(1, 1, 1, 1, requires_grad=True)
    found = [
        torch.autograd.grad(product_unit2d(x, w, torch.zeros(()), bound, fused=fused).sum(), w)[0].item()
        for fused in (True, False)
    ]
    assert found == [0.0, pytest.approx(math.e)]


def parts(width: int = 3, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    x = torch.randn(2, width, 5, 4, dtype=dtype, requires_grad=True)
    w = (torch.randn(4, width, 3, 3, dtype=dtype) / 4).requires_grad_()
    return x, w, torch.tensor(0.3, dtype=dtype, requires_grad=True)


def test_the_fused_form_keeps_little_of_what_the_plain_one_keeps() -> None:
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


def test_the_fused_form_under_vmap_and_functional_call() -> None:
    x, w, theta = parts()
    several = torch.stack([w, w / 2]).detach()
    ours = torch.vmap(lambda exponents: product_unit2d(x.detach(), exponents, theta.detach(), 8.0))(several)
    for index in range(2):
        torch.testing.assert_close(ours[index], product_unit2d(x, several[index], theta, 8.0, fused=False).detach())
    slopes = torch.func.vmap(torch.func.grad(lambda e: product_unit2d(x.detach(), e, theta.detach()).sum()))(several)
    expected = torch.autograd.grad(product_unit2d(x, w, theta, fused=False).sum(), w)[0]
    torch.testing.assert_close(slopes[0], expected)


@BY_NAME
def test_backward_through_vmap_gives_the_gradients_of_a_loop(variant: dict[str, Any]) -> None:
    """As ensembles train: each network has its own images and parameters, and one loss goes back through all of them."""
    x, w, theta, rest = split(variant)
    bias = rest.pop("bias", None)
    given = [torch.stack([each, each * 0.7]) for each in (x, w, theta, bias) if each is not None]

    def unit(*own: Tensor) -> Tensor:
        return product_unit2d(*own[:3], bias=own[3] if bias is not None else None, **rest)

    found = []
    for at_once in (True, False):
        learned = [each.clone().requires_grad_() for each in given]
        y = torch.func.vmap(unit)(*learned) if at_once else torch.stack(list(map(unit, *learned)))
        y.square().mean().backward()
        found.append([y.detach(), *(each.grad for each in learned)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_the_fused_form_takes_a_batch_of_gradients() -> None:
    """As Jacobians by rows ask for it: the tensors that backward uses again may stand for several."""
    x, w, theta = parts()
    found = []
    for fused in (True, False):
        y = product_unit2d(x, w, theta, 8.0, fused=fused)
        several = torch.stack([torch.ones_like(y), torch.arange(y.numel()).view_as(y) / 10.0])
        found.append(torch.autograd.grad(y, (x, w, theta), several, is_grads_batched=True))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("positivity", Positivity)
@pytest.mark.parametrize("numbers", Numbers)
@pytest.mark.parametrize("theta", [-80.0, 0.0, 10.0])
@pytest.mark.parametrize("fused", [True, False])
def test_a_clipped_product_unit_and_its_gradients_are_finite(
    positivity: Positivity, numbers: Numbers, theta: float, fused: bool
) -> None:
    for power in range(-30, 31, 5):
        x, w = drawn(scale=10.0**power)
        single = (x.float().requires_grad_(), w.float().requires_grad_(), torch.tensor(theta, requires_grad=True))
        y = product_unit2d(*single, clip=8.0, positivity=positivity, numbers=numbers, fused=fused)
        assert y.abs().max() <= torch.tensor(8.0).exp() * 1.001
        if numbers is Numbers.REAL:
            assert y.min() >= torch.tensor(-8.0).exp() * 0.999
        for gradient in torch.autograd.grad(y.sum(), single):
            assert gradient.isfinite().all()


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_the_fused_form_compiles_to_the_same_numbers(backend: str) -> None:
    """The whole graph at once, forward and backward; Inductor rounds one threshold's logarithm in two ways in a step."""
    generator = torch.Generator().manual_seed(0)
    x, w = torch.randn(2, 3, 15, 15, generator=generator), torch.randn(4, 3, 3, 3, generator=generator) / 10
    compiled = torch.compile(lambda *sought: product_unit2d(*sought, 8.0), backend=backend, fullgraph=True)
    for theta in torch.rand(40, 3, 1, 1, generator=generator) * 2 - 1:
        sought = tuple(each.clone().requires_grad_() for each in (x, w, theta))
        ours = torch.autograd.grad(compiled(*sought).square().mean(), sought)
        theirs = torch.autograd.grad(product_unit2d(*sought, 8.0).square().mean(), sought)
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("towards", [-math.inf, math.inf])
def test_rounding_between_forward_and_backward_moves_no_gradient(towards: float) -> None:
    """What is at the floor in forward is at the floor in backward, where every number is kept an ulp off."""
    x, w, theta = parts(8, torch.float32)
    sought = (x, w, theta)
    expected = torch.autograd.grad(product_unit2d(*sought, 8.0).sum(), sought)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda kept: kept, lambda kept: torch.nextafter(kept, torch.tensor(towards))
    ):
        found = torch.autograd.grad(product_unit2d(*sought, 8.0).sum(), sought)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize("clip", [0.011, 0.3, 8.0, 16.05, 41.1, 50.1, 70.1, 80.0])
def test_nothing_leaks_through_a_clip(clip: float) -> None:
    """Also where float32 rounds the clip, and exp of it by more."""
    x, theta = torch.full((1, 1, 1, 1), 2.0), torch.zeros(())
    for sign in (1, -1):
        w = torch.full((1, 1, 1, 1), sign * 3 * clip / math.log(2), requires_grad=True)
        (slope,) = torch.autograd.grad(product_unit2d(x, w, theta, clip).sum(), w)
        assert slope.item() == 0
        inside = torch.full((1, 1, 1, 1), sign * 0.9 * clip / math.log(2), requires_grad=True)
        (slope,) = torch.autograd.grad(product_unit2d(x, inside, theta, clip).sum(), inside)
        assert slope.item() == pytest.approx(math.log(2) * math.exp(sign * 0.9 * clip), rel=1e-3)


def test_a_layer_can_be_called_with_other_weights() -> None:
    unit, x = ProductUnit2d(3, 4), torch.randn(2, 3, 5, 5)
    other = {name: value.detach() / 2 for name, value in unit.named_parameters()}
    found = torch.func.functional_call(unit, other, (x,))
    torch.testing.assert_close(found, product_unit2d(x, other["weight"], other["theta"]))
    per_image = torch.func.vmap(torch.func.grad(lambda w, one: unit_sum(unit, w, one)), in_dims=(None, 0))(other, x)
    expected = torch.func.grad(lambda w: unit_sum(unit, w, x[1]))(other)
    torch.testing.assert_close(per_image["weight"][1], expected["weight"])


def unit_sum(unit: ProductUnit2d, weights: dict[str, Tensor], image: Tensor) -> Tensor:
    return torch.func.functional_call(unit, weights, (image[None],)).sum()


def test_channels_last_stays_channels_last() -> None:
    x, w, theta = parts(8)
    y = product_unit2d(x.detach().contiguous(memory_format=torch.channels_last), w, theta)
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_product_unit_computes_in_float32_under_autocast(dtype: torch.dtype) -> None:
    """P19: sums up to 15 were seen, and exp(15) overflows float16."""
    x, w = torch.full((1, 1, 3, 3), 2.0, dtype=dtype), torch.full((1, 1, 3, 3), 2.4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = product_unit2d(x, w, torch.zeros(()))
    assert y.dtype is torch.float32
    assert y.isfinite().all()
    assert y[0, 0, 1, 1] > 65504


RANGES = [(1.5, 0.0), (1.7, 0.0), (2.0, 0.0), (4.0, 0.0), (2.0, -1.0), (3.0, -0.5), (1.5, 0.25)]


@pytest.mark.parametrize(("alpha", "floor"), RANGES)
@pytest.mark.parametrize("through_one", [True, False])
def test_the_sigmoid_quotient_is_its_formula(alpha: float, floor: float, through_one: bool) -> None:
    z = torch.linspace(-30, 30, 241, dtype=torch.float64)
    q = bounded_quotient(z, alpha, floor, through_one=through_one)
    odds = (alpha - 1) / (1 - floor) if through_one else 1.0
    expected = floor + (alpha - floor) / (1 + odds * np.exp(-z.numpy()))  # the same function, without log or sigmoid
    np.testing.assert_allclose(q.numpy(), expected, rtol=1e-11, atol=1e-13)
    assert floor < q.min() < q.max() < alpha
    zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    at_zero = bounded_quotient(zero, alpha, floor, through_one=through_one)
    at_zero.backward()
    assert zero.grad is not None
    if through_one:
        assert at_zero.item() == pytest.approx(1, abs=1e-15)
        assert zero.grad.item() == pytest.approx((alpha - 1) * (1 - floor) / (alpha - floor), rel=1e-12)
    else:
        assert at_zero.item() == pytest.approx((alpha + floor) / 2)


@pytest.mark.parametrize(("alpha", "floor"), [*RANGES, (math.inf, 0.0), (8.0, 0.0)])
@pytest.mark.parametrize("through_one", [True, False])
def test_the_linear_quotient_is_its_formula(alpha: float, floor: float, through_one: bool) -> None:
    z = torch.linspace(-10, 10, 81, dtype=torch.float64)
    line = z.numpy() + 1 if through_one else z.numpy()
    found = bounded_linear(z, alpha, floor, through_one=through_one)
    np.testing.assert_array_equal(found, np.minimum(np.maximum(floor, line), alpha))
    assert not through_one or bounded_linear(torch.zeros(1), alpha, floor).item() == 1


@pytest.mark.parametrize("function", [bounded_quotient, bounded_linear])
@pytest.mark.parametrize("through_one", [True, False])
def test_a_quotient_has_the_gradients_of_its_formula(function: Callable[..., Tensor], through_one: bool) -> None:
    """In z, and in an upper bound that is learned: one number, or one a channel."""
    z = torch.tensor([[-3.0, -0.6, 0.2, 0.45, 3.0]] * 2, dtype=torch.float64).T.reshape(1, 5, 2, 1).requires_grad_()
    for shape in ((), (5, 1, 1)):
        alpha = torch.full(shape, 1.8, dtype=torch.float64, requires_grad=True)
        for floor in (0.0, -0.5):
            assert torch.autograd.gradcheck(
                lambda a, b, f=floor: function(a, b, f, through_one=through_one), (z, alpha)
            )
        same = function(z, 1.8, -0.5, through_one=through_one)
        torch.testing.assert_close(function(z, alpha, -0.5, through_one=through_one), same)


@pytest.mark.parametrize("function", [bounded_quotient, bounded_linear])
@pytest.mark.parametrize(
    ("alpha", "floor"), [(1.0, 0.0), (0.5, 0.0), (-2.0, 0.0), (math.nan, 0.0), (2.0, 1.0), (2.0, 3.0)]
)
def test_a_range_without_one_is_refused(function: Callable[..., Tensor], alpha: float, floor: float) -> None:
    with pytest.raises(ValueError, match="expected floor < 1 < alpha"):
        function(torch.zeros(1), alpha, floor)


def test_the_floor_is_positive_for_every_threshold() -> None:
    floors: Tensor = positive_floor(torch.tensor([-200.0, -5.0, 0.0, 5.0]))
    assert (floors >= THRESHOLD_EPS * 0.999).all()
    assert floors[2].item() == pytest.approx(np.log(2), rel=1e-6)


@pytest.mark.parametrize("numbers", list(Numbers))
@pytest.mark.parametrize("fused", [True, False])
def test_a_gpus_convolutions_do_not_round_to_tf32(
    fused: bool, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule P19. In forward and, where backward is ours, there too; afterwards the user's setting holds again."""
    x, w, theta = parts()
    place, name, exact = product_unit._choice_of_tf32()
    given, seen = getattr(place, name), list[object]()

    def watch(owner: object, function: str) -> None:
        original = getattr(owner, function)

        def watched(*args: object) -> object:
            seen.append(getattr(place, name))
            return original(*args)

        monkeypatch.setattr(owner, function, watched)

    watch(F, "conv2d")
    watch(torch.ops.aten, "convolution_backward")
    monkeypatch.setattr(product_unit, "_may_round", lambda tensor: True)
    assert given != exact
    product_unit2d(x, w, theta, 8.0, numbers=numbers, fused=fused).sum().backward()
    convolutions = 1 if numbers is Numbers.REAL else 2
    assert seen == [exact] * (2 if fused else 1) * convolutions
    with pytest.raises(RuntimeError), product_unit.true_float32(x):
        raise RuntimeError
    assert getattr(place, name) == given


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="torch has the one, older name alone")
@pytest.mark.parametrize("given", ["ieee", "tf32", "none"])
def test_a_program_may_choose_tf32_by_its_newer_name(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After which torch does not answer by the older one."""
    conv: Any = torch.backends.cudnn.conv
    before = conv.fp32_precision
    monkeypatch.setattr(product_unit, "_may_round", lambda tensor: True)
    try:
        conv.fp32_precision = given
        with product_unit.true_float32(torch.zeros(1)):
            assert conv.fp32_precision == "ieee"
        assert conv.fp32_precision == given
    finally:
        conv.fp32_precision = before
