"""Connections kept for the next request to the same place.

httpcore's own pool looks at every connection for every request: at 200 calls in flight that is 5 ms of processor
time a call. Here taking and giving back a connection costs the same however many there are.
"""

import asyncio
import ssl
from collections import OrderedDict, defaultdict, deque
from contextlib import suppress
from typing import NamedTuple

import httpcore

from kernel.egress.progress import RequestProgress

MAX_ACTIVE = 500
MAX_IDLE = 200
KEEPALIVE_SECONDS = 15.0
_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})


class PoolKey(NamedTuple):
    """Target of a connection and its TLS context: only requests of the same place share it."""

    origin: bytes
    ssl_context: ssl.SSLContext | None

    @classmethod
    def of(cls, origin: httpcore.Origin, ssl_context: ssl.SSLContext) -> "PoolKey":
        """Name the place of a request; without TLS all contexts are the same."""
        written = b"%s://%s:%d" % (origin.scheme, origin.host, origin.port)
        return cls(written, ssl_context if origin.scheme == b"https" else None)


class AsyncConnections:
    """The connections of one client: at most `max_active` in use, at most `max_idle` kept.

    Every connection taken is given back exactly once, by `give_back` or, when sending fails, by `send` itself.
    """

    def __init__(
        self,
        backend: httpcore.AsyncNetworkBackend,
        *,
        max_active: int = MAX_ACTIVE,
        max_idle: int = MAX_IDLE,
    ) -> None:
        """Start with no connection."""
        self._backend = backend
        self._slots = asyncio.Semaphore(max_active)
        self._max_idle = max_idle
        self._idle: OrderedDict[httpcore.AsyncHTTPConnection, PoolKey] = OrderedDict()
        self._idle_by_place: defaultdict[PoolKey, deque[httpcore.AsyncHTTPConnection]] = defaultdict(deque)
        self._closing: set[asyncio.Task[None]] = set()

    async def send(
        self, request: httpcore.Request, place: PoolKey, progress: RequestProgress
    ) -> tuple[httpcore.Response, httpcore.AsyncHTTPConnection]:
        """Send a request over a kept connection or a new one; waits for a slot.

        A kept connection that the other side closes meanwhile is replaced by a new one, where nothing was sent yet, or
        where the method may be sent again and no answer has begun (RFC 9110, 9.2.2).

        Returns:
            The answer, its body unread, and the connection to give back behind it.

        Raises:
            EgressBlocked: The backend refused.
            httpcore.NetworkError: No connection, or it broke; timeouts and protocol errors likewise.
        """
        await self._slots.acquire()
        connection: httpcore.AsyncHTTPConnection | None = None
        try:
            connection = await self._take_kept(place)
            if connection is not None:
                try:
                    return await connection.handle_async_request(request), connection
                except (httpcore.NetworkError, httpcore.RemoteProtocolError):
                    if progress.answered or (progress.sent and request.method not in _REPEATABLE):
                        raise
                    self._drop(connection)
            connection = self._new(request.url.origin, place)
            return await connection.handle_async_request(request), connection
        except BaseException:
            self._slots.release()
            if connection is not None:
                self._drop(connection)
            raise

    async def give_back(
        self, connection: httpcore.AsyncHTTPConnection, place: PoolKey, *, is_kept: bool = True
    ) -> None:
        """Keep a connection whose answer was read to its end, unless told otherwise.

        One that is closed is forgotten, and so is one on which anything stands behind the answer: it would pass for
        the answer to the next request.
        """
        self._slots.release()
        if not (is_kept and connection.is_idle()) or connection.has_expired():
            self._drop(connection)
            return
        self._idle[connection] = place
        self._idle_by_place[place].append(connection)
        while self._idle and (len(self._idle) > self._max_idle or next(iter(self._idle)).has_expired()):
            await self._close_oldest()

    async def aclose(self) -> None:
        """Close what is kept."""
        while self._idle:
            await self._close_oldest()
        await asyncio.gather(*self._closing)

    def _drop(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Close a connection that was left in the middle.

        httpcore does so itself, but a second cancellation keeps it from it: it would stay open until it is collected.
        Hence by a task of its own.
        """
        if not connection.is_closed():
            task = asyncio.get_running_loop().create_task(_close(connection))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _take_kept(self, place: PoolKey) -> httpcore.AsyncHTTPConnection | None:
        kept = self._idle_by_place.get(place)
        while kept:
            connection = kept.pop()
            del self._idle[connection]
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    def _new(self, origin: httpcore.Origin, place: PoolKey) -> httpcore.AsyncHTTPConnection:
        return httpcore.AsyncHTTPConnection(
            origin=origin,
            ssl_context=place.ssl_context,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=self._backend,
        )

    async def _close_oldest(self) -> None:
        connection, place = self._idle.popitem(last=False)
        kept = self._idle_by_place[place]
        kept.popleft()
        if not kept:
            del self._idle_by_place[place]
        await connection.aclose()


async def _close(connection: httpcore.AsyncHTTPConnection) -> None:
    with suppress(httpcore.NetworkError):
        await connection.aclose()
