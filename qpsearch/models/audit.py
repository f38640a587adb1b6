"""Does a network stay finite: forward and backward, at small and large inputs, in both modes, during training?

Noise replaces the images, since the audit does not measure accuracy. A network trains for some steps at each scale of
its inputs and in each precision, and is checked in between.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qpsearch.architecture.config import Network
from qpsearch.models.layers import ProductUnit2d
from qpsearch.models.network import DTYPES, ResidualNetwork, build_model
from qpsearch.models.product_unit import positive_floor
from qpsearch.vocabulary import Numbers, Positivity, Precision, WithWords


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlan(WithWords):
    """How a network is audited.

    Attributes:
        steps: The numbers of steps after which the network is checked, ascending; 0 is the start.
        scales: Standard deviations of the inputs.
        precisions: Number formats in which the network computes; weights stay float32.
        batch: Images in a step.
        size: Height and width of the images; None for the network's own.
        lr: Learning rate of SGD with momentum 0.9 and weight decay 1e-4.
        seed: Seed of weights and inputs.
    """

    steps: tuple[int, ...] = (0, 1, 10, 100)
    scales: tuple[float, ...] = (1e-3, 1.0, 1e3)
    precisions: tuple[Precision, ...] = (Precision.FLOAT32, Precision.BFLOAT16)
    batch: int = 16
    size: int | None = None
    lr: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(WithWords):
    """One forward and backward pass.

    Attributes:
        precision: Number format of the pass.
        scale: Standard deviation of the inputs.
        steps: Training steps before the pass.
        training: Whether the network was in train mode.
        forward: Whether all logits are finite.
        backward: Whether all gradients are finite.
        activations: Root mean square of each block's output, from the image to the head.
        gradients: Root mean square of the loss's gradient at each block's output, times the number of images.
        at_floor: Share of the product units' inputs at their floor; None without units, and where the floor is smooth.
        exponents: Smallest and largest logarithm of a product unit's output; None without units, and for complex units.
    """

    precision: Precision
    scale: float
    steps: int
    training: bool
    forward: bool
    backward: bool
    activations: tuple[float, ...]
    gradients: tuple[float, ...]
    at_floor: float | None
    exponents: tuple[float, float] | None

    @property
    def passed(self) -> bool:
        """Whether everything was finite."""
        return self.forward and self.backward


def audit(network: Network, plan: AuditPlan, device: str = "cpu") -> Iterator[Look]:
    """Check a network in every precision, at every scale, after every number of steps, in both modes."""
    network = network if plan.size is None else replace(network, size=plan.size)
    for precision in plan.precisions:
        for scale in plan.scales:
            yield from _audit(network, plan, precision, scale, torch.device(device))


def _audit(
    network: Network, plan: AuditPlan, precision: Precision, scale: float, device: torch.device
) -> Iterator[Look]:
    model = build_model(network, plan.seed).to(device)
    trained = _Trained(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=plan.lr, momentum=0.9, weight_decay=1e-4),
        scaler=torch.amp.GradScaler(device.type, enabled=precision is Precision.FLOAT16),
        precision=precision,
    )

    def noise(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        shape = (plan.batch, network.channels, network.size, network.size)
        images = torch.randn(shape, generator=generator) * scale
        return images.to(device), torch.randint(network.classes, (plan.batch,), generator=generator).to(device)

    generator, done = torch.Generator().manual_seed(plan.seed), 0
    for steps in plan.steps:
        for _ in range(steps - done):
            trained.step(*noise(generator))
        done = steps
        for training in (True, False):
            images, labels = noise(torch.Generator().manual_seed(plan.seed + 1))  # does not affect the training
            yield trained.look(images, labels, scale=scale, steps=steps, training=training)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trained(WithWords):
    """A network with its optimiser and gradient scaler."""

    model: ResidualNetwork
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    precision: Precision

    def step(self, images: Tensor, labels: Tensor) -> None:
        """Train on one batch."""
        self.model.train()
        self._backward(images, labels)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def look(self, images: Tensor, labels: Tensor, *, scale: float, steps: int, training: bool) -> Look:
        """Pass one batch forward and backward, without changing the network."""
        state = {name: value.clone() for name, value in self.model.state_dict().items()}  # a pass changes running means
        self.model.train(training)
        probe = _Probe(self.model)
        logits = self._backward(images, labels)
        probe.close()
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        self.model.load_state_dict(state)
        return Look(
            precision=self.precision,
            scale=scale,
            steps=steps,
            training=training,
            forward=bool(logits.isfinite().all()),
            backward=all(bool(gradient.isfinite().all()) for gradient in gradients),
            activations=tuple(probe.activations),
            gradients=tuple(reversed([value * len(labels) / self.scaler.get_scale() for value in probe.gradients])),
            at_floor=probe.at_floor,
            exponents=probe.exponents,
        )

    def _backward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Set fresh gradients of the loss, scaled where float16 needs it; return the logits."""
        enabled = self.precision is not Precision.FLOAT32
        with torch.autocast(images.device.type, dtype=DTYPES[self.precision], enabled=enabled):
            logits: Tensor = self.model(images)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.scaler.scale(F.cross_entropy(logits.float(), labels))
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        return logits


@dataclass
class _Probe:
    """Records statistics of the blocks and product units of a network while a batch passes."""

    model: ResidualNetwork
    activations: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)
    _floors: list[float] = field(default_factory=list)
    _exponents: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._handles = ExitStack()
        for stage in self.model.stages:
            for block in stage.children():
                self._watch(block, self._block)
        for layer in self.model.modules():
            if isinstance(layer, ProductUnit2d):
                self._watch(layer, self._unit)

    @property
    def at_floor(self) -> float | None:
        return sum(self._floors) / len(self._floors) if self._floors else None

    @property
    def exponents(self) -> tuple[float, float] | None:
        return (min(self._exponents), max(self._exponents)) if self._exponents else None

    def close(self) -> None:
        self._handles.close()

    def _watch(self, layer: nn.Module, hook: Callable[..., None]) -> None:
        self._handles.callback(layer.register_forward_hook(hook).remove)

    def _block(self, layer: nn.Module, inputs: Any, output: Tensor) -> None:
        self.activations.append(_size(output))
        keep = self.gradients
        output.register_hook(lambda gradient: keep.append(_size(gradient)))  # type: ignore[no-untyped-call]  # likewise

    def _unit(self, layer: ProductUnit2d, inputs: tuple[Tensor], output: Tensor) -> None:
        is_complex = layer.numbers is Numbers.COMPLEX
        if layer.positivity is Positivity.MAX:
            values = inputs[0].detach().abs() if is_complex else inputs[0].detach()
            self._floors.append(float((values <= positive_floor(layer.theta)).double().mean()))
        if not is_complex:
            logs = output.detach().log()
            self._exponents += [float(logs.min()), float(logs.max())]


def _size(values: Tensor) -> float:
    """Return the root mean square, in float64: squares of large float32 numbers overflow."""
    return float(values.detach().double().square().mean().sqrt())
