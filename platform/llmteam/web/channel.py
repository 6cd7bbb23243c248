"""One HTTP connection, bounded in size and time before the application hears of a request."""

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from kernel.errors import LlmteamError
from llmteam.api.content import MAX_BODY_BYTES
from llmteam.web.connections import address_of
from llmteam.web.early_refusals import early_refusal
from llmteam.web.metrics import REQUESTS_CUT
from llmteam.web.refusals import HeadersTooLarge, RequestTimedOut, body_too_large, malformed, written

HEADER_BYTES: Final = 16_384
HEADERS: Final = 100
LINGER_SECONDS: Final = 1.0
"""Time a refused caller has to read why; nothing more of its own is read meanwhile."""


class BoundedChannel(HTTPChannel):  # type: ignore[misc]  # Twisted's types are not read
    """Twisted's channel with a deadline for the headers and one for the body, however steadily bytes drip in.

    Twisted's time-out begins anew with each byte. It still ends connections that are idle between two requests.
    """

    totalHeadersSize = HEADER_BYTES  # noqa: N815 - Twisted's name
    MAX_LENGTH = HEADER_BYTES
    maxHeaders = HEADERS  # noqa: N815 - Twisted's name
    abortTimeout = LINGER_SECONDS  # noqa: N815 - Twisted's name

    def __init__(self) -> None:
        super().__init__()
        self._deadline: IDelayedCall | None = None
        self._is_refused = False

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Begin to wait for the first request."""
        super().connectionMade()
        self._expect_within(self.factory.header_seconds, "headers")

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Read on; the first bytes of a request begin its time."""
        if self._is_refused:
            return
        if self._deadline is None and not self._handlingRequest:
            self._expect_within(self.factory.header_seconds, "headers")
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        """Read a line, unless one before it was refused: Twisted would go on."""
        if not self._is_refused:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        """Refuse a line without an end."""
        self.refuse(_headers_too_large(), "headers_too_large")

    def allHeadersReceived(self) -> None:  # noqa: N802 - Twisted's name
        """Refuse a body by its declared length or its sender before any of it is read, or give it its time."""
        if self.length is not None and self.length > MAX_BODY_BYTES:
            self.refuse(body_too_large(), "body_too_large")
            return
        if self.length != 0:
            found = early_refusal(self._headers(), self._path.decode("latin-1"))
            if found is not None:
                self.refuse(found[0], "too_many_requests", found[1])
                return
            self._expect_within(self.factory.body_seconds, "body")
        super().allHeadersReceived()

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Read of a body, unless it was refused by what was read before."""
        if not self._is_refused:
            super().rawDataReceived(data)

    def allContentReceived(self) -> None:  # noqa: N802 - Twisted's name
        """Hand the request over; from here on the application takes its time."""
        self._forget_deadline()
        if not self._is_refused:
            super().allContentReceived()

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """Let go of the connection's place. After an upgrade to a WebSocket that is the other protocol's to do."""
        self._forget_deadline()
        self.factory.connections.give_back(address_of(self.transport.getPeer()))
        super().connectionLost(reason)

    def refuse(self, error: LlmteamError, reason: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Answer with a problem, read no further, and close the connection."""
        if self._is_refused:
            return
        self._is_refused = True
        self._forget_deadline()
        self.setTimeout(None)
        REQUESTS_CUT.labels(reason).inc()
        refuse_on(self.transport, error, headers)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        found = self.requests[-1].requestHeaders.getAllRawHeaders()
        return [(name.lower(), value) for name, values in found for value in values]

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - Twisted's name
        is_too_large = self._receivedHeaderSize > HEADER_BYTES or self._receivedHeaderCount > HEADERS
        if is_too_large:
            self.refuse(_headers_too_large(), "headers_too_large")
        else:
            self.refuse(malformed(), "malformed")

    def _expect_within(self, seconds: float, part: str) -> None:
        self._forget_deadline()
        self._deadline = self.callLater(seconds, self._cut, seconds, part)

    def _cut(self, seconds: float, part: str) -> None:
        self._deadline = None
        self.refuse(RequestTimedOut(f"The {part} did not arrive within {seconds:g} s."), f"slow_{part}")

    def _forget_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None


class RefusedConnection(Protocol):  # type: ignore[misc]  # as above
    """A connection that is not taken: it is told why, and closed."""

    def __init__(self, error: LlmteamError) -> None:
        self._error = error

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Say why."""
        refuse_on(self.transport, self._error)


def refuse_on(transport: Any, error: LlmteamError, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Write a refusal, stop reading, and end the connection once the other side has had time to read it."""
    from twisted.internet import reactor  # noqa: PLC0415 - Daphne has installed it by now, not before

    transport.write(written(error, headers))
    transport.pauseProducing()
    transport.loseWriteConnection()
    reactor.callLater(LINGER_SECONDS, transport.abortConnection)


def _headers_too_large() -> HeadersTooLarge:
    return HeadersTooLarge(
        f"The request line and the headers may have at most {HEADER_BYTES} bytes and {HEADERS} headers."
    )
