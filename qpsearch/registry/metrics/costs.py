"""Costs of a network, which are known without training; ``architecture.cost`` computes them."""

from typing import Final

from qpsearch.registry.metrics.base import MetricKind, ValuesFrom
from qpsearch.vocabulary import Direction


def _cost(name: str, doc: str, unit: str = "") -> MetricKind:
    return MetricKind(name=name, doc=doc, direction=Direction.MINIMIZE, source=ValuesFrom.NETWORK, unit=unit)


MEMBERS: Final = (
    _cost("parameters", "Learned parameters of the network."),
    _cost("macs", "Multiply-accumulates of a forward pass of one image."),
    _cost("activation_bytes", "Bytes of the float32 outputs of all layers for one image.", "B"),
)
