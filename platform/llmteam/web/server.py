"""Daphne with bounds: on connections, headers, bodies, their times, and what WebSockets may send."""

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from twisted.internet import reactor
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.web.http import NO_BODY_CODES, NO_CONTENT

from llmteam.api.content import MAX_BODY_BYTES
from llmteam.preflight import stop_where_database_refuses, stop_where_redis_refuses, stop_where_wrong
from llmteam.web.channel import BoundedChannel, RefusedConnection
from llmteam.web.connections import Connections, address_of, connections_that_fit
from llmteam.web.proxies import Networks
from llmteam.web.refusals import body_too_large
from llmteam.web.stopping import CalmStop

log = logging.getLogger(__name__)

WEBSOCKET_MESSAGE_BYTES: Final = 4_096
"""Our WebSockets take no messages; whoever sends one is told so."""
BACKLOG: Final = 1_024
"""Connections the system keeps until they are taken; one that finds no room there is tried again a second later."""
LENGTH: Final = b"content-length"


class BoundedRequest(WebRequest):  # type: ignore[misc]  # daphne has no types
    """A request whose body ends at its bound also where its length was not declared."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Twisted would parse forms on the event loop, for arguments that nobody reads.
        super().__init__(*args, parsePOSTFormSubmission=False, **kwargs)
        self._body_bytes = 0

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Answer; a process that stops takes no more requests on the connection.

        An answer that has no body gets none, in however many pieces it comes: Daphne would write all but the first, and
        the caller, or a proxy that keeps the connection for others, would take that for the next answer.
        """
        if self.server.calm_stop.is_stopping and self.channel is not None:
            self.channel.persistent = False
        if message["type"] == "http.response.start" and message["status"] == NO_CONTENT:
            headers = [(name, value) for name, value in message["headers"] if name.lower() != LENGTH]
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body" and (self.method == b"HEAD" or self.code in NO_BODY_CODES):
            message = {**message, "body": b""}
        super().handle_reply(message)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Keep a piece of the body."""
        self._body_bytes += len(data)
        if self._body_bytes > MAX_BODY_BYTES:
            self.channel.refuse(body_too_large(), "body_too_large")
        else:
            super().handleContentChunk(data)


class BoundedFactory(HTTPFactory):  # type: ignore[misc]  # daphne has no types
    """Takes connections while there is room for them."""

    protocol = BoundedChannel

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.timeOut = settings.HTTP_IDLE_SECONDS
        self.header_seconds: float = settings.HTTP_HEADER_SECONDS
        self.body_seconds: float = settings.HTTP_BODY_SECONDS
        self.connections = Connections(
            most=connections_that_fit(settings.HTTP_CONNECTIONS),
            most_per_address=settings.HTTP_CONNECTIONS_PER_ADDRESS,
            proxies=Networks(settings.TRUSTED_PROXIES),
        )

    def buildProtocol(self, addr: IAddress) -> Protocol:  # noqa: N802 - Twisted's name
        """Take a connection or refuse it."""
        error = self.connections.take(address_of(addr))
        if error is not None:
            return RefusedConnection(error)
        channel = super().buildProtocol(addr)
        channel.requestFactory = BoundedRequest
        return channel

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802 - Twisted's name
        """Speak HTTP/1.1 only."""
        return [b"http/1.1"]


class BoundedWebSocket(WebSocketProtocol):  # type: ignore[misc]  # daphne has no types
    """A WebSocket that takes short messages only, and gives its connection's place back at its end.

    Attributes:
        goodbye_at: When it said goodbye, by ``time.monotonic``; None before.
    """

    goodbye_at: float | None = None

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 - daphne's name
        """Say goodbye, and note when."""
        self.goodbye_at = time.monotonic()
        super().serverClose(code=code)

    def onMessageFrameBegin(self, length: int) -> None:  # noqa: N802 - autobahn's name
        """Drop who sends a long message, in however many frames, before it is read."""
        super().onMessageFrameBegin(length)
        if self.message_data_total_length > WEBSOCKET_MESSAGE_BYTES:
            self.dropConnection(abort=True)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - Twisted's name
        """Let go of the place."""
        self.factory.server_class.http_factory.connections.give_back(address_of(self.transport.getPeer()))
        super().connectionLost(reason)


class BoundedServer(Server):  # type: ignore[misc]  # daphne has no types
    """Daphne's server, whose ``run`` makes factories of its own; ours take their places."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Daphne's bounds are for both directions, and events may be longer than what we read: see BoundedWebSocket.
        kwargs["websocket_max_message_size"] = kwargs["websocket_max_frame_size"] = 0
        kwargs["action_logger"] = log_action
        super().__init__(*args, **kwargs)
        self.calm_stop = CalmStop(self)
        self.endpoints: list[str] = [
            f"{one}:backlog={BACKLOG}" if one.startswith("tcp:") else one for one in self.endpoints
        ]

    @property
    def http_factory(self) -> BoundedFactory:
        """The factory of connections."""
        return self._http_factory

    @http_factory.setter
    def http_factory(self, _: HTTPFactory) -> None:
        self._http_factory = BoundedFactory(self)

    @property
    def ws_factory(self) -> WebSocketFactory:
        """The factory that takes over connections which become WebSockets."""
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: WebSocketFactory) -> None:
        factory.protocol = BoundedWebSocket
        self._ws_factory = factory

    def run(self) -> None:
        """Serve until told to stop, and say so. Ends before it has begun where a setting cannot be honoured."""
        from runs.runtime import current_runtime  # noqa: PLC0415 - the command is read before Django has loaded the models
        from tenants.access.key_uses import writing_uses  # noqa: PLC0415 - as above

        log.info("web process starts")
        stop_where_wrong(current_runtime)
        stop_where_database_refuses("DATABASE_URL", settings.DATABASES["default"])
        stop_where_redis_refuses(settings.REDIS_URL)
        reactor.callWhenRunning(self.calm_stop.wait_for_signal)
        with writing_uses():
            super().run()
        log.info("web process has stopped")

    def listen_success(self, port: Any) -> None:
        """Say that requests are taken from now on."""
        super().listen_success(port)
        self.calm_stop.ports.append(port)
        log.info("web process is ready at %s", port.getHost())


def log_action(protocol: str, action: str, details: Mapping[str, Any]) -> None:
    """Write a line of a WebSocket; requests have theirs in ``llmteam.requests``. Never a query."""
    path = str(details["path"]).partition("?")[0]
    level = logging.INFO if protocol == "websocket" else logging.DEBUG
    log.log(level, "%s %s", protocol, action, extra={"path": path, "address": str(details.get("client") or "")})
