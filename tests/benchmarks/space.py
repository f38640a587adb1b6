"""What reading a space file costs: ``python -m tests.benchmarks.space [--quick] [--json]``.

``qpsearch space check`` answers at every save of an editor, so it is measured against the least that any such command
could do: start Python and import the two libraries that reading a file needs.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.report import Row, alternate, as_json, as_table, hardware, row, timed

ROOT = Path(__file__).parents[2]
CHECK = [sys.executable, "-m", "qpsearch.cli.main", "space", "check", str(ROOT / "spaces" / "cifar.yaml")]
IMPORTS = [sys.executable, "-c", "import pydantic, ruamel.yaml; pydantic.BaseModel; ruamel.yaml.YAML"]


def rows(repetitions: int) -> list[Row]:
    """Measure the whole command and the two imports in turn, each in a fresh process."""

    def check() -> float:
        return timed(lambda: subprocess.run(CHECK, check=True, stdout=subprocess.DEVNULL))

    def imports() -> float:
        return timed(lambda: subprocess.run(IMPORTS, check=True))

    check(), imports()  # the first of each reads files that the others find in memory
    return [
        row(
            "imports: space check of spaces/cifar.yaml",
            alternate(repetitions, check, imports),
            alternative="a Python that imports pydantic and ruamel.yaml",
            unit="s",
            target=2.0,
            note="a fresh process each, from its start to its end",
        )
    ]


def main() -> None:
    """Print the table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three repetitions instead of twenty")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = rows(3 if asked.quick else 20)
    print(as_json("space", found, hardware()) if asked.json else as_table(found, hardware()))


if __name__ == "__main__":
    main()
