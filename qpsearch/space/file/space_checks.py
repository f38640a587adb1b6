"""Checks of a space whose leaves are right: settings that do not fit each other."""

from collections.abc import Iterator

from qpsearch.errors import counted
from qpsearch.registry.augmentations import Padding, changes_among
from qpsearch.registry.augmentations.base import ImageForm
from qpsearch.registry.augmentations.crop import CROP
from qpsearch.registry.metrics.base import ValuesFrom
from qpsearch.registry.pruners import PrunerKind, earliest_wilcoxon
from qpsearch.space.constraints import COSTS
from qpsearch.space.file.checks import where_is
from qpsearch.space.file.document import MappingNode, Node
from qpsearch.space.file.problems import Problems
from qpsearch.space.leaves import Derived, Tied
from qpsearch.space.space import Space, TunedArms


def check_space(space: Space, root: Node, problems: Problems, *, strict: bool) -> None:
    """Note what is wrong with a space as a whole; ``root`` is its document, which gives the places.

    Of the space that a study stores, without ``strict``, the pruner may prune nothing, and a tie have the name of a
    cost: they were accepted once.
    """
    checks = (
        _validation,
        _metrics,
        _images,
        _priors,
        _rungs,
        _first,
        _epochs,
        _targets,
        _score,
        _objectives,
        _race,
        _wilcoxon,
        _bounds,
        *((_idle, _ties) if strict else ()),
    )
    for check in checks:
        for path, text in check(space):
            problems.wrong(where_is(root, *path.split(".")), path, text)


def check_arms(space: Space, compare: TunedArms, root: Node, problems: Problems, *, strict: bool) -> None:
    """Note what is wrong with a comparison; ``root`` is its document, which gives the places.

    Of the space that a study stores, without ``strict``, arms may mean the same: it was accepted once.
    """
    search = root.get("search") if isinstance(root, MappingNode) else None
    if isinstance(search, MappingNode) and "trials" in search:
        text = "each arm is searched in compare.tune.trials trials. Write their number there."
        problems.wrong(where_is(root, "search", "trials"), "search.trials", text)
    for path, text in (*_arms(space, compare), *(_twins(compare) if strict else ())):
        problems.wrong(where_is(root, *path.split(".")), path, text)


def _arms(space: Space, compare: TunedArms) -> Iterator[tuple[str, str]]:
    if len(space.search.objectives) > 1:
        yield "search.objective", "a comparison has a single objective. Leave the costs to its table, which has them."
    if space.search.is_grid:
        yield "search.sampler", "a grid does not tune. Write sampler: gp, or leave out compare and compare the points."
    if compare.top > compare.trials:
        text = (
            f"{compare.top} configurations cannot be chosen from {compare.trials} trials. Expected at most that many."
        )
        yield "compare.retrain.top", text
    data = {name: getattr(space.data, name) for name in ("dataset", "validation", "own_validation", "own")}
    for name, arm in compare.arms.items():
        path = f"compare.arms.{name}"
        for key, value in data.items():
            if getattr(arm.data, key) != value:
                changed = "" if key == "own" else f"data.{key} from {value} to {getattr(arm.data, key)}"
                yield path, f"changes {changed or 'the images of data'}. All arms share their images."
        if not arm.searched:
            yield (
                path,
                "has nothing to tune: every setting is a constant. Give it a domain, such as "
                "training.optimizer.sgd.lr: {log: [0.01, 0.3]}; or compare the points of a grid with replicates.",
            )


def _twins(compare: TunedArms) -> Iterator[tuple[str, str]]:
    first: dict[str, str] = {}
    for name, arm in compare.arms.items():
        twin = first.setdefault(arm.fingerprint, name)
        if twin != name:
            text = f"means the same as {twin}, so nothing is compared. Change a setting, or leave one of them out."
            yield f"compare.arms.{name}", text


def _ties(space: Space) -> Iterator[tuple[str, str]]:
    for site in space.sites:
        if isinstance(site.leaf, Tied) and site.leaf.name in COSTS:
            yield site.path, f"tie {site.leaf.name!r} is a cost in conditions. Choose another name."


def _validation(space: Space) -> Iterator[tuple[str, str]]:
    data, facts, search = space.data, space.data.facts, space.search
    count = data.validation
    if count and not data.own_validation and not facts.classes <= count <= facts.train_images // 2:
        yield (
            "data.validation",
            f"cannot take {count} of the {facts.train_images} training images of {space.data.dataset}. "
            f"Expected 0 (none), or from {facts.classes} (one for each label) to {facts.train_images // 2} (half).",
        )
    if count and not data.own_validation and data.own is not None and data.own.fewest < 2:
        text = "a class has only one training image, so none can be held out. Add images, or write validation: 0."
        yield "data.validation", text
    needy = next((each.metric for each in search.objectives if each.metric.needs_validation), None)
    if count == 0 and needy is not None:
        yield (
            "data.validation",
            f"0 holds out no images, but the objective, {needy}, needs some. Hold out some, or write "
            "search.objective: {minimize: train_loss}, by which trials are then scored and pruned.",
        )
    elif count == 0 and (recorded := [each for each in search.metrics if each.needs_validation]):
        yield (
            "data.validation",
            f"0 holds out no images, but {recorded[0]} of search.metrics needs some. Hold out some.",
        )


def _metrics(space: Space) -> Iterator[tuple[str, str]]:
    classes = space.data.facts.classes
    for metric in dict.fromkeys([*(each.metric for each in space.search.objectives), *space.search.metrics]):
        if classes < metric.kind.least_classes:
            text = f"{metric} is the same for every network: {space.data.dataset} has {classes} classes. Leave it out."
            yield "search.metrics" if metric in space.search.metrics else "search.objective", text


def _images(space: Space) -> Iterator[tuple[str, str]]:
    data, facts = space.data, space.data.facts
    side = facts.stored_size
    coloured = [kind for kind, _ in changes_among(data.augment, ImageForm.PIXELS)]
    if coloured and facts.channels not in (1, 3):
        yield (
            "data.augment",
            f"{coloured[0]} changes images of 1 or 3 channels, but {data.dataset} has {facts.channels}.",
        )
    if data.padding is not Padding.MEAN and CROP.name not in data.augment:
        yield "data.padding", "only crops pad images. Add crop to augment, or write padding: mean."
    elif data.padding is not Padding.MEAN and side:
        text = f"crops of {data.dataset} are cut from images of {side}x{side} pixels, so nothing is padded."
        yield "data.padding", f"{text} Write padding: mean."
    if len(data.moments[0]) != facts.channels:
        yield (
            "data.normalise",
            f"{data.normalise} has a mean for each of 3 colours, but the images of {data.dataset} are grey. "
            "Write normalise: dataset.",
        )


def _priors(space: Space) -> Iterator[tuple[str, str]]:
    guessed = [site.path for site in space.sites if site.domain is not None and site.domain.prior is not None]
    if space.search.sampler.is_designed and guessed:
        does = "tries every point" if space.search.is_grid else "chooses all values itself"
        yield guessed[0], f"a {space.search.sampler.called} {does}, so a prior has no effect. Remove it."


def _rungs(space: Space) -> Iterator[tuple[str, str]]:
    first = space.search.pruner_options.get("first")
    most = space.most_epochs
    if first is not None and first >= most:
        yield (
            f"search.pruner.{space.search.pruner}.first",
            f"a trial of {most} epoch{'s' * (most != 1)} has no rung at epoch {first}, so nothing would be pruned. "
            + (f"Expected at most {most - 1}." if most > 1 else "Expected search.pruner: none, or more epochs."),
        )


def _first(space: Space) -> Iterator[tuple[str, str]]:
    given = {"first": space.search.papers or space.search.first, "warm_start": space.search.warm_start}
    for name, is_given in given.items():
        if is_given and space.search.sampler.is_designed:
            yield (
                f"search.{name}",
                f"the points of a {space.search.sampler.called} are known before the first trial. Remove it.",
            )


def _epochs(space: Space) -> Iterator[tuple[str, str]]:
    if isinstance(space.training.get("epochs"), Derived) and space.search.pruner is not PrunerKind.NONE:
        yield (
            "training.epochs",
            "a pruner must know the largest number of epochs before the search, so epochs cannot be computed. "
            "Write a number or a domain, or pruner: none.",
        )


def _targets(space: Space) -> Iterator[tuple[str, str]]:
    """A run that does not reach a target counts by its own epochs: a short one would beat a long one that does."""
    aimed = [each.metric for each in space.search.objectives if each.metric.kind.source is ValuesFrom.TARGET]
    if aimed and space.fewest_epochs != space.most_epochs:
        yield "training.epochs", f"{aimed[0]} compares runs of equally many epochs. Write a number."


def _score(space: Space) -> Iterator[tuple[str, str]]:
    first, fewest = space.search.score.from_epoch, space.fewest_epochs
    if first > 1 and fewest is None:
        yield (
            "training.epochs",
            f"from_epoch: {first} needs the smallest number of epochs before the search, so epochs cannot be computed. "
            "Write a number or a domain.",
        )
    elif fewest is not None and first > fewest:
        yield (
            "search.score.best.from_epoch",
            f"a run of {counted(fewest, 'epoch')} does not reach epoch {first}. Expected at most {fewest}, the "
            "smallest training.epochs.",
        )


def _objectives(space: Space) -> Iterator[tuple[str, str]]:
    pruner = space.search.pruner
    if len(space.search.objectives) > 1 and space.search.sampler.has_one_objective:
        yield "search.sampler", f"{space.search.sampler} has a single objective. Write sampler: gp, tpe or nsga2."
    if len(space.search.objectives) > 1 and pruner is not PrunerKind.NONE and not pruner.has_rungs:
        yield (
            "search.pruner",
            f"{pruner} needs a single objective: with several, a less accurate network may be on the Pareto front "
            "because it is small. Write pruner: asha, which compares trials in all objectives, or pruner: none.",
        )


def _wilcoxon(space: Space) -> Iterator[tuple[str, str]]:
    search = space.search
    if search.pruner is not PrunerKind.WILCOXON:
        return
    first = earliest_wilcoxon(search.pruner_options)
    if search.race is not None:
        text = "wilcoxon compares trials on the same seeds, of which a race trains more or fewer. Write replicates: "
        yield "search.pruner", f"{text}{max(search.race, first + 1)}, or another pruner."
    elif search.replicates <= first:
        yield (
            "search.pruner",
            f"wilcoxon can prune a trial after {first} seeds at the earliest, so with replicates: {search.replicates} "
            f"nothing would be pruned. Write replicates: {first + 1} or more, or another pruner.",
        )


def _bounds(space: Space) -> Iterator[tuple[str, str]]:
    lower, upper = (space.search.pruner_options.get(name) for name in ("lower", "upper"))
    if lower is not None and upper is not None and lower > upper:
        text = f"lower {lower:g} is above upper {upper:g}, so every value would be pruned. Expected lower below upper."
        yield "search.pruner.threshold", text


def _idle(space: Space) -> Iterator[tuple[str, str]]:
    """Find a pruner that would prune nothing, in any trial."""
    search, epochs = space.search, space.run_epochs
    options, path = search.pruner_options, f"search.pruner.{search.pruner}"
    if search.pruner is PrunerKind.THRESHOLD and options["lower"] is None and options["upper"] is None:
        fix = "Write a bound, such as pruner: {threshold: {lower: 0.2}}, or pruner: none."
        yield path, f"without lower and upper nothing would be pruned. {fix}"
    warmup, patience = options.get("warmup"), options.get("patience")
    if warmup is not None and warmup >= epochs:
        text = f"no trial has an epoch {warmup + 1:g}, so nothing would be pruned."
        yield f"{path}.warmup", f"{text} {_at_most(epochs - 1)}"
    if patience is not None and patience > epochs - 2:
        text = f"prunes at epoch {patience + 2:g} at the earliest, which no trial has, so nothing would be pruned."
        yield f"{path}.patience", f"{text} {_at_most(epochs - 2)}"


def _at_most(most: int) -> str:
    return f"Expected at most {most}." if most >= 0 else "Write pruner: none, or more epochs."


def _race(space: Space) -> Iterator[tuple[str, str]]:
    search = space.search
    if search.race is None:
        return
    if len(search.objectives) > 1:
        text = "a race compares one value, and seeds do not change costs."
    elif search.sampler.is_designed:
        text = f"{search.sampler} compares all its points alike, so each needs as many seeds."
    else:
        return
    yield "search.replicates", f"{text} Write replicates: {search.race}."
