"""Doing things to studies in a world until enough was done, and checking each study at its end."""

import math
import random
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.world import Injection
from tests.faults.worlds import WORLDS, World


@dataclass
class Outcome:
    """What a world has been through.

    Attributes:
        injections: Everything that was done.
        totals: Studies, trials, recorded epochs, repeated and allowed ones, over all studies.
    """

    world: str
    injections: list[Injection] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)


def torment(world: World, count: int, generator: random.Random, per_study: int = 8) -> Outcome:
    """Inject ``count`` faults, evenly over the world's kinds, at random moments; start a new study when one is over."""
    outcome = Outcome(world.name)
    plan = [kind for kind in world.actions for _ in range(-(-count // len(world.actions)))]
    generator.shuffle(plan)
    del plan[count:]
    while plan:
        study = world.new_study()
        try:
            done = 0
            while plan and done < per_study and study.wait_for_work(generator):
                kind = plan.pop()
                allowed = world.actions[kind](study, generator)
                study.allowed += allowed
                outcome.injections.append(Injection(kind, world.name, len(study.running()), allowed))
                done += 1
                print(f"{world.name}: {kind} ({len(plan)} left)", flush=True)
            study.finish()
            outcome.totals.update(study.check() | {"studies": 1})
        except BaseException:
            print(study.output()[-6000:])
            study.kill_all()
            raise
        study.remove()
    return outcome


def run_world(name: str, injections: int, seed: int) -> Outcome:
    """Inject a world's share of the full form."""
    make, share = WORLDS[name]
    with make() as world:
        return torment(world, math.ceil(share * injections), random.Random(f"{seed} {name}"))
