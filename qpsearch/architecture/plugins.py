"""Custom blocks, data sets, samplers and metrics: where they are found, and how they join the built-in ones.

A space file cannot run code. What is custom comes from a module that the user names (``--import MODULE``, or
QPSEARCH_IMPORT, which workers inherit) or from an installed package (entry points of the groups in ``PluginGroup``).
The command line and the functions of the Python API load both before they read a space. From then on, space files can
use its name like that of a built-in one, and set the rules of a block in a section of that name.
"""

import importlib
import importlib.util
import os
import sys
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from qpsearch.architecture.blocks import BLOCKS, Block
from qpsearch.errors import UserError, said
from qpsearch.registry.metrics import METRICS
from qpsearch.registry.metrics.base import MetricKind
from qpsearch.registry.own.custom import CUSTOM, CustomDataset
from qpsearch.registry.own.sampler import CustomSampler
from qpsearch.registry.samplers import OWN
from qpsearch.space.file.leaf_reader import BESIDE, DOMAINS, IDENTIFIER, TAKEN
from qpsearch.space.schema.data import DATASET, add_dataset
from qpsearch.space.schema.fields import REQUIRED, LeafField
from qpsearch.space.schema.network import STAGE, add_block
from qpsearch.space.schema.search import SAMPLERS as BUILT_IN
from qpsearch.space.schema.search import add_sampler
from qpsearch.vocabulary import PluginGroup, Variable

KINDS: Final = (
    (PluginGroup.BLOCKS, "block", Block, "custom_block"),
    (PluginGroup.DATASETS, "data set", CustomDataset, "custom_dataset"),
    (PluginGroup.SAMPLERS, "sampler", CustomSampler, "custom_sampler"),
    (PluginGroup.METRICS, "metric", MetricKind, "custom_metric"),
)


def register(block: Block) -> None:
    """Add a block to the table of blocks; doing so twice has no effect.

    Raises:
        UserError: The name is taken, or cannot be used in a space file.
    """
    if not isinstance(block.name, str):
        raise UserError(f"a block cannot be named {block.name!r}. Expected a string.")
    if BLOCKS.get(block.name) is block:
        return
    if block.name in BLOCKS:
        raise UserError(
            f"block {block.name!r}: there is already a block of that name. Rename one of them; a changed one takes the "
            "place of what it was in a new process."
        )
    if not IDENTIFIER.fullmatch(block.name) or block.name in {*TAKEN, *STAGE.fields, *DOMAINS, *BESIDE}:
        raise UserError(
            f"a block cannot be named {block.name!r}. Expected a word of letters, digits and '_' that does not "
            "have another meaning in a space file. Choose another name."
        )
    for name, rule in block.rules.items():
        is_rule = isinstance(rule, LeafField) and not isinstance(rule.type, type) and hasattr(rule.type, "parse")
        if not IDENTIFIER.fullmatch(name) or not is_rule:
            raise UserError(
                f"block {block.name!r}: {name!r} is not a rule. Expected a word and a Rule, such as "
                "Rule(type=Integer(1, 64), default=4, doc='...')."
            )
        try:
            rule.type.parse(rule.default, name)  # type: ignore[arg-type]  # a value that is not a scalar is refused
        except ValueError as error:
            given = "needs a default" if rule.default is REQUIRED else f"has an invalid default: {error}"
            raise UserError(f"block {block.name!r}: rule {name!r} {given.rstrip('.')}.") from None
    BLOCKS[block.name] = block
    add_block(block.name, block.rules)


def register_dataset(dataset: CustomDataset) -> None:
    """Add a data set to those that space files can name; doing so twice has no effect.

    Raises:
        UserError: The name is taken.
    """
    if CUSTOM.get(dataset.name) is dataset:
        return
    if dataset.name in DATASET.words:
        raise UserError(f"data set {dataset.name!r}: there is already a data set of that name. Rename one of them.")
    CUSTOM[dataset.name] = dataset
    add_dataset(dataset.name)


def register_sampler(sampler: CustomSampler) -> None:
    """Add a sampler to those that space files can name; doing so twice has no effect.

    Raises:
        UserError: The name is taken.
    """
    if OWN.get(sampler.name) is sampler:
        return
    if sampler.name in BUILT_IN:
        raise UserError(f"sampler {sampler.name!r}: there is already a sampler of that name. Rename one of them.")
    OWN[sampler.name] = sampler
    add_sampler(sampler.name, sampler.options)


def register_metric(metric: MetricKind) -> None:
    """Add a metric to those that space files can name; doing so twice has no effect.

    Raises:
        UserError: The name is taken.
    """
    if METRICS.get(metric.name) is metric:
        return
    if metric.name in METRICS or metric.name == "val_nonfinite":  # a column of the table of epochs
        raise UserError(f"metric {metric.name!r}: there is already a metric of that name. Rename one of them.")
    METRICS[metric.name] = metric


def load_modules(given: str) -> None:
    """Import modules, and register every block, data set, sampler and metric at their top level.

    Args:
        given: Names of modules, or paths of ``.py`` files, separated by commas.

    Raises:
        UserError: A module cannot be imported, or does not define any of these.
    """
    for word in filter(None, given.split(",")):
        module = _imported(word)
        found = [
            value
            for value in vars(module).values()
            if isinstance(value, Block | CustomDataset | CustomSampler | MetricKind)
        ]
        if not found:
            raise UserError(
                f"{word}: does not define a block, data set, sampler or metric. Expected NAME = custom_block(...), "
                "custom_dataset(...), custom_sampler(...) or custom_metric(...) at the top level of the module."
            )
        for each in found:
            _register(each)


def _register(found: Block | CustomDataset | CustomSampler | MetricKind) -> None:
    match found:
        case Block():
            register(found)
        case CustomDataset():
            register_dataset(found)
        case CustomSampler():
            register_sampler(found)
        case MetricKind():
            register_metric(found)


def load_installed() -> None:
    """Register the blocks, data sets, samplers and metrics of installed packages.

    Raises:
        UserError: One of them cannot be imported.
    """
    installed = entry_points()  # read once: each reading looks through all packages
    for group, noun, kind, made_by in KINDS:
        for point in installed.select(group=group):
            try:
                found = point.load()
            except (Exception, SystemExit) as error:  # a package may raise anything
                text = f"{noun} {point.name!r} of an installed package cannot be loaded: {said(error)}."
                raise UserError(text) from error
            if not isinstance(found, kind):
                raise UserError(
                    f"entry point {point.name!r} of {group} is not a {noun}. Expected the result of {made_by}(...)."
                )
            _register(found)


def imports() -> list[str]:
    """Return the modules that were asked for, as they were written: names, or paths of ``.py`` files."""
    return list(filter(None, (Variable.IMPORT.given or "").split(",")))


def load_everything() -> None:
    """Register what a worker, a command or a program may need: what is installed, and what QPSEARCH_IMPORT names.

    Doing so twice has no effect.

    Raises:
        UserError: Something of it cannot be imported.
    """
    load_installed()
    load_modules(",".join(imports()))


def runtime_env() -> dict[str, Any]:
    """Return Ray's runtime environment for workers on other machines: the imported modules, and their names."""
    words = imports()
    names = [_name(word) for word in words]
    files = [Path(sys.modules[name.partition(".")[0]].__file__ or "") for name in names]
    sources = [path.parent if path.name == "__init__.py" else path for path in files]
    folders = os.pathsep.join(str(source.parent) for source in sources)
    variables = {Variable.IMPORT.value: ",".join(names), Variable.IMPORT_FOLDERS.value: folders}
    return {"py_modules": list(map(str, sources)), "env_vars": variables} if words else {}


def safe_path() -> list[str]:
    """Return ``sys.path`` with the current folder last: a file there must not stand in for an installed module."""
    here = Path.cwd()
    own = [entry for entry in sys.path if Path(entry or ".").absolute() == here]
    return [entry for entry in sys.path if entry not in own] + own


def _imported(word: str) -> Any:
    if not word.endswith(".py") and not all(part.isidentifier() for part in word.split(".")):
        raise UserError(f"{word}: is not a module name. Expected a file such as ./blocks.py, or a name such as blocks.")
    if word.endswith(".py") and not _name(word).isidentifier():
        raise UserError(f"{word}: cannot be imported. Expected a file named by letters, digits and '_'. Rename it.")
    shipped = Variable.IMPORT_FOLDERS.given
    folder = str(Path(word).parent.absolute()) if word.endswith(".py") else str(Path.cwd())
    # last, so that other files there do not stand in for installed modules
    sys.path += [each for each in (shipped.split(os.pathsep) if shipped else [folder]) if each not in sys.path]
    try:
        if not shipped:
            _refuse_taken(word, folder)
        module = importlib.import_module(_name(word))
    except UserError as error:
        raise UserError(f"{word}: {error}") from None
    except ModuleNotFoundError as error:
        if error.name == _name(word).partition(".")[0]:
            text = (
                f"{word}: no such module. Expected a file such as ./blocks.py, or a module that python can import here."
            )
            raise UserError(text) from None
        raise UserError(f"{word}: cannot be imported: {said(error)}.") from error
    except (Exception, SystemExit) as error:  # the user's module may raise anything
        raise UserError(f"{word}: cannot be imported: {said(error)}.") from error
    return module


def _refuse_taken(word: str, folder: str) -> None:
    """Raise UserError if a module in a folder has the name of another module, in whose place others would import it."""
    top = _name(word).partition(".")[0]
    own, found = PathFinder.find_spec(top, [folder]), importlib.util.find_spec(top)
    if own is None or own.origin is None or found is None:
        return
    if found.origin is None or Path(found.origin).resolve() != Path(own.origin).resolve():
        raise UserError(f"another module is already named {top!r} ({found.origin}). Rename {own.origin}.")


def _name(word: str) -> str:
    return Path(word).stem if word.endswith(".py") else word
