"""How much a caller has not taken yet.

Daphne hands what is sent to Twisted and returns: a caller that does not read would fill this process's memory. Its
transport knows how much that is, so a stream waits for it before it sends on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

SCOPE_KEY: Final = "llmteam.outflow"
MOST_UNSENT: Final = 256 * 1024
LOOK_SECONDS: Final = 0.05
PATIENCE_SECONDS: Final = 15.0
FAREWELL_SECONDS: Final = 5.0
GOODBYE_SECONDS: Final = 30.0

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class ConsumerTooSlow(Exception):
    """The caller has not read for too long; what it has missed is in the journal."""


class Outflow:
    """The way out to one caller. Behind a server that is not Daphne nothing is known, and nothing held back."""

    def __init__(self, protocol: Any = None) -> None:
        self._protocol = protocol

    @property
    def unsent(self) -> int:
        """Bytes handed over and not yet taken by the network."""
        transport = getattr(self._protocol, "transport", None)
        if transport is None or not hasattr(transport, "dataBuffer"):
            return 0
        return int(len(transport.dataBuffer) - transport.offset + getattr(transport, "_tempDataLen", 0))

    async def has_room(self) -> None:
        """Return once more may be sent.

        Raises:
            ConsumerTooSlow: There was no room for a while.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.unsent > MOST_UNSENT:
            if time.monotonic() > deadline:
                raise ConsumerTooSlow
            await asyncio.sleep(LOOK_SECONDS)

    def allow_slow_goodbyes(self) -> None:
        """Give a WebSocket's caller time to read up to the close before it answers it.

        Left to itself the server resets the connection a second after it has said goodbye, and what the caller has not
        read by then, the run's last event at worst, is lost.
        """
        if hasattr(self._protocol, "closeHandshakeTimeout"):
            self._protocol.closeHandshakeTimeout = GOODBYE_SECONDS

    def end_soon(self) -> None:
        """Cut the connection off in a moment, if the caller has not taken the rest by then."""
        asyncio.get_running_loop().call_later(FAREWELL_SECONDS, self._abort)

    def _abort(self) -> None:
        if self.unsent:
            self._protocol.transport.abortConnection()


def with_outflow(application: Application) -> Application:
    """Give every scope its way out. To wrap the outermost application: it looks at what the server hands over."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        # Daphne's `send` is a partial whose first argument is the connection's protocol.
        bound = getattr(send, "args", ())
        scope[SCOPE_KEY] = Outflow(bound[0] if bound else None)
        await application(scope, receive, send)

    return served


def outflow_of(scope: Scope) -> Outflow:
    """Return a scope's way out."""
    found = scope.get(SCOPE_KEY)
    return found if isinstance(found, Outflow) else Outflow()
