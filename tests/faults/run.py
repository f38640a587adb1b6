"""Doing things to studies in a world until enough was done, and checking each study at its end."""

import math
import random
import time
from dataclasses import dataclass, field

from tests.faults.worlds import WORLDS, World


@dataclass(frozen=True)
class Tormented:
    """A study at its end.

    Attributes:
        kinds: What was done to it.
        counts: Its trials, recorded epochs, repeated and allowed ones.
    """

    kinds: tuple[str, ...]
    counts: dict[str, int]


@dataclass
class Outcome:
    """What a world has been through."""

    world: str
    studies: list[Tormented] = field(default_factory=list)


def even_plan(world: World, count: int, generator: random.Random) -> list[str]:
    """Return ``count`` of the world's kinds in a random order, as evenly as can be."""
    plan = [kind for kind in world.actions for _ in range(-(-count // len(world.actions)))]
    generator.shuffle(plan)
    return plan[:count]


def torment(world: World, plan: list[str], generator: random.Random, per_study: int = 8) -> Outcome:
    """Inject the faults of a plan, from its end, at random moments; start a new study when one is over."""
    outcome, plan = Outcome(world.name), list(plan)
    while plan:
        study = world.new_study()
        try:
            done = []
            while plan and len(done) < per_study and study.wait_for_work(generator):
                kind, began = plan[-1], time.monotonic()
                allowed = world.actions[kind](study, generator)
                if allowed is None:
                    break
                plan.pop()
                study.allowed += allowed
                done.append(kind)
                print(f"{world.name}: {kind}, {time.monotonic() - began:.1f} s ({len(plan)} left)", flush=True)
            study.finish()
            counts = study.check()
            world.check(study)
            outcome.studies.append(Tormented(tuple(done), counts))
        except BaseException:
            print(study.output()[-6000:])
            study.kill_all()
            raise
        study.remove()
    return outcome


def run_world(name: str, injections: int, seed: int) -> Outcome:
    """Inject a world's share of the full form."""
    make, share = WORLDS[name]
    generator = random.Random(f"{seed} {name}")
    with make() as world:
        return torment(world, even_plan(world, math.ceil(share * injections), generator), generator)
