"""Arithmetic against the built network, layer by layer, on the meta device."""

import re

import pytest
import torch

from qpsearch.architecture.config import Network
from qpsearch.architecture.cost import Cost, cost
from qpsearch.architecture.named import list_networks, named_network
from qpsearch.models import build_model
from qpsearch.models.summary import layers_of
from tests.models.settings import random_network


def measured(network: Network) -> Cost:
    """Count with hooks on every layer of the real network while one image passes through."""
    layers = [layer.cost for layer in layers_of(network)]
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in build_model(network, 0).parameters())
    assert sum(each.parameters for each in layers) == parameters
    return sum(layers, Cost())


DEEP = 56  # layers, beyond which a network only repeats its blocks


@pytest.mark.parametrize("seed", range(100))
def test_cost_equals_the_built_network(seed: int) -> None:
    network = random_network(seed)
    assert cost(network) == measured(network)


@pytest.mark.parametrize("name", [name for name, _ in list_networks() if int(re.sub(r"\D", "", name)) <= DEEP])
def test_cost_equals_the_reference_networks(name: str) -> None:
    assert cost(named_network(name)) == measured(named_network(name))
