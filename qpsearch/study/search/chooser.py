"""How an Optuna trial chooses the values of a space's parameters."""

import optuna

from qpsearch.space.domains import Domain
from qpsearch.vocabulary import Scalar


class OptunaChooser:
    """Lets an Optuna trial choose the value of each parameter."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def choose(self, name: str, domain: Domain) -> Scalar:
        """Return the sampler's value."""
        return domain.suggest(name, self._trial)
