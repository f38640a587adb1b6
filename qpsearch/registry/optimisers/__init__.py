"""The optimisers that a space file may name: the settings of each, and how torch's optimiser is made from them.

A new optimiser is a module here and its line in the table.
"""

from typing import Final

from qpsearch.registry.optimisers.adam import Adam, AdamW
from qpsearch.registry.optimisers.lion import Lion
from qpsearch.registry.optimisers.muon import Muon
from qpsearch.registry.optimisers.rmsprop import RmsProp
from qpsearch.registry.optimisers.sgd import Sgd

AnyOptimiser = Sgd | AdamW | Adam | RmsProp | Lion | Muon

OPTIMISERS: Final[dict[str, type[AnyOptimiser]]] = {
    "sgd": Sgd,
    "adamw": AdamW,
    "adam": Adam,
    "rmsprop": RmsProp,
    "lion": Lion,
    "muon": Muon,
}
