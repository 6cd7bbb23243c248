"""Graceful stop of a web process: it takes nothing new, answers open requests, closes streams, then ends."""

import logging
import select
import signal
import time
from typing import Final

from daphne.server import Server
from django.conf import settings
from twisted.internet import reactor
from twisted.internet.tcp import Port

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.05
LAST_REQUESTS_SECONDS: Final = 1.0
"""In which the requests of the last connections arrive."""
GOODBYE_SECONDS: Final = 2.0
"""Patience with a WebSocket that has taken the close and does not answer it."""
FLUSH_SECONDS: Final = 0.2
"""After the last answer, so that the network takes it."""


class CalmStop:
    """Stops a server at SIGTERM once what is in flight is answered, at the latest after the grace.

    A second SIGTERM ends it at once.

    Args:
        server: Whose connections are looked at, with what serves each.
    """

    def __init__(self, server: Server) -> None:
        self.is_stopping = False
        self.ports: list[Port] = []
        self._server = server
        self._ends_at = 0.0

    def wait_for_signal(self) -> None:
        """Take the signal over from Twisted, which would end everything at once. For the running reactor."""
        signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(self.begin))

    def begin(self) -> None:
        """Close the doors, wake who waits, and look out for the last answer."""
        from runs.events.hub import current_hub  # noqa: PLC0415 - the command is read before Django has loaded the models

        if self.is_stopping:
            reactor.stop()
            return
        self.is_stopping = True
        log.info("web process stops: %d answers are under way", self.in_flight)
        for port in self.ports:
            while select.select([port], [], [], 0)[0]:
                port.doRead()  # whoever the system has let in already is served
            port.stopListening()
        current_hub().close()
        self._ends_at = time.monotonic() + settings.WEB_GRACE_SECONDS
        reactor.callLater(LAST_REQUESTS_SECONDS, self._look)

    @property
    def in_flight(self) -> int:
        """Number of requests and WebSockets that are served."""
        served = [facts for facts in self._server.connections.values() if "disconnected" not in facts]
        applications = [facts["application_instance"] for facts in served if "application_instance" in facts]
        return sum(not application.done() for application in applications)

    def _look(self) -> None:
        self._end_goodbyes()
        if self.in_flight and time.monotonic() < self._ends_at:
            reactor.callLater(LOOK_SECONDS, self._look)
            return
        if self.in_flight:
            log.warning("%d answers were not given within the grace", self.in_flight)
        reactor.callLater(FLUSH_SECONDS, reactor.stop)

    def _end_goodbyes(self) -> None:
        """Drop the WebSockets whose callers have taken all that was sent and do not answer the close."""
        from runs.events.send_buffer import SendBuffer  # noqa: PLC0415 - as above

        for protocol in list(self._server.connections):
            said_at = getattr(protocol, "goodbye_at", None)
            if said_at is not None and time.monotonic() - said_at > GOODBYE_SECONDS and not SendBuffer(protocol).unsent:
                protocol.dropConnection(abort=True)
