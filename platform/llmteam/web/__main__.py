"""The command of a web process: ``python -m llmteam.web --bind 0.0.0.0 --port 8000``.

Takes Daphne's options. Without an application it serves ours.
"""

import os
import sys
from typing import Final

from daphne.cli import CommandLineInterface

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")

from llmteam.web.server import BoundedServer

APPLICATION = "llmteam.asgi:application"
SWITCH_SECONDS: Final = 0.001
"""How long a thread computes before another has its turn. With Python's 5 ms the event loop, which waits for one at
every piece of every answer, takes a good part of a second for one while eight request threads compute."""


class Command(CommandLineInterface):  # type: ignore[misc]  # daphne has no types
    """Daphne's command line with our server."""

    server_class = BoundedServer

    def __init__(self) -> None:
        super().__init__()
        application = next(action for action in self.parser._actions if action.dest == "application")  # noqa: SLF001 - argparse offers no other way to an argument that exists
        application.nargs, application.default = "?", APPLICATION


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_SECONDS)
    Command().run(sys.argv[1:])
