"""The network below the client: one lookup, every answer judged, connections only to judged addresses.

httpcore keeps the name for the Host header and for TLS (SNI and certificate); the socket goes to the
address that passed. A refused name opens no socket.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import httpcore

from kernel.egress.errors import EgressBlocked
from kernel.egress.policy import Policy, check_addresses, check_host
from kernel.egress.progress import RequestProgress, current
from kernel.egress.responses.framing import IS_CUT
from kernel.egress.responses.head import HeadReader
from kernel.egress.responses.pace import ReadPace
from kernel.egress.responses.unread import drain_tls, has_unread, was_closed_by_peer
from kernel.turns.fair_threads import FairThreads

Resolver = Callable[[str, int], Sequence[str]]
SocketOptions = Iterable[Any] | None

LOOKUPS = FairThreads(16, name="egress-lookup")
"""Looks names up for all clients of the process, their owners in turn: a slow name holds up its owner alone."""
SENT_AT_ONCE = 16 * 1024
_deadline: ContextVar[float | None] = ContextVar("egress_deadline", default=None)


def resolve(host: str, port: int) -> list[str]:
    """Look a name up with the system's resolver; blocks.

    Raises:
        OSError: The resolver has no answer.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Bound every blocking read, write and connect of the sync backend by a `time.monotonic()` instant."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


class AsyncGuardedBackend(httpcore.AsyncNetworkBackend):
    """The asyncio network, behind the policy."""

    def __init__(
        self,
        policy: Policy,
        *,
        resolver: Resolver = resolve,
        network: httpcore.AsyncNetworkBackend | None = None,
        owner: Hashable = None,
    ) -> None:
        """Guard a network; the resolver runs in a thread, as the owner's share of them allows."""
        self._owner = self if owner is None else owner
        self._policy = policy
        self._resolver = resolver
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's protocol
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of the judged addresses that answers.

        Raises:
            EgressBlocked: The host, the port or one of its addresses may not be reached.
            httpcore.ConnectError: No lookup or no connection.
            httpcore.ConnectTimeout: None in time.
        """
        addresses = await self._addresses(host, port)
        for left in range(len(addresses), 0, -1):
            try:
                stream = await self._network.connect_tcp(
                    addresses[-left],
                    port,
                    timeout=None if timeout is None else timeout / left,
                    local_address=local_address,
                    socket_options=socket_options,
                )
                return AsyncBoundedStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
        raise EgressBlocked

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's protocol
        socket_options: SocketOptions = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: a socket file is never a target."""
        raise EgressBlocked

    async def sleep(self, seconds: float) -> None:
        """Sleep between connection attempts."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[str]:
        target = check_host(host, port, self._policy)
        if target.literal is not None:
            return [str(target.literal)]
        lookup = LOOKUPS.submit_for(self._owner, partial(self._resolver, target.host, port))
        try:
            answers = await asyncio.wrap_future(lookup)
        except OSError as error:
            raise httpcore.ConnectError("the name cannot be resolved") from error
        return [str(address) for address in check_addresses(target, answers, self._policy)]


class AsyncBoundedStream(httpcore.AsyncNetworkStream):
    """A connection on which an answer's head is bounded, and comes whole, and nothing behind its body is passed on.

    One on which more has come than the answer counts as readable while it is idle: whoever keeps it drops it.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        """Wrap a connection."""
        self._stream = stream
        self._pace = ReadPace()
        self.head = HeadReader()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's protocol
        """Read what is there.

        Raises:
            BodyUnreadable: The answer's head is too large, or its body is none.
            httpcore.ReadError: The connection ended, and nobody said that the answer does.
        """
        progress = current.get() or RequestProgress()
        while True:
            data = await self._read(self.head.at_most(max_bytes), timeout)
            progress.answered = progress.answered or bool(data)
            if not data:
                _check_end(self._stream, self.head)
            try:
                passed = self.head.take(data)
            finally:
                progress.status = self.head.status
            if passed or not data:
                return passed

    async def _read(self, most: int, timeout: float | None) -> bytes:  # noqa: ASYNC109 - httpcore's protocol
        if seconds := self._pace.pause_seconds:
            await asyncio.sleep(seconds)
        data = await self._stream.read(most, timeout)
        tls = self._stream.get_extra_info("ssl_object")
        if data and tls is not None:
            data += drain_tls(tls, most - len(data))
        self._pace.count(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's protocol
        """Write a piece of a request."""
        self.head.begin(buffer)
        self._pace.begin()
        progress = current.get() or RequestProgress()
        progress.status = None
        before, progress.sent = progress.sent, True
        try:
            await self._stream.write(buffer, timeout)
        except httpcore.WriteError:
            if len(buffer) <= SENT_AT_ONCE:
                progress.sent = before  # the connection was closed already: the network takes so much at once
            raise

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's protocol
    ) -> httpcore.AsyncNetworkStream:
        """Go on under TLS."""
        return AsyncBoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Tell about the connection, as httpcore asks."""
        return _extra_info(self._stream, self.head, info)


class SyncGuardedBackend(httpcore.NetworkBackend):
    """The blocking network, behind the policy and under the deadline set by `until`."""

    def __init__(
        self,
        policy: Policy,
        *,
        resolver: Resolver = resolve,
        network: httpcore.NetworkBackend | None = None,
        owner: Hashable = None,
    ) -> None:
        """Guard a network; the resolver runs in a thread, so that a lookup can be given up."""
        self._owner = self if owner is None else owner
        self._policy = policy
        self._resolver = resolver
        self._network = network or httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the judged addresses that answers.

        Raises:
            EgressBlocked: The host, the port or one of its addresses may not be reached.
            httpcore.ConnectError: No lookup or no connection.
            httpcore.ConnectTimeout: None in time.
        """
        addresses = self._addresses(host, port)
        for left in range(len(addresses), 0, -1):
            remaining = _remaining(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._network.connect_tcp(
                    addresses[-left],
                    port,
                    timeout=None if remaining is None else remaining / left,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
            else:
                return SyncBoundedStream(stream)
        raise EgressBlocked

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: SocketOptions = None
    ) -> httpcore.NetworkStream:
        """Refuse: a socket file is never a target."""
        raise EgressBlocked

    def _addresses(self, host: str, port: int) -> list[str]:
        target = check_host(host, port, self._policy)
        if target.literal is not None:
            return [str(target.literal)]
        lookup = LOOKUPS.submit_for(self._owner, partial(self._resolver, target.host, port))
        try:
            answers = lookup.result(_remaining(None, httpcore.ConnectTimeout))
        except TimeoutError as error:
            lookup.cancel()
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error
        except OSError as error:
            raise httpcore.ConnectError("the name cannot be resolved") from error
        return [str(address) for address in check_addresses(target, answers, self._policy)]


class SyncBoundedStream(httpcore.NetworkStream):
    """A connection as the async one is; every wait ends by the request's deadline."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        """Wrap a connection."""
        self._stream = stream
        self.head = HeadReader()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there; raises as the async stream does."""
        while True:
            data = self._stream.read(self.head.at_most(max_bytes), _remaining(timeout, httpcore.ReadTimeout))
            if not data:
                _check_end(self._stream, self.head)
            passed = self.head.take(data)
            if passed or not data:
                return passed

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write a piece of a request."""
        self.head.begin(buffer)
        self._stream.write(buffer, _remaining(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Go on under TLS."""
        remaining = _remaining(timeout, httpcore.ConnectTimeout)
        return SyncBoundedStream(self._stream.start_tls(ssl_context, server_hostname, remaining))

    def get_extra_info(self, info: str) -> Any:
        """Tell about the connection, as httpcore asks."""
        return _extra_info(self._stream, self.head, info)


def _extra_info(stream: Any, head: HeadReader, info: str) -> Any:
    if info == "is_readable" and (head.body.has_surplus or has_unread(stream)):
        return True
    return head.body.is_cut if info == IS_CUT else stream.get_extra_info(info)


def _check_end(stream: Any, head: HeadReader) -> None:
    """Judge the end of a connection: under TLS anybody on the way can make one, but for the word that it is meant."""
    if head.body.ends_by_close and not was_closed_by_peer(stream):
        raise httpcore.ReadError("the connection ended without TLS's close_notify")


def _remaining(timeout: float | None, error: type[httpcore.TimeoutException]) -> float | None:
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise error("the request's time is over")
    return left if timeout is None else min(left, timeout)
