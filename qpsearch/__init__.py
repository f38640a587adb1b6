"""qpsearch: does a block really help, where in the network, and how sure is that.

The names below are the public interface. Each is loaded when it is first asked for: importing qpsearch loads neither
torch nor ray nor optuna, so that the command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qpsearch import layers as layers
    from qpsearch.api.running import resume as resume
    from qpsearch.api.running import run as run
    from qpsearch.api.spaces import build_space as build_space
    from qpsearch.api.spaces import load_space as load_space
    from qpsearch.api.study import Study as Study
    from qpsearch.api.study import load_study as load_study
    from qpsearch.architecture.candidates import sample as sample
    from qpsearch.architecture.named import list_models as list_models
    from qpsearch.models.custom_block import custom_block as custom_block
    from qpsearch.models.network import build_model as build_model
    from qpsearch.models.network import create_model as create_model
    from qpsearch.protocol import RunSettings as RunSettings
    from qpsearch.registry.metrics.own import custom_metric as custom_metric
    from qpsearch.registry.own.custom import custom_dataset as custom_dataset
    from qpsearch.registry.own.sampler import custom_sampler as custom_sampler
    from qpsearch.space import Space as Space
    from qpsearch.training import train as train
    from qpsearch.training.exported import load_exported as load_exported

__version__ = "0.1.0"

_PLACES = {
    "load_space": "qpsearch.api.spaces",
    "build_space": "qpsearch.api.spaces",
    "Space": "qpsearch.space",
    "sample": "qpsearch.architecture.candidates",
    "run": "qpsearch.api.running",
    "resume": "qpsearch.api.running",
    "load_study": "qpsearch.api.study",
    "Study": "qpsearch.api.study",
    "create_model": "qpsearch.models.network",
    "list_models": "qpsearch.architecture.named",
    "build_model": "qpsearch.models.network",
    "custom_block": "qpsearch.models.custom_block",
    "custom_dataset": "qpsearch.registry.own.custom",
    "custom_sampler": "qpsearch.registry.own.sampler",
    "custom_metric": "qpsearch.registry.metrics.own",
    "train": "qpsearch.training",
    "load_exported": "qpsearch.training.exported",
    "RunSettings": "qpsearch.protocol",
}

__all__ = [*_PLACES, "layers"]  # a list of names


def __getattr__(name: str) -> Any:
    if name == "layers":
        return import_module("qpsearch.layers")
    if name not in _PLACES:
        raise AttributeError(f"module 'qpsearch' has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
