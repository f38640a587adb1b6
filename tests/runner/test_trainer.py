"""What a worker does before its first trial."""

import subprocess
import sys

CODE = """
import gc
from qpsearch.architecture.candidates import sample
from qpsearch.protocol import RunSettings
from qpsearch.runner import trainer
from qpsearch.space import load_space
config = sample(load_space("smoke"), 1)[0].config
for _ in range(2):
    for report in trainer.train(config, RunSettings(seed=0)):
        break
print(gc.get_freeze_count(), gc.collect())
"""


def test_modules_are_left_out_of_collections() -> None:
    """Else each trial's end would look at all 190,000 objects of torch again."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    frozen, _ = map(int, done.stdout.split())
    assert frozen > 100_000
