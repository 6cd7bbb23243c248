"""The command of a web process: ``python -m llmteam.web --bind 0.0.0.0 --port 8000``.

Takes Daphne's options. Without an application it serves ours.
"""

import os
import sys

from daphne.cli import CommandLineInterface

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")

from llmteam.preflight import stop_where_settings_are_wrong

stop_where_settings_are_wrong()

from kernel.turns.interpreter import take_short_turns  # noqa: E402 - reads the settings, as below
from llmteam.web.server import BoundedServer  # noqa: E402 - as above

APPLICATION = "llmteam.asgi:application"


class Command(CommandLineInterface):  # type: ignore[misc]  # daphne has no types
    """Daphne's command line with our server."""

    server_class = BoundedServer

    def __init__(self) -> None:
        super().__init__()
        application = next(action for action in self.parser._actions if action.dest == "application")  # noqa: SLF001 - argparse offers no other way to an argument that exists
        application.nargs, application.default = "?", APPLICATION


if __name__ == "__main__":
    take_short_turns()
    Command().run(sys.argv[1:])
