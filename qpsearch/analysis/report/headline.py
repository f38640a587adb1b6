"""What a study found, in sentences for a colleague who was not there."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from optuna.trial import TrialState

from qpsearch.analysis.anova.forecast import ALARM
from qpsearch.analysis.compare.arms import NUMBERED
from qpsearch.analysis.compare.contrast import LEVEL
from qpsearch.analysis.compare.sentences import of_a_pair
from qpsearch.analysis.effects import Effect, EffectTable
from qpsearch.analysis.figures import block_effects
from qpsearch.analysis.importance import ImportanceTable, at_sentence
from qpsearch.analysis.page import Markup, tag
from qpsearch.analysis.page.markup import breakable, text
from qpsearch.analysis.page.parts import paragraphs
from qpsearch.analysis.report.front import front_of
from qpsearch.analysis.report.material import Material
from qpsearch.analysis.report.words import lasted, listed, moment, scalar, value
from qpsearch.errors import command, counted
from qpsearch.registry.samplers.base import Sampler
from qpsearch.space import Space
from qpsearch.space.leaves import Site
from qpsearch.study.records import ConfigurationRecord
from qpsearch.vocabulary import Direction

WORDS: Final = (
    ("COMPLETE", "complete"),
    ("PRUNED", "pruned"),
    ("FAIL", "failed"),
    ("RUNNING", "open"),
    ("WAITING", "waiting"),
)
CLAIMS: Final = 3  # effects of blocks that the headline tells


def lead(material: Material) -> Markup:
    """Return the head of a report: what was searched, what came out, how sure that is."""
    sentences = [searched(material), *compared(material), *found(material), *decided(material)]
    badge = standing(material)
    return Markup.joined(
        [
            tag("p", badge, *([" ", tag("span", "running", class_="badge info")] if material.is_running else [])),
            tag("div", paragraphs(sentences), class_="headline"),
            _tiles(material),
        ]
    )


def _proposals(sampler: Sampler) -> str:
    if not sampler.is_designed:
        return f"proposals by {sampler}"
    return f"{'every point of ' if sampler.is_exhaustive else ''}a {sampler.called}"


def searched(material: Material) -> str:
    """Say what was searched, on which data."""
    own, subject = material.own, material.subject
    told = _counts(material)
    if own is None or subject.space is None:
        goals = listed([f"{each.direction} {each.metric}" for each in subject.objectives])
        size = counted(len(subject.distributions), "parameter")
        count = counted(len(subject.trials), "trial")
        trials = f"{count} so far: {told}." if subject.trials else "It has no trials yet."
        return f"An Optuna study that another program made: {goals}, over {size}. {trials}"
    space = subject.space
    data = space.data
    images = (
        f"{data.validation:,} {'images of its own split' if data.own_validation else 'of the training images'} for "
        "validation"
        if data.validation
        else "no images for validation"
    )
    how = _proposals(space.search.sampler)
    pruner = "" if str(space.search.pruner) == "none" else f", pruned by {space.search.pruner}"
    seeds = f", each on {space.search.seeds_text} seeds" if space.search.most_replicates > 1 else ""
    where, search = f"on {data.dataset} ({images})", f"{_parameters(space)}: {how}{pruner}{seeds}"
    if (arms := space.compare) is not None:
        times = "" if arms.count == 1 else f"in {arms.count} searches of "
        tuned = f"tuned alike {times or 'with '}{counted(arms.trials, 'trial')} each"
        first = f"A comparison of {len(arms.arms)} arms, {tuned}, {where}, each with {search}."
    elif _is_of_another(material):
        first = f"Trains configurations of another study again, on fresh seeds, {where}."
    else:
        first = f"A search of residual networks {where}, {search}."
    if not subject.trials:
        return f"{first} It does not have a trial yet."
    return f"{first} {counted(len(subject.trials), 'trial')} so far: {told}."


def _parameters(space: Space) -> str:
    """Say how many parameters have more than one value: of each arm of a comparison."""
    spaces = [space] if space.compare is None else space.compare.arms.values()
    counts = sorted({sum(_varies(site) for site in each.drawn.values()) for each in spaces})
    if len(counts) == 1:
        return counted(counts[0], "searched parameter")
    return f"{counts[0]} to {counted(counts[-1], 'searched parameter')}"


def _varies(site: Site) -> bool:
    return site.domain is not None and not site.domain.distribution().single()


def found(material: Material) -> Iterator[object]:
    """Say what came out, and how sure that is."""
    subject, own = material.subject, material.own
    if not subject.complete:
        yield _nothing(material)
        return
    metric = subject.objective.metric
    if len(subject.objectives) > 1:
        front = len(own.front) if own else len(front_of(material))
        yield (
            f"With {len(subject.objectives)} objectives there is no single best: {counted(front, 'configuration')} "
            f"{'is' if front == 1 else 'are'} on the Pareto front."
        )
    if own is None or not own.front:
        best = material.ranked[0]
        yield _strong(f"The best {metric} is ", value(best.values[0]), f", of trial {best.number}.")
        yield f"It is the best of {material.compared}: optimistic until it is trained again on fresh seeds."
        return
    yield from _of_configuration(material, own.front[0])


def _of_configuration(material: Material, best: ConfigurationRecord) -> Iterator[object]:
    metric, space = material.subject.objective.metric, material.subject.space
    where = space.search.objective.metric.measured_on if space else "training images"
    several = len(material.subject.objectives) > 1
    which = f"The configuration that is best by {metric} alone" if several else "The best configuration"
    blocks = best.stages[0] if len(set(best.stages)) == 1 else ", ".join(best.stages)
    here = f" of {material.subject.study}" if _is_of_another(material) else ""
    spread = "" if best.sd is None else f" (sd {value(best.sd)}, n = {best.n} seeds)"
    yield _strong(
        f"{which}, trial {best.number}{here} ({blocks}), has a {metric} of ",
        value(best.value),
        f"{spread} on {where}.",
    )
    confirmed = best.confirmed
    if best.is_fresh:
        fresh = len({record.config_json for record in material.own.records}) if material.own else 1
        left = f" It is the best of {fresh} such configurations, so a little optimism is left." if fresh > 1 else ""
        yield f"Its seeds are fresh: a search on other seeds had chosen the configuration.{left}"
    elif confirmed is None or confirmed.mean is None:
        yield (
            f"That number is optimistic: it is the best of {material.compared}, chosen by the images that "
            f"measured it. It is not confirmed on fresh seeds yet: {command('confirm', material.subject.study)}."
        )
    else:
        interval = confirmed.interval
        told = "" if interval is None else f" (95% interval {value(interval[0])} to {value(interval[1])})"
        sd = "" if confirmed.sd is None else f", sd {value(confirmed.sd)}"
        yield _strong(
            "Trained again on fresh seeds, it has ",
            value(confirmed.mean),
            f" (n = {confirmed.n}{sd}). The drop from the search is {value(confirmed.drop)}{told}.",
        )


def compared(material: Material) -> Iterator[str]:
    """Say which arms are shown to differ, where the study compares arms."""
    table = material.own.comparison if material.own else None
    if table is None or not table.pairs:
        return
    count = len(table.pairs)
    apart = [pair for pair in table.pairs if pair.p_adjusted is not None and pair.p_adjusted < LEVEL]
    if count == 1 or not table.has_test:
        yield table.sentences[0]
    elif apart:
        yield f"Of {count} pairs of arms, {len(apart)} {'is' if len(apart) == 1 else 'are'} shown to differ."
        yield from (of_a_pair(table, pair) for pair in apart[:CLAIMS])
    else:
        yield f"None of the {count} pairs of arms is shown to differ."
    note = NUMBERED.format(material.subject.chosen_by)
    if note in table.sentences:
        yield note


def _is_of_another(material: Material) -> bool:
    """Whether a study trains again what another one has chosen, so that their numbers of trials may be mixed up."""
    space, own = material.subject.space, material.own
    return own is not None and own.is_confirmation and space is not None and space.compare is None


def decided(material: Material) -> Iterator[object]:
    """Say what decides, what blocks do, and how sure that is."""
    table, effects = material.importances, material.effects
    if table is None or effects is None:
        if material.subject.trials:
            yield "What decides cannot be said yet."
        return
    if table.nothing is None or table.nothing.p >= ALARM:
        yield table.nothing.sentence if table.nothing else ""
        return
    first = table.importances[0]
    yield _strong(
        f"What decides most of {table.of} is ",
        first.parameter,
        f": {first.importance:.0%} of its variance (90% interval {first.low or 0:.0%} to {first.high or 0:.0%}). "
        f"{table.nothing.sentence}",
    )
    if table.at is not None:
        yield at_sentence(table.objective.metric, table.n, table.at, table.why)
    yield from blocks(effects)
    others = [row for row in effects.effects if row not in block_effects(effects) and row.is_shown]
    if others:
        most = max(others, key=lambda row: abs(row.effect))
        told = _claim(most, effects, placed=False)
        yield f"The largest other effect that is shown: {most.parameter} {told} (90% interval)."


def blocks(table: EffectTable) -> Iterator[str]:
    """Say which blocks are shown to be better or worse than the reference, and where."""
    rows = block_effects(table)
    if not rows:
        return
    shown = sorted((row for row in rows if row.is_shown), key=lambda row: -abs(row.effect))
    if not shown:
        apart = sum(row.low > 0 or row.high < 0 for row in rows)
        some = (
            f"{apart} of {len(rows)} intervals of effects {'does' if apart == 1 else 'do'} not hold 0, maybe by chance"
        )
        why = some if apart else "each interval of an effect holds 0"
        yield f"No block is shown to be better or worse than {scalar(rows[0].reference)}: {why}."
        return
    told = listed([_claim(row, table) for row in shown[:CLAIMS]])
    more = f" {len(shown) - CLAIMS} more are below." if len(shown) > CLAIMS else ""
    rest = len(rows) - len(shown)
    others = f" {counted(rest, 'other effect')} of blocks {'is' if rest == 1 else 'are'} not shown." if rest else ""
    yield f"Blocks: {told} (90% intervals).{more}{others}"


def standing(material: Material) -> Markup:
    """Return a badge: confirmed, optimistic, or without a result."""
    own = material.own
    if not material.subject.complete:
        return tag("span", "no complete trial", class_="badge bad")
    best = own.front[0] if own and own.front else None
    if best is not None and best.is_fresh:
        return tag("span", "on fresh seeds", class_="badge good")
    if best is not None and best.confirmed is not None and best.confirmed.n:
        return tag("span", f"confirmed on {counted(best.confirmed.n, 'fresh seed')}", class_="badge good")
    return tag("span", "optimistic, not confirmed", class_="badge warn")


def _claim(row: Effect, table: EffectTable, *, placed: bool = True) -> str:
    is_more_better = table.objective.direction is Direction.MAXIMIZE
    word = "better" if (row.effect > 0) == is_more_better else "worse"
    ends = sorted((abs(row.low), abs(row.high)))
    place = row.parameter.removesuffix("block").rstrip(".").removeprefix("network.").replace("stages.", "stage ")
    at = f" at {place}" if place and placed else ""
    size = f"{value(abs(row.effect))} ({value(ends[0])} to {value(ends[1])})"
    return f"{scalar(row.level)}{at} is {size} {word} than {scalar(row.reference)}"


def _nothing(material: Material) -> str:
    subject, own = material.subject, material.own
    states = Counter(trial.state for trial in subject.trials)
    if not subject.trials:
        return "Nothing can be said yet."
    if states[TrialState.FAIL] == len(subject.trials):
        reasons = Counter(record.reason for record in own.records) if own else Counter()
        why = listed([f"{number:,} {reason}" for reason, number in reasons.most_common()])
        return f"All its trials failed{f' ({why})' if why else ''}: nothing can be said about the networks."
    return "No trial is complete yet, so there is no result."


def _strong(before: str, number: object, after: str) -> Markup:
    return Markup.joined([text(before), tag("strong", number), text(after)])


def _tiles(material: Material) -> Markup:
    tiles = [*_results(material), ("trials", f"{len(material.subject.trials):,}", _counts(material))]
    if material.own is not None:
        summary = material.own.summary
        spent = f"{lasted(summary.seconds)} of training, {counted(summary.epochs, 'epoch')}"
        tiles.append(("time", lasted(summary.wall_s), spent))
        tiles.append(("made", moment(summary.created).split()[0], f"read {moment(material.made)}"))
    if (table := material.importances) is not None:
        tiles.append(_decides(table, material))
    shown = [
        tag("div", tag("dt", breakable(name)), tag("dd", breakable(what), tag("small", more)))
        for name, what, more in tiles
    ]
    return tag("dl", *shown, class_="tiles")


def _results(material: Material) -> Iterator[tuple[str, str, str]]:
    metric = material.subject.objective.metric
    best = material.own.front[0] if material.own and material.own.front else None
    confirmed = best.confirmed if best else None
    if confirmed is not None and confirmed.mean is not None:
        sd = "" if confirmed.sd is None else f"sd {value(confirmed.sd)}, "
        yield metric, value(confirmed.mean), f"{sd}n = {counted(confirmed.n, 'fresh seed')}"
    elif best is not None:
        yield metric, value(best.value), f"n = {best.n}, {'fresh' if best.is_fresh else 'optimistic'}"
    elif material.ranked:
        yield metric, value(material.ranked[0].values[0]), "the best, optimistic"


def _counts(material: Material) -> str:
    counts = Counter(trial.state.name for trial in material.subject.trials)
    return listed([f"{counts[state]:,} {word}" for state, word in WORDS if counts[state]])


def _decides(table: ImportanceTable, material: Material) -> tuple[str, str, str]:
    if table.nothing is None or table.nothing.p >= ALARM:
        return "what decides", "not shown", f"p = {table.nothing.p:.2f}" if table.nothing else ""
    first = table.importances[0]
    return (
        "what decides",
        material.names[first.parameter],
        f"{first.importance:.0%} of the variance{f' after {table.at}' if table.at else ''} "
        f"({first.low or 0:.0%} to {first.high or 0:.0%})",
    )
