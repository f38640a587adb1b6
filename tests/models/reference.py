"""Blocks and networks a second time, in float64 NumPy, from their formulas: what ``qpsearch.models`` is compared with.

From the package it uses only the records of a configuration, their words, and the names of a ``state_dict``. It does
not use the package's layers, ``layout`` or torch. Slow and plain on purpose. Sources: arXiv 2506.00992 (rules Q1-Q16)
and 2505.04397 (rules P1-P16); the project's own extensions as docs/reference/rules.md describes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from qpsearch.architecture.config import Network, Stage
from qpsearch.space.schema.rules import ProductUnitRules, QuotientRules
from qpsearch.vocabulary import (
    Activation,
    BlockKind,
    BranchKind,
    LogPadding,
    Mixing,
    NormKind,
    NormPlacement,
    NormsAround,
    Numbers,
    OutputActivation,
    Position,
    Positivity,
    QuotientKind,
    Sharing,
    ShortcutActivation,
    ShortcutKind,
    StemActivation,
    StemPool,
)

Array = NDArray[np.float64]

NORM_EPS = 1e-5
RUNNING_SHARE = 0.1  # of a new batch in the running statistics
THETA_EPS = 1e-7  # rule P7
LEAST_RHO = -15.0  # below it a learned alpha stays where it is (rule Q16)


# Pointwise functions


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), accurate relative to itself for any z."""
    return np.exp(-np.logaddexp(0.0, -z))


def softplus(z: Array) -> Array:
    """ln(1 + exp(z))."""
    return np.logaddexp(0.0, z)


def activate(z: Array, kind: Activation) -> Array:
    """max(0, z); z sigmoid(z); z Phi(z) with the normal distribution's Phi; z."""
    match kind:
        case Activation.RELU:
            return np.maximum(0.0, z)
        case Activation.SILU:
            return z * sigmoid(z)
        case Activation.GELU:
            return z * 0.5 * (1.0 + erf(z / np.sqrt(2.0)))
        case Activation.NONE:
            return z


def quotient(z: Array, rules: QuotientRules, rho: Array | None = None) -> Array:
    """Map a branch to a quotient (rules Q2-Q8): 1 at z = 0, if through one.

    sigmoid: f + (alpha - f) sigmoid(z + a), where 1 at 0 wants a = ln((1 - f) / (alpha - 1)): -ln(alpha - 1) at f = 0.
    linear: min(max(f, z + 1), alpha). unbounded: max(f, z + 1). relu: max(0, z). Not through one, a is 0 and z + 1 is z.
    A learned alpha is 1 + softplus(max(rho, -15)) (rule Q16).
    """
    alpha = np.float64(rules.alpha) if rho is None else 1.0 + softplus(np.maximum(rho, LEAST_RHO))
    line = z + 1.0 if rules.through_one else z
    match rules.activation:
        case QuotientKind.SIGMOID:
            shift = np.log((1.0 - rules.floor) / (alpha - 1.0)) if rules.through_one else 0.0
            return rules.floor + (alpha - rules.floor) * sigmoid(z + shift)
        case QuotientKind.LINEAR:
            return np.minimum(np.maximum(rules.floor, line), alpha)
        case QuotientKind.UNBOUNDED:
            return np.maximum(rules.floor, line)
        case QuotientKind.RELU:
            return np.maximum(0.0, z)


# Sums over windows, (N, C, H, W) -> (N, C', H / s, W / s)


def surround(x: Array, margin: int, value: float) -> Array:
    """Add ``margin`` pixels of one value on each side."""
    return np.pad(x, ((0, 0), (0, 0), (margin, margin), (margin, margin)), constant_values=value)


def windows(x: Array, kernel: int, stride: int) -> list[list[Array]]:
    """Return at [i][j] the pixel in row i and column j of every k x k window."""
    high, wide = ((side - kernel) // stride * stride + 1 for side in x.shape[2:])
    return [[x[:, :, i : i + high : stride, j : j + wide : stride] for j in range(kernel)] for i in range(kernel)]


def conv2d(x: Array, weight: Array, stride: int, margin: int) -> Array:
    """y[n, o] = sum over channels c of o's group, and i, j, of W[o, c, i, j] x[n, c] at (i, j), zeros outside."""
    made, part, kernel, _ = weight.shape
    groups = x.shape[1] // part
    total: Array = np.float64(0.0)  # type: ignore[assignment]  # takes its shape from the first term
    for i, row in enumerate(windows(surround(x, margin, 0.0), kernel, stride)):
        for j, pixels in enumerate(row):
            n, _, high, wide = pixels.shape
            inputs = pixels.reshape(n, groups, part, high * wide)
            total = total + weight[:, :, i, j].reshape(groups, made // groups, part) @ inputs
    return total.reshape(n, made, high, wide)


def max_pool(x: Array) -> Array:
    """The largest of 3 x 3 pixels, at every second one."""
    return np.max([pixels for row in windows(surround(x, 1, -np.inf), 3, 2) for pixels in row], axis=0)


def average_pool(x: Array, stride: int) -> Array:
    """The mean of s x s pixels; of those there are at the edge."""
    rows, columns = (np.arange(0, side, stride) for side in x.shape[2:])
    sums = np.add.reduceat(np.add.reduceat(x, rows, axis=2), columns, axis=3)
    ones = np.ones_like(x)
    return sums / np.add.reduceat(np.add.reduceat(ones, rows, axis=2), columns, axis=3)


def product_unit(
    x: Array, weight: Array, theta: Array, bias: Array | None, rules: ProductUnitRules, stride: int
) -> Array:
    """exp(conv2d(ln x_hat, W) + b): the product of x_hat ** W over a window, times exp(b) (rules P1, P7-P13, P16).

    x_hat is max(x, tau) or ln(exp(x) + exp(tau)), with tau = softplus(theta) + 1e-7. Zeros stand outside the logarithm,
    or outside x. The sum may be clipped before exp. Complex: x ** W = |x| ** W (cos(pi W) + i sin(pi W)) at x < 0, of
    whose product over a window the real part is |...| cos(pi sum of the W at negative x).
    """
    margin = weight.shape[-1] // 2
    if rules.padding is LogPadding.BEFORE_LOG:
        x, margin = surround(x, margin, 0.0), 0
    tau = softplus(theta) + THETA_EPS
    size = np.abs(x) if rules.numbers is Numbers.COMPLEX else x
    x_hat = np.maximum(size, tau) if rules.positivity is Positivity.MAX else np.logaddexp(size, tau)
    total = conv2d(np.log(x_hat), weight, stride, margin)
    if bias is not None:
        total = total + bias[:, None, None]
    if rules.exponent_clip is not None:
        total = np.clip(total, -rules.exponent_clip, rules.exponent_clip)
    if rules.numbers is Numbers.REAL:
        return np.exp(total)
    return np.exp(total) * np.cos(np.pi * conv2d((x < 0).astype(np.float64), weight, stride, margin))


# What is known of a network by name


@dataclass(frozen=True, kw_only=True)
class State:
    """The arrays of a ``state_dict`` below a name.

    Attributes:
        arrays: All of them.
        is_training: Whether batches are normalised by their own statistics, or by the running ones.
        name: What stands before each name that is asked for.
        read: The full names that were asked for.
        running: The running statistics after a batch in training.
    """

    arrays: Mapping[str, Array]
    is_training: bool = False
    name: str = ""
    read: set[str] = field(default_factory=set)
    running: dict[str, Array] = field(default_factory=dict)

    def below(self, name: str) -> "State":
        """The arrays below one more name."""
        return replace(self, name=f"{self.name}{name}.")

    def __getitem__(self, name: str) -> Array:
        self.read.add(self.name + name)
        return self.arrays[self.name + name]


def normalise(x: Array, kind: NormKind, state: State) -> Array:
    """(x - mean) / sqrt(variance + 1e-5), scaled and shifted by channel.

    batch: statistics of a channel over the batch in training, the running ones else, which move a tenth of the way to the
    batch's mean and unbiased variance. group: of an image over groups of at least 8 channels, as many as divide the
    width, or one. layer: of an image over all channels.
    """
    n, width = x.shape[:2]
    if kind is NormKind.BATCH:
        if state.is_training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
            count = x.size / width
            for name, new in (("running_mean", mean), ("running_var", variance * count / (count - 1))):
                state.running[state.name + name] = (1 - RUNNING_SHARE) * state[name] + RUNNING_SHARE * new
        else:
            mean, variance = state["running_mean"], state["running_var"]
        made = (x - mean[:, None, None]) / np.sqrt(variance + NORM_EPS)[:, None, None]
    else:
        fitting = [groups for groups in range(1, width + 1) if width % groups == 0 and width // groups >= 8]
        groups = max(fitting, default=1) if kind is NormKind.GROUP else 1
        parts = x.reshape(n, groups, -1)
        made = (parts - parts.mean(2, keepdims=True)) / np.sqrt(parts.var(2, keepdims=True) + NORM_EPS)
        made = made.reshape(x.shape)
    return made * state["weight"][:, None, None] + state["bias"][:, None, None]


class Chain:
    """What happens to an image layer by layer; each layer that is there has the next number as its name."""

    def __init__(self, x: Array, state: State) -> None:
        self.x = x
        self._state = state
        self._count = 0

    def _next(self) -> State:
        self._count += 1
        return self._state.below(str(self._count - 1))

    def convolution(self, width: int, kernel: int, stride: int) -> None:
        """Without bias; zeros outside keep the size."""
        weight = self._next()["weight"]
        assert weight.shape == (width, self.x.shape[1], kernel, kernel)
        self.x = conv2d(self.x, weight, stride, kernel // 2)

    def product_unit(self, width: int, kernel: int, stride: int, rules: ProductUnitRules) -> None:
        """See ``product_unit``: over all channels or one (rule P13), with a threshold a layer or a channel (rule P8)."""
        state, width_in = self._next(), self.x.shape[1]
        weight, theta, bias = state["weight"], state["theta"], state["bias"] if rules.bias else None
        assert weight.shape == (width, 1 if rules.mixing is Mixing.DEPTHWISE else width_in, kernel, kernel)
        assert theta.shape == (() if rules.threshold is Sharing.LAYER else (width_in, 1, 1))
        self.x = product_unit(self.x, weight, theta, bias, rules, stride)

    def norm(self, kind: NormKind) -> None:
        """See ``normalise``; none is no layer."""
        if kind is not NormKind.NONE:
            self.x = normalise(self.x, kind, self._next())

    def activation(self, kind: Activation) -> None:
        """See ``activate``; none is no layer."""
        if kind is not Activation.NONE:
            self._next()
            self.x = activate(self.x, kind)

    def quotient(self, rules: QuotientRules) -> None:
        """See ``quotient``."""
        self.x = bound(self.x, rules, self._next())

    def average_pool(self, stride: int) -> None:
        """See ``average_pool``."""
        self._next()
        self.x = average_pool(self.x, stride)


def bound(z: Array, rules: QuotientRules, state: State) -> Array:
    """See ``quotient``: with the upper bound that the rules have, or one learned for the layer or each channel (Q16)."""
    if rules.learned_alpha is None:
        return quotient(z, rules)
    rho = state["rho"]
    assert rho.shape == (() if rules.learned_alpha is Sharing.LAYER else (z.shape[1], 1, 1))
    return quotient(z, rules, rho)


# Blocks


def multiplies(stage: Stage) -> bool:
    """Whether branch and shortcut meet in a product (rule Q1)."""
    return stage.block in (BlockKind.QUOTIENT, BlockKind.QUOTIENT_PRODUCT_UNIT)


def branch(x: Array, stage: Stage, stride: int, state: State) -> Array:
    """conv-norm-act-conv-norm in post placement, norm-act-conv-norm-act-conv in pre.

    A bottleneck has three convolutions: 1x1 to a fourth of the channels, 3x3, 1x1 to all of them.
    The first carries the stride, of a bottleneck the second, its 3x3. Product units stand in place of convolutions
    (rule P2), with normalisations on both sides or one (rule P6). Inner activations: ReLU, or what the rules have (Q11);
    none beside product units (P3).
    """
    width, unit = stage.width, stage.product_unit
    weights = (  # output channels, side of the kernel, stride
        [(width, 3, stride), (width, 3, 1)]
        if stage.branch is BranchKind.BASIC
        else [(width // 4, 1, 1), (width // 4, 3, stride), (width, 1, 1)]
    )
    is_unit = [unit is not None and number in places(unit) for number in range(len(weights))]
    inner = unit.inner_activation if unit else stage.quotient.inner_activation if stage.quotient else Activation.RELU
    chain = Chain(x, state)
    for number, shape in enumerate(weights):
        is_first, is_last = number == 0, number + 1 == len(weights)
        if stage.norm_placement is NormPlacement.PRE:
            if has_norm(unit, not is_first and is_unit[number - 1], is_unit[number]):
                chain.norm(stage.norm)
            chain.activation(inner)
        if unit is not None and is_unit[number]:
            chain.product_unit(*shape, unit)
        else:
            chain.convolution(*shape)
        if stage.norm_placement is NormPlacement.POST:
            if has_norm(unit, is_unit[number], not is_last and is_unit[number + 1]):
                chain.norm(stage.norm)
            if not is_last:
                chain.activation(inner)
    return chain.x


def places(unit: ProductUnitRules) -> tuple[int, ...]:
    """Which weights of a branch, counted from 0, are product units (rule P2)."""
    return {Position.FIRST: (0,), Position.SECOND: (1,), Position.BOTH: (0, 1)}[unit.position]


def has_norm(unit: ProductUnitRules | None, is_behind_unit: bool, is_before_unit: bool) -> bool:
    """Whether the normalisation at a place is there: one next to product units only if one of them has it (rule P6)."""
    if unit is None or not (is_behind_unit or is_before_unit):
        return True
    return (is_behind_unit and unit.norms is not NormsAround.BEFORE) or (
        is_before_unit and unit.norms is not NormsAround.AFTER
    )


def shortcut(x: Array, stage: Stage, stride: int, state: State) -> Array:
    """x where shapes agree, else a projection and its norm; before a product the quotient's function (rules Q10, Q14).

    ``pad`` takes every s-th pixel, and fills new channels with the neutral element: 0 of sums, 1 of products.
    """
    width_in, width = x.shape[1], stage.width
    if stride == 1 and width_in == width:
        return x
    if stage.shortcut is ShortcutKind.PAD:
        kept = x[:, :, ::stride, ::stride]
        fill = np.full_like(kept, float(multiplies(stage)), shape=(len(x), width - width_in, *kept.shape[2:]))
        return np.concatenate([kept, fill], axis=1)
    chain = Chain(x, state)
    if stage.shortcut is ShortcutKind.AVERAGE_POOL and stride > 1:
        chain.average_pool(stride)
        stride = 1
    chain.convolution(width, 3 if stage.shortcut is ShortcutKind.CONV3X3 else 1, stride)
    chain.norm(stage.norm)
    if stage.quotient is not None:
        match stage.quotient.shortcut_activation:
            case ShortcutActivation.QUOTIENT:
                chain.quotient(stage.quotient)
            case ShortcutActivation.RELU:
                chain.activation(Activation.RELU)
    return chain.x


def block(x: Array, stage: Stage, stride: int, state: State) -> Array:
    """x * quotient(F(x)), without or with an activation behind (rules Q1, Q12); or relu(x + F(x)), and in pre x + F(x)."""
    z = branch(x, stage, stride, state.below("branch"))
    kept = shortcut(x, stage, stride, state.below("shortcut"))
    if stage.quotient is not None:
        made = kept * bound(z, stage.quotient, state.below("bound"))
        return activate(made, stage.quotient.output_activation)
    asked = OutputActivation.AUTO if stage.product_unit is None else stage.product_unit.output_activation
    is_post = stage.norm_placement is NormPlacement.POST
    has_relu = is_post if asked is OutputActivation.AUTO else asked is OutputActivation.RELU  # rule P4
    return activate(kept + z, Activation.RELU if has_relu else Activation.NONE)


# Networks


def stem(x: Array, network: Network, state: State) -> Array:
    """conv-norm-act (rules Q9, P5), with the first stage's norm.

    The activation is the quotient's function where that stage is quotient, else ReLU, unless another is named. Where none
    is and the stage begins with a norm of its own, in pre placement and in sums, the convolution stays alone.
    """
    first, kind = network.stages[0], network.stem_activation
    chain = Chain(x, state)
    chain.convolution(network.stem_width, network.stem_kernel, network.stem_stride)
    if kind is not StemActivation.AUTO or not sums_bare(first):
        chain.norm(first.norm)
        if kind is StemActivation.QUOTIENT or (kind is StemActivation.AUTO and first.quotient is not None):
            assert first.quotient is not None
            chain.quotient(first.quotient)
        elif kind is not StemActivation.NONE:
            chain.activation(Activation.RELU)
    return max_pool(chain.x) if network.stem_pool is StemPool.MAX else chain.x


def sums_bare(stage: Stage) -> bool:
    """Whether what goes from block to block is a sum without norm and activation behind it."""
    return stage.norm_placement is NormPlacement.PRE and not multiplies(stage)


def logits(x: Array, network: Network, state: State) -> Array:
    """Stem, stages of blocks, in bare sums one more norm and ReLU, the mean of all pixels, one linear layer."""
    x = stem(x, network, state.below("stem"))
    for index, stage in enumerate(network.stages):
        for number in range(stage.depth):
            own = state.below(f"stages.{index}.{number}")
            x = block(x, stage, stage.stride if number == 0 else 1, own)
    last = network.stages[-1]
    if sums_bare(last):
        chain = Chain(x, state.below("final"))
        chain.norm(last.norm)
        chain.activation(Activation.RELU)
        x = chain.x
    head = state.below("head")
    return x.mean((2, 3)) @ head["weight"].T + head["bias"]
