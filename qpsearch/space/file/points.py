"""Values of parameters, by paths or ties: the configurations of ``search.first``, and what a user enqueues."""

import fnmatch
from collections.abc import Collection, Mapping
from typing import Final, cast

from qpsearch.errors import UserError, nearest
from qpsearch.space.domains import Domain, text_of
from qpsearch.space.file.document import Entry, MappingNode, Node, ScalarNode, SequenceNode
from qpsearch.space.file.problems import Problems, kind_of
from qpsearch.space.leaves import NEVER
from qpsearch.space.schema.value_types import NONE, shown
from qpsearch.space.space import Space
from qpsearch.vocabulary import Scalar

KEY: Final = "search.first"
FROM_PAPERS: Final = "papers"  # in place of a configuration: those of the papers
Points = tuple[Mapping[str, Scalar], ...]


def first_points(root: Node, domains: Mapping[str, Domain], problems: Problems) -> tuple[bool, Points]:
    """Return whether a file wants the papers' configurations, and those that it lists, as values of some parameters.

    Args:
        root: The whole document, with what it extends.
        domains: The searched parameters.
        problems: Notes what is wrong.
    """
    search = root.get("search") if isinstance(root, MappingNode) else None
    given = search.get("first") if isinstance(search, MappingNode) else None
    if given is None or (isinstance(given, ScalarNode) and given.value in (None, NONE)):
        return False, ()
    if isinstance(given, ScalarNode) and given.value == FROM_PAPERS:
        return True, ()
    if not isinstance(given, SequenceNode):
        text = f"expected {FROM_PAPERS}, or a list of configurations, got {kind_of(given)}."
        problems.wrong(given.where, KEY, text)
        return False, ()
    named = [isinstance(item, ScalarNode) and item.value == FROM_PAPERS for item in given.items]
    listed = [item for item, is_named in zip(given.items, named, strict=True) if not is_named]
    return any(named), tuple(_point(item, f"{KEY}.{index}", domains, problems) for index, item in enumerate(listed))


def _point(node: Node, path: str, domains: Mapping[str, Domain], problems: Problems) -> Mapping[str, Scalar]:
    if not isinstance(node, MappingNode) or not node.entries:
        expected = "expected parameters with their values, such as {training.optimizer.sgd.lr: 0.1}"
        problems.wrong(node.where, path, f"{expected}, got {kind_of(node)}.")
        return {}
    found: dict[str, Scalar] = {}
    for entry in node.entries:
        names = matching(entry.key, domains)
        if not names:
            problems.wrong(
                entry.where, path, f"{entry.key} is not a parameter of this space. {nearest(entry.key, list(domains))}"
            )
        for name in names:
            _take(found, name, domains[name], entry, path, problems)
    return found


def _take(found: dict[str, Scalar], name: str, domain: Domain, entry: Entry, path: str, problems: Problems) -> None:
    node = entry.node
    if not isinstance(node, ScalarNode):
        problems.wrong(node.where, path, f"{name}: expected a value, got {kind_of(node)}.")
        return
    try:
        found[name] = member_of(name, domain, node.value)
    except ValueError as error:
        problems.wrong(node.where, path, str(error))


def domains_of(space: Space) -> dict[str, Domain]:
    """Return the domain of each parameter that the space searches."""
    return {site.parameter: site.domain for site in space.sites if site.domain is not None and site.when != NEVER}


def matching(pattern: str, names: Collection[str]) -> list[str]:
    """Return the parameters that a path names; ``network.stages.*.block`` stands for all stages."""
    return fnmatch.filter(names, pattern.replace("[", "[[]"))


def member_of(name: str, domain: Domain, value: Scalar) -> Scalar:
    """Return a value as its domain holds it.

    Raises:
        ValueError: The domain does not have it.
    """
    given = None if value == NONE and None in (domain.options or ()) else value
    if given not in domain:
        text = shown(given) if isinstance(given, str) else text_of(given)  # the word 'true' is not the value true
        raise ValueError(f"{name}: {text} is not in {domain}.")
    return domain.member(given)


def without_effect(space: Space, name: str, values: Mapping[str, Scalar]) -> str:
    """Say which values switch a parameter off; empty where it has an effect, or other values decide that.

    Args:
        space: What is searched.
        name: The parameter.
        values: Values of parameters, some or all.
    """
    own = [site for site in space.sites if site.domain is not None and site.parameter == name]
    against = [
        [test.parameter for test in tests if test.parameter in values and values[test.parameter] not in test.values]
        for site in own
        for tests in site.when
    ]
    if not against or not all(against):
        return ""
    switches = list(dict.fromkeys(each[0] for each in against))
    why = " and ".join(f"{switch} is {text_of(values[switch])}" for switch in switches)
    where = " or ".join(
        " and ".join(f"{test.parameter} is {' or '.join(sorted(map(text_of, test.values)))}" for test in tests)
        for tests in dict.fromkeys(tests for site in own for tests in site.when)
    )
    return f"{name} has no effect, since {why}. It has one where {where}. Leave it out, or change {switches[0]}."


def with_switches(space: Space, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return values with those of other parameters that they need to have an effect, where one value alone does it.

    To ``training.optimizer.sgd.lr``, for instance, ``training.optimizer: sgd`` is added where the optimizer is drawn.

    Args:
        space: What is searched.
        values: Values of some parameters.
    """
    found = dict(values)
    waiting = list(values)
    while waiting:
        name = waiting.pop(0)
        own = [site for site in space.sites if site.domain is not None and site.parameter == name]
        ways = dict.fromkeys(tests for site in own for tests in site.when)
        open_ = [
            tests
            for tests in ways
            if all(test.parameter not in found or found[test.parameter] in test.values for test in tests)
        ]
        for test in open_[0] if len(open_) == 1 else ():
            if test.parameter not in found and len(test.values) == 1:
                found[test.parameter] = cast("Scalar", next(iter(test.values)))  # as its domain has it
                waiting.append(test.parameter)
    return found


def checked_values(space: Space, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return values by parameter.

    Args:
        space: The space that is searched.
        given: Values by path, tie or pattern; of several that name one parameter, the last counts.

    Raises:
        UserError: A path does not name a parameter, or a value is not in its domain.
    """
    domains, found = domains_of(space), dict[str, Scalar]()
    for pattern, value in given.items():
        names = matching(pattern, domains)
        if not names:
            raise UserError(f"{pattern} is not a parameter of this space. {nearest(pattern, list(domains))}")
        for name in names:
            try:
                found[name] = member_of(name, domains[name], value)
            except ValueError as error:
                raise UserError(str(error)) from None
    return found
