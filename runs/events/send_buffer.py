"""Send buffer of one caller: the bytes sent and not taken yet, and their bound.

Daphne hands what is sent to Twisted and returns: a caller that does not read would fill this process's memory. Its
transport knows how much that is, so a stream waits for it before it sends on, and an answer is held against the share
of whoever it is for.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from foundation.asgi import Application, Receive, Scope, Send
from runs.events.unsent import TooMuchUnread, UnsentBytes, current_unsent
from runs.metrics import ANSWERS_LEFT_OUT, SLOW_READERS_CUT

SCOPE_KEY: Final = "llmteam.send_buffer"
MAX_UNSENT: Final = 256 * 1024
ALWAYS_SENT: Final = 16 * 1024
"""An answer of so many bytes is sent whatever else is unread."""
LOOK_SECONDS: Final = 0.05
PATIENCE_SECONDS: Final = 15.0
FAREWELL_SECONDS: Final = 5.0
GOODBYE_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 5
OF_THE_BODY: Final = frozenset({b"content-type", b"content-length", b"etag", b"retry-after"})


class ConsumerTooSlow(Exception):
    """The caller has not read for too long; what it has missed is in the journal."""


class SendBuffer:
    """The way out to one caller. Behind a server that is not Daphne nothing is known, and nothing held back.

    Attributes:
        ledger: What all callers have not taken.
        owner: Whose share of unsent bytes it uses: a tenant's, or an address's as long as no tenant is known.
        paces_itself: Whether what is sent waits for the caller, and gives it up when it does not read.
        handed: Bytes handed over so far.
    """

    def __init__(self, protocol: Any = None, owner: str = "", ledger: UnsentBytes | None = None) -> None:
        self.owner = owner
        self.ledger = ledger or UnsentBytes()
        self.paces_itself = False
        self.handed = 0
        self._protocol = protocol

    @property
    def transport(self) -> Any:
        """The transport it is sent by; None where that is not known."""
        return getattr(self._protocol, "transport", None)

    @property
    def unsent(self) -> int:
        """Bytes handed over and not yet taken by the network; none once the connection has ended."""
        transport = self.transport
        if transport is None or not hasattr(transport, "dataBuffer") or not getattr(transport, "connected", True):
            return 0
        return int(len(transport.dataBuffer) - transport.offset + getattr(transport, "_tempDataLen", 0))

    async def has_room(self) -> None:
        """Return once more may be sent.

        Raises:
            ConsumerTooSlow: There was no room for a while.
        """
        self.paces_itself = True
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._is_full():
            if time.monotonic() > deadline:
                SLOW_READERS_CUT.inc()
                raise ConsumerTooSlow
            await asyncio.sleep(LOOK_SECONDS)

    def _is_full(self) -> bool:
        unsent = self.unsent
        return unsent > MAX_UNSENT or (unsent > 0 and not self.ledger.has_room(self.owner))

    def allow_slow_goodbyes(self) -> None:
        """Give a WebSocket's caller time to read up to the close before it answers it.

        Left to itself the server resets the connection a second after it has said goodbye, and what the caller has not
        read by then, the run's last event at worst, is lost.
        """
        if hasattr(self._protocol, "closeHandshakeTimeout"):
            self._protocol.closeHandshakeTimeout = GOODBYE_SECONDS

    def end_soon(self) -> None:
        """Cut the connection off in a moment, if the caller has not taken the rest by then."""
        asyncio.get_running_loop().call_later(FAREWELL_SECONDS, self._cut_if_unread)

    def cut(self) -> None:
        """End the connection at once, so that nobody takes what was sent for the whole."""
        if self.transport is not None:
            self.transport.abortConnection()

    def _cut_if_unread(self) -> None:
        if self.unsent:
            self.cut()


class _Answer:
    """One answer on its way out: all of it, or, beyond its owner's share, a refusal in its place."""

    def __init__(self, send_buffer: SendBuffer, scope: Mapping[str, Any], send: Send) -> None:
        self._send_buffer = send_buffer
        self._is_safe = scope.get("method") in {"GET", "HEAD"}
        self._send = send
        self._start: Any = None
        self._is_left_out = False

    async def send(self, message: Any) -> None:
        """Send a message, once it is known how large the answer is."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        size = len(message.get("body", b""))
        if self._start is not None:
            start, self._start = self._start, None
            if size > ALWAYS_SENT and not self._send_buffer.ledger.has_room(self._send_buffer.owner, size):
                self._is_left_out = True
                await self._leave_out(start["headers"])
                return
            await self._send(start)
        if not self._is_left_out:
            self._send_buffer.handed += size
            await self._send(message)
            self._send_buffer.ledger.note(self._send_buffer)

    async def _leave_out(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Refuse to read something; of what was done the caller must not hear that it was refused."""
        ANSWERS_LEFT_OUT.inc()
        if not self._is_safe:
            self._send_buffer.cut()
            return
        error = TooMuchUnread("Read the answers to your other requests first, or ask for less at the same time.")
        kept = [(name, value) for name, value in headers if name.lower() not in OF_THE_BODY]
        body = {
            "type": f"urn:llmteam:problem:{error.code}",
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "code": error.code,
            "errors": [],
            "request_id": dict(kept).get(b"X-Request-Id", b"").decode(),
        }
        kept += [(b"Content-Type", b"application/problem+json"), (b"Retry-After", b"%d" % RETRY_SECONDS)]
        await self._send({"type": "http.response.start", "status": error.status, "headers": kept})
        await self._send({"type": "http.response.body", "body": orjson.dumps(body)})


def with_send_buffer(application: Application) -> Application:
    """Give every scope its way out. To wrap the outermost application: it looks at what the server hands over."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        # Daphne's `send` is a partial whose first argument is the connection's protocol.
        bound = getattr(send, "args", ())
        host, _ = scope.get("client") or ("", 0)
        send_buffer = scope[SCOPE_KEY] = SendBuffer(bound[0] if bound else None, f"address {host}", current_unsent())
        counted = _Answer(send_buffer, scope, send).send if scope["type"] == "http" else _counted(send_buffer, send)
        await application(scope, receive, counted)

    return served


def _counted(send_buffer: SendBuffer, send: Send) -> Send:
    async def counted(message: Any) -> None:
        send_buffer.handed += len(message.get("text") or message.get("bytes") or b"")
        await send(message)
        send_buffer.ledger.note(send_buffer)

    return counted


def send_buffer_of(scope: Mapping[str, Any]) -> SendBuffer:
    """Return a scope's way out."""
    found = scope.get(SCOPE_KEY)
    return found if isinstance(found, SendBuffer) else SendBuffer()
