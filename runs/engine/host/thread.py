"""The host of this process, in a thread of its own."""

import asyncio
import logging
import os
import signal
import threading
from functools import partial

from runs.engine.host.host import Host
from runs.engine.watchdog import watched_loop

log = logging.getLogger(__name__)


class HostThread(threading.Thread):
    """Runs one host's event loop."""

    def __init__(self, name: str) -> None:
        super().__init__(name="engine", daemon=True)
        self.host = Host(name)

    def run(self) -> None:
        """Serve until the host is stopped."""
        try:
            with asyncio.Runner(loop_factory=partial(watched_loop, self.host.watchdog)) as runner:
                runner.run(self.host.serve())
        except Exception:
            log.exception("the engine has ended, so this worker stops")
            os.kill(os.getpid(), signal.SIGTERM)


_running: HostThread | None = None


def start_host(name: str) -> None:
    """Start this process's host."""
    global _running  # noqa: PLW0603 - a process has one host, as it has one pid
    _running = HostThread(name)
    _running.start()


def stop_host(*, timeout_seconds: float) -> None:
    """Stop this process's host and wait until everything is released."""
    if _running is not None:
        _running.host.stop()
        _running.join(timeout_seconds)


def poke_host() -> None:
    """Tell this process's host, if there is one, that there may be work."""
    if _running is not None:
        _running.host.poke()
