"""A server of our own in a child process: started, watched, started again and ended."""

import time
from abc import ABC, abstractmethod
from typing import ClassVar

from devserver import processes
from devserver.errors import ServerDidNotStart

ATTEMPTS = 3
PAUSE_SECONDS = 0.5


class OwnServer(ABC):
    """One server at one address, over restarts too.

    Attributes:
        stop_signals: What ends it, gentlest first, each with the seconds it is given.
        child: Its process, once it was launched.
    """

    stop_signals: ClassVar[processes.Signals]

    def __init__(self) -> None:
        self.child: processes.Child | None = None

    @abstractmethod
    def spawn(self) -> processes.Child:
        """Start the process."""

    @abstractmethod
    def answers(self, child: processes.Child) -> bool:
        """Wait until the server answers; False once its process has ended or time is up."""

    @abstractmethod
    def did_not_start(self) -> ServerDidNotStart:
        """Say why, as far as its log tells."""

    def launch(self) -> bool:
        """Start the process and wait until it answers; False when it ended or stayed silent."""
        self.child = self.spawn()
        if self.answers(self.child):
            return True
        self.stop()
        return False

    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self.child is not None and self.child.poll() is None

    def revive(self) -> None:
        """Start a server that died again, at the same address with the data it keeps.

        Raises:
            ServerDidNotStart: It does not come up, perhaps because its port has been taken.
        """
        self.stop()
        for _ in range(ATTEMPTS):
            if self.launch():
                return
            time.sleep(PAUSE_SECONDS)
        raise self.did_not_start()

    def stop(self) -> None:
        """End the server, cleanly where it lets us, within some five seconds; may be repeated."""
        if self.child:
            processes.stop(self.child, signals=self.stop_signals)
