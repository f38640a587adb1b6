"""What all optimisers need: the parameters with the facts about each, and groups of them."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from qpsearch.registry.members import LAST
from qpsearch.registry.options import Option
from qpsearch.vocabulary import WithWords

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

OptimizerT = TypeVar("OptimizerT", bound="Optimizer")
ParameterGroup = dict[str, Any]  # as torch's optimisers have it: the parameters, and the settings that hold for them

DECOUPLED: Final = "Decoupled decay of the parameters that training.decay names, times the learning rate."


def peak_lr(default: float, doc: str = "Peak learning rate.", rule: str = "") -> Option:
    """Return the option of a learning rate."""
    return Option(doc=doc, low=0, high=100, default=default, is_above=True, rule=rule)


def weight_decay(default: float, doc: str = DECOUPLED, rule: str = "") -> Option:
    """Return the option of a weight decay."""
    return Option(doc=doc, low=0, high=10, default=default, rule=rule)


@dataclass(frozen=True, slots=True)
class TrainedParameter:
    """A parameter of a network.

    Attributes:
        tensor: The parameter.
        is_hidden_matrix: Whether it is a kernel or a matrix, and belongs to neither stem nor head.
        decays: Whether weight decay falls on it.
    """

    tensor: "Tensor"
    is_hidden_matrix: bool
    decays: bool


class OptimiserSettings(WithWords, ABC):
    """What the records of optimisers have in common: JSON with unknown fields is refused.

    Attributes:
        kind: The word in space files.
        lr: The peak learning rate.
    """

    __slots__ = ()
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # the name and form that pydantic looks for

    if TYPE_CHECKING:  # each record declares them, as fields
        kind: Any
        lr: float

        def __init__(self, **settings: Any) -> None: ...

    @abstractmethod
    def build(self, parameters: Sequence[TrainedParameter], *, capturable: bool = False) -> "Optimizer":
        """Return torch's optimiser over the parameters of a network.

        Args:
            parameters: The parameters.
            capturable: Whether its steps can be captured as a part of a CUDA graph: what changes from step to step, the
                learning rate (which its groups then hold as a tensor) and the count of steps, is on the GPU, and is
                never asked for.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimiser:
    """An optimiser.

    Attributes:
        name: The word in space files.
        order: Its place in lists.
        settings: The record of its settings, which builds it; its ``kind`` is the word.
    """

    name: str
    order: int = LAST
    settings: type[OptimiserSettings]


def groups_of(parameters: Sequence[TrainedParameter], **settings: object) -> list[ParameterGroup]:
    """Return the groups of parameters with the same settings: those on which weight decay falls, then the others."""
    parts = [[each.tensor for each in parameters if each.decays is decays] for decays in (True, False)]
    others: ParameterGroup = {"weight_decay": 0.0}
    return [{"params": part, **settings, **extra} for part, extra in zip(parts, ({}, others), strict=True) if part]


def uncompiled(kind: type[OptimizerT]) -> type[OptimizerT]:
    """Derive an optimiser that does not load torch's compiler: 850 modules, for which a worker's first step would wait.

    torch decorates these methods so that code that it compiles breaks off before them. Our training is not compiled.
    """
    return cast("type[OptimizerT]", _plain(kind))  # type: ignore[arg-type]  # a class can be hashed


@cache
def _plain(kind: "type[Optimizer]") -> "type[Optimizer]":
    import torch

    names = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), plain | {"step": step})


TensorList = tuple["Tensor", ...] | list["Tensor"]
Update = Callable[[list["Tensor"], list["Tensor"], list[ParameterGroup], ParameterGroup], None]
"""Changes parameters in place, given their gradients, the state of each, and the settings of their group."""


def optimizer_of(groups: list[ParameterGroup], defaults: ParameterGroup, update: Update) -> "Optimizer":
    """Return an optimiser that makes its steps by a function; parameters without a gradient stay as they are."""
    from torch.optim import Optimizer

    return updating(Optimizer, update)(groups, defaults)


def updating(kind: type[OptimizerT], update: Update) -> type[OptimizerT]:
    """Derive an optimiser of the same state and settings that makes its steps by a function."""
    return cast("type[OptimizerT]", _updating(kind, update))  # type: ignore[arg-type]  # as above


@cache
def _updating(kind: "type[Optimizer]", update: Update) -> "type[Optimizer]":
    class Updating(kind):  # type: ignore[misc, valid-type]  # a class that is known when this is called
        def step(self, closure: object = None) -> None:
            for group in self.param_groups:
                own = [parameter for parameter in group["params"] if parameter.grad is not None]
                if own:
                    update(own, [each.grad for each in own], [self.state[each] for each in own], group)

    return uncompiled(Updating)


def add_scaled(parameters: "TensorList", steps: "TensorList", size: "float | Tensor") -> None:
    """Add steps times their size to parameters, in place; a size that is a tensor is not asked for."""
    import torch

    if isinstance(size, torch.Tensor):
        torch._foreach_add_(parameters, torch._foreach_mul(steps, size))
    else:
        torch._foreach_add_(parameters, steps, alpha=size)


def begun(states: Iterable[ParameterGroup], parameters: Iterable["Tensor"], *names: str) -> None:
    """Give parameters whose state is still empty zeros of their shape, under each name."""
    import torch

    for state, parameter in zip(states, parameters, strict=True):
        for name in names:
            if name not in state:
                state[name] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
