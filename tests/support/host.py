"""A host inside the test's own process: fast to start, and open to inspection."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from runs.engine.host.host import Host
from runs.engine.watchdog import watched_loop


class LocalHost:
    """A host in a thread."""

    def __init__(self) -> None:
        self.host = Host("test host")
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="test host")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.host.stop()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the host did not stop"
        if self.error is not None:
            raise self.error

    def _serve(self) -> None:
        try:
            with asyncio.Runner(loop_factory=partial(watched_loop, self.host.watchdog)) as runner:
                runner.run(self.host.serve())
        except BaseException as error:
            self.error = error


@contextmanager
def running_host() -> Iterator[Host]:
    local = LocalHost()
    local.start()
    try:
        yield local.host
    finally:
        local.stop()
