"""Audits of whole families: ``python -m tests.benchmarks.audit [--quick] [--output FILE]``.

Every family at 8, 20, 110 and 272 layers, 100 steps, six mixes of precision and scale of inputs; then, at 20 layers, with each
rule set otherwise, one at a time. Takes about an hour; the table is committed.
"""

import argparse
import platform
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import torch

from qpsearch.architecture.named import named_network
from qpsearch.architecture.variations import one_at_a_time
from qpsearch.models.audit import AuditPlan, Look, audit
from tests.benchmarks.report import hardware

FAMILIES = ("resnet", "quotient", "pure", "pure_norelu", "additive", "product_unit", "quotient_product_unit")
CHANGED = ("additive20", "quotient20", "product_unit20", "quotient_product_unit20", "pure20")
DEPTHS = (8, 20, 110, 272)
WHOLE = AuditPlan(size=16, batch=8)
SHORT = AuditPlan(size=16, batch=8, steps=(0, 1, 10), scales=(1.0, 1e3))


def where(look: Look) -> str:
    """Say which look it was."""
    return f"{look.precision}, inputs {look.scale:g}, {look.steps} steps, {'train' if look.training else 'eval'}"


def line(name: str, looks: Sequence[Look]) -> str:
    """Sum up one network."""
    failed = [look for look in looks if not look.passed]
    units = [look for look in looks if look.exponents is not None and look.at_floor is not None]
    floors = [look.at_floor for look in units if look.at_floor is not None and look.passed]
    tops = [look.exponents[1] for look in units if look.exponents is not None]
    cells = (
        name,
        f"{len(looks) - len(failed)} of {len(looks)}",
        where(failed[0]) if failed else "-",
        f"{max(max(look.activations) for look in looks):.1e}",
        f"{max(max(look.gradients) for look in looks):.1e}",
        f"{min(floors):.0%} to {max(floors):.0%}" if floors else "-",
        f"{max(tops):.1f}" if tops else "-",
    )
    return f"| {' | '.join(cells)} |"


def report(depths: Sequence[int], whole: AuditPlan, short: AuditPlan, changed: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the page."""
    yield "# Audits: what stays finite"
    yield ""
    yield (
        f"`python -m tests.benchmarks.audit`, {date.today():%Y-%m-%d}; {hardware()}, torch threads {torch.get_num_threads()}, "
        f"{platform.machine()}. Training on noise, images of {whole.size}x{whole.size}, {whole.batch} a step, SGD {whole.lr:g} with "
        f"momentum 0.9; looked at after {', '.join(map(str, whole.steps))} steps, in train and eval mode, inputs of deviation "
        f"{', '.join(f'{scale:g}' for scale in whole.scales)}, in {' and '.join(whole.precisions)}. n = 1 seed."
    )
    yield ""
    yield "| network | finite looks | first that is not | largest activation | largest gradient | at the floor | largest ln of a unit |"
    yield f"|{'---|' * 7}"
    for family in FAMILIES:
        for depth in depths:
            yield line(f"`{family}{depth}`", list(audit(named_network(f"{family}{depth}"), whole)))
    yield ""
    yield (
        f"## One rule otherwise: at 20 layers, after {', '.join(map(str, short.steps))} steps, inputs of "
        f"{', '.join(f'{scale:g}' for scale in short.scales)}"
    )
    for name in changed:
        others = {label: list(audit(network, short)) for label, network in one_at_a_time(named_network(name))}
        failed = {label: [look for look in looks if not look.passed] for label, looks in others.items()}
        bad = {label: looks for label, looks in failed.items() if looks}
        yield ""
        yield f"`{name}`: {len(others) - len(bad)} of {len(others)} settings stay finite{':' if bad else '.'}"
        if bad:
            yield ""
        for label, looks in bad.items():
            yield f"- `{label}` does not: {len(looks)} of {len(others[label])} looks, first at {where(looks[0])}"


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="8 layers, few steps, one network's rules")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    quick = AuditPlan(size=8, batch=4, steps=(0, 1), scales=(1.0,))
    lines = report((8,), quick, quick, ("quotient8",)) if asked.quick else report(DEPTHS, WHOLE, SHORT, CHANGED)
    text = ""
    for each in lines:
        print(each, flush=True)
        text += f"{each}\n"
    if asked.output is not None:
        asked.output.write_text(text)


if __name__ == "__main__":
    main()
