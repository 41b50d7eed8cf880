"""``python -m reports RUN_FOLDER``: write the report of a run and say where it is."""

import sys
from pathlib import Path

from reports.record import RecordError
from reports.render import render

USAGE = "usage: python -m reports RUN_FOLDER\n"


def main(arguments: list[str]) -> int:
    """Render one run folder; return 0, or 2 after one line on standard error."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write(USAGE)
        return 2
    try:
        page = render(Path(arguments[0]))
    except RecordError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
