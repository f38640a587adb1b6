"""A benchmark of search in simulated time: ours beside other libraries' on tables of real learning curves.

``python -m tests.benchmarks.search``; its own docstring has the options and what it prints. ``parameters`` and ``task``
say what a task is; ``tables``, ``lcbench`` and ``planted`` are the tasks, ``catalogue`` their names and groups.
``simulation`` is the event loop; ``baselines``, ``optuna_search``, ``syne_search`` and ``ours`` are the searches,
``methods`` their names. ``scores`` and ``printing`` sum the runs up.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and others are loaded: a run is measured on one core
