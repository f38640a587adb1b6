"""What a worker of a Ray of our own loads before its first trial: what each trial of the real trainer needs.

Ray imports this module when it starts a worker. Where that does not work, the trial loads the same, and says what is
wrong.
"""

import gc
import os

THREADS = "OMP_NUM_THREADS"

gc.disable()  # looking through what is loaded, again and again, takes a fifth of a second
if is_ours := THREADS not in os.environ:
    os.environ[THREADS] = "1"  # numpy would start a thread for each core; a trial tells torch its own number
try:
    import qpsearch.dispatch.tune
    import qpsearch.training.levels  # noqa: F401  # what a trial imports, torch with it
finally:
    if is_ours:
        del os.environ[THREADS]  # Ray sets it for each trial
    gc.freeze()
    gc.enable()
