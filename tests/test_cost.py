"""Arithmetic against the built network, layer by layer, on the meta device."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qpsearch.architecture import Network
from qpsearch.cost import FLOAT_BYTES, Cost, cost
from qpsearch.models import build_model, reference_network
from qpsearch.models.blocks import ProductUnit2d
from tests.models.settings import random_network


def measured(network: Network) -> Cost:
    """Count with hooks on every layer of the real network while one image passes through."""
    with torch.device("meta"):
        model = build_model(network, 0)
        image = torch.empty(2, network.channels, network.size, network.size)
    found = {"macs": 0, "activation_bytes": 0}

    def count(layer: nn.Module) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            found["activation_bytes"] += output[0].numel() * FLOAT_BYTES
            if isinstance(layer, nn.Conv2d | nn.Linear | ProductUnit2d):
                outputs = output[0].numel() // layer.weight.shape[0]
                found["macs"] += outputs * layer.weight.numel()

        return hook

    for layer in model.modules():
        if not list(layer.children()) and not isinstance(layer, nn.Identity):
            layer.register_forward_hook(count(layer))
    model(image)
    return Cost(sum(parameter.numel() for parameter in model.parameters()), **found)


@pytest.mark.parametrize("seed", range(200))
def test_cost_equals_the_built_network(seed: int) -> None:
    network = random_network(seed)
    assert cost(network) == measured(network)


@pytest.mark.parametrize("name", ["resnet20", "resnet_a20", "quotient44", "pure20", "pure_a272"])
def test_cost_equals_the_reference_networks(name: str) -> None:
    assert cost(reference_network(name)) == measured(reference_network(name))
