"""Entry of the ``qpsearch`` command: runs what was asked for; errors become one message and an exit code."""

import sys
from typing import Final

from qpsearch.errors import QpsearchError, SpaceError

INTERRUPTED: Final = 130


def main() -> None:
    """Run the command line; exit 0 done, 1 the run failed, 2 your file or flag, 130 interrupted."""
    words = sys.argv[1:]
    try:
        if words[:2] == ["space", "check"] and len(words) == 3 and not words[2].startswith("-"):
            from qpsearch.cli.check import check  # an editor asks at every save, and typer takes as long as the check

            check(words[2])
        else:
            from qpsearch.cli.app import make_app

            make_app(words[0] if words else None)()
    except QpsearchError as error:
        place = "" if isinstance(error, SpaceError) else "qpsearch: "  # FILE:LINE:COLUMN comes first, for editors
        print(f"{place}{error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # `qpsearch trials | head` is no fault
        sys.exit(0)


if __name__ == "__main__":
    main()
