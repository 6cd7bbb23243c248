"""`python -m devserver run`: everything on this machine."""

import argparse
import sys

from devserver.errors import DevserverError
from devserver.run import DEFAULT_NAME, run


def main() -> int:
    """Run the command that was asked for; a failure is a sentence on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m devserver", description="The platform on one machine.")
    parser.add_argument("command", choices=["run"], help="bring everything up and keep it up; PORT chooses the port")
    parser.add_argument("--name", default=DEFAULT_NAME, help="whose data: .data/NAME (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        run(arguments.name)
    except DevserverError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
