"""When a draw has a parameter: as a space says, or learned from trials of a study that another program made."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from qpsearch.analysis.anova.parameters import Bools, Floats, Parameter, Rule
from qpsearch.space import Space
from qpsearch.space.domains import stored


@dataclass(frozen=True, kw_only=True)
class Stated:
    """A draw has the parameter where one of some alternatives holds: each parameter of it has one of some codes."""

    alternatives: Sequence[Mapping[str, Sequence[float]]]

    @property
    def asks(self) -> set[str]:
        """The parameters that decide it."""
        return {name for each in self.alternatives for name in each}

    def holds(self, codes: Mapping[str, Floats]) -> Bools:
        """Return which draws have it; a parameter without a code has only one value."""
        count = len(next(iter(codes.values())))
        found = np.zeros(count, dtype=bool)
        for each in self.alternatives:
            tests = [np.isin(codes[name], values) for name, values in each.items() if name in codes]
            found |= np.all(tests, axis=0) if tests else np.ones(count, dtype=bool)
        return found


def stated_rules(space: Space, searched: Mapping[str, BaseDistribution]) -> dict[str, Rule]:
    """Return the rules of a space's conditional parameters, in the order of drawing."""
    parameters = {name: Parameter(name=name, distribution=each) for name, each in searched.items()}

    def codes(name: str, values: Collection[Any]) -> list[float]:
        return [float(code) for code in parameters[name].codes([{name: stored(value)} for value in values])]

    found: dict[str, list[Mapping[str, Sequence[float]]]] = {}
    for site in space.sites:
        if site.domain is not None and site.parameter in parameters:
            found.setdefault(site.parameter, []).extend(
                {test.parameter: codes(test.parameter, test.values) for test in tests} for tests in site.when
            )
    return {
        name: Stated(alternatives=tests) for name, tests in found.items() if not any(len(each) == 0 for each in tests)
    }


class Learned:
    """A tree that tells the trials with a parameter from those without it."""

    def __init__(self, before: Sequence[Parameter], draws: Sequence[Mapping[str, Any]], has: Bools) -> None:
        from sklearn.tree import DecisionTreeClassifier  # only where a study has branches

        words = [each for each in before if each.is_category]  # where they do not decide it, numbers may
        for self._before in (words, list(before)):
            if self._before:
                rows = self._rows({each.name: each.codes(draws) for each in self._before})
                self._tree = DecisionTreeClassifier(random_state=0).fit(rows, has)
                if self._tree.score(rows, has) == 1.0:
                    break

    @property
    def asks(self) -> set[str]:
        """The parameters that decide it."""
        owners = [each.name for each in self._before for _ in range(_width(each))]
        return {owners[index] for index in self._tree.tree_.feature if index >= 0}

    def holds(self, codes: Mapping[str, Floats]) -> Bools:
        """Return which draws have it."""
        return np.asarray(self._tree.predict(self._rows(codes)), dtype=bool)

    def _rows(self, codes: Mapping[str, Floats]) -> Floats:
        return np.column_stack([each.columns(codes[each.name]) for each in self._before])


def learned_rules(searched: Mapping[str, BaseDistribution], draws: Sequence[Mapping[str, Any]]) -> dict[str, Rule]:
    """Return the rules of conditional parameters as the trials of a study show them.

    A parameter can only depend on parameters that more trials have.
    """
    parameters = [Parameter(name=name, distribution=each) for name, each in searched.items() if not each.single()]
    has = {each.name: np.array([each.name in draw for draw in draws], dtype=bool) for each in parameters}
    counts = {name: int(having.sum()) for name, having in has.items()}
    order = sorted(parameters, key=lambda each: -counts[each.name])
    found: dict[str, Rule] = {}
    for each in order:
        more = [other for other in order if counts[other.name] > counts[each.name]]
        if more:
            found[each.name] = Learned(more, draws, has[each.name])
    return found


def _width(parameter: Parameter) -> int:
    return len(parameter.levels) if parameter.is_category and parameter.levels else 1
