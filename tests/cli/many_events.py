"""Feeds a display with the events of a busy study, as fast as it takes them: ``python -m tests.cli.many_events``.

Beside it a library prints to standard output and error, a child process too, and heights change at each event.
"""

import os
import random
import subprocess
import sys
import threading
import time
import warnings

from qpsearch.architecture.config import TrialConfig
from qpsearch.display.steady import open_display
from qpsearch.protocol import EpochReport, Place
from qpsearch.space import parse_space
from qpsearch.study.trials.events import Closed, Dispatching, Preparing, Reported, Started, StudyOpened
from tests.scripted import Behaviour, space_text

TRIALS = 150
MOST_OPEN = 40
DETAIL = "RuntimeError: " + "a long message that no terminal shows in one line " * 4


def main() -> None:
    generator = random.Random(0)
    text = space_text(
        Behaviour.IMPROVES, trials=TRIALS, study="a-study-with-a-name-that-is-long-for-a-terminal-line", pruner="none"
    )
    space = parse_space(text, "s.yaml")
    config: TrialConfig = None  # type: ignore[assignment]  # no display looks at it
    blocks = ("quotient_product_unit", "additive", "product_unit", "quotient") * 2
    report = EpochReport(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, seconds=0.01, checkpoint="")
    place = Place(host="a-host", device="NVIDIA H100 80GB HBM3", threads=1, memory_format="x")
    with open_display() as display:
        display.see(StudyOpened(space=space, ended={}, best=None, left=space.search.budget))
        display.see(Preparing(what="starting Ray"))
        time.sleep(0.3)
        display.see(Dispatching(how="40 at once on 1 node, 1 core each", slots=MOST_OPEN, gpus=0.0))
        is_over = threading.Event()
        noise = threading.Thread(target=_noise, args=(is_over,))
        noise.start()
        open_trials: list[int] = []
        started = 0
        while started < TRIALS or open_trials:
            time.sleep(generator.choice((0, 0, 0.002, 0.02)))
            if started < TRIALS and len(open_trials) < MOST_OPEN and generator.random() < 0.6:
                stages = blocks[: generator.randint(1, 8)]
                display.see(Started(number=started, attempt=1, blocks=stages, config=config, epochs=4, resumed_at=0))
                open_trials.append(started)
                started += 1
            elif open_trials:
                number = generator.choice(open_trials)
                display.see(Reported(number=number, replicate=0, value=0.5, report=report, place=place))
                if generator.random() < 0.5 or started == TRIALS:
                    open_trials.remove(number)
                    fails = number % 7 == 0
                    display.see(
                        Closed(
                            number=number,
                            state="FAIL" if fails else "COMPLETE",
                            value=None if fails else number / 1000,
                            reason="error" if fails else None,
                            detail=DETAIL if fails else None,
                            seconds=1.5,
                        )
                    )
        is_over.set()
        noise.join()
    display.say("the end")


def _noise(is_over: threading.Event) -> None:
    count = 0
    while not is_over.wait(0.03):
        print(f"printed {count}")
        os.write(2, f"written {count}\n".encode())
        warnings.warn(f"warned {count}", stacklevel=1)
        if count % 10 == 0:
            subprocess.run(["echo", f"echoed {count}"], check=True)
        count += 1
    sys.stdout.flush()


if __name__ == "__main__":
    main()
