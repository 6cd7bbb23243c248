"""httpx transports over the guarded network: bounded bodies, our errors, no environment."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import httpcore
import httpx

from kernel.charsets import codec_of, label_of
from kernel.egress.backend import until
from kernel.egress.errors import BodyTooLarge, BodyUnreadable, ConnectionFailed, DeadlineExceeded, Reason
from kernel.egress.failures import call_failed
from kernel.egress.patience import Patience, patience_with
from kernel.egress.pool import KEEPALIVE_SECONDS, AsyncConnections, PoolKey
from kernel.egress.progress import PROGRESS, RequestProgress, current
from kernel.egress.redirects import ANSWERS
from kernel.egress.responses.body import MAX_BODY_BYTES, BodyReader
from kernel.egress.responses.trailers import patch_h11_fields
from kernel.egress.tls_alerts import read_certificate_refusal
from kernel.egress.trust import TLS

DEADLINE = "llmteam.deadline"
IS_UNPACKED = "llmteam.is_unpacked"
"""Extension of an answer: true where its content was compressed; its header ``Content-Encoding`` is gone then."""
MAX_SYNC_CONNECTIONS = 50
_NOT_MISSED = (BodyTooLarge, BodyUnreadable, ConnectionFailed, DeadlineExceeded)
"""Errors that only end the body of a refusal or a redirect, whose status is all that counts."""
SLICES_AT_ONCE = 32
"""After so many pieces of a body the event loop has a turn: reading one takes tens of microseconds."""


class AsyncGuardedTransport(httpx.AsyncBaseTransport):
    """One pool of connections over an `AsyncGuardedBackend`."""

    def __init__(
        self,
        backend: httpcore.AsyncNetworkBackend,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        ssl_context: ssl.SSLContext,
    ) -> None:
        """Open an empty pool."""
        patch_h11_fields()
        self._limit = max_body_bytes
        self._ssl_context = ssl_context
        self._backend = backend
        self._connections = AsyncConnections(backend)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, follow nothing.

        Raises:
            EgressBlocked: The backend refused.
            ConnectionFailed: No connection, or it broke.
            DeadlineExceeded: A wait took too long.
        """
        core_request = _core_request(request)
        place = PoolKey.of(core_request.url.origin, request.extensions.get(TLS) or self._ssl_context)
        progress = request.extensions.get(PROGRESS) or RequestProgress()
        token = current.set(progress)
        try:
            with _our_errors(progress):
                response, connection = await self._connections.send(core_request, place, progress)
        except ConnectionFailed as failure:
            refusal = await self._refusal(failure, core_request.url.origin, place, progress)
            if refusal is None:
                raise
            raise refusal from failure
        finally:
            current.reset(token)
        headers = httpx.Headers(response.headers)
        raw = _AsyncRawBody(response, place, connection, self._connections, is_kept=not _is_event_stream(headers))
        reader = _reader(headers, self._limit)
        patience = patience_with(response.status, headers, request.extensions.get(ANSWERS, ()))
        body = _AsyncBody(raw, reader, request.extensions.get(DEADLINE), patience)
        return _response(response, headers, reader, body)

    async def _refusal(
        self, failure: ConnectionFailed, origin: httpcore.Origin, place: PoolKey, progress: RequestProgress
    ) -> ConnectionFailed | None:
        """Find out whether it was for our certificate that a connection broke."""
        if failure.reason is not Reason.BROKEN or progress.answered or place.ssl_context is None:
            return None
        return await read_certificate_refusal(self._backend, origin, place.ssl_context)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()


class SyncGuardedTransport(httpx.BaseTransport):
    """One pool of connections over a `SyncGuardedBackend`."""

    def __init__(
        self,
        backend: httpcore.NetworkBackend,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        ssl_context: ssl.SSLContext,
    ) -> None:
        """Open an empty pool."""
        patch_h11_fields()
        self._limit = max_body_bytes
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=MAX_SYNC_CONNECTIONS,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, follow nothing; errors as in the async transport."""
        deadline = request.extensions.get(DEADLINE, float("inf"))
        with _our_errors(), until(deadline):
            response = self._pool.handle_request(_core_request(request))
        raw = cast("Any", response.stream)
        headers = httpx.Headers(response.headers)
        reader = _reader(headers, self._limit)
        patience = patience_with(response.status, headers, request.extensions.get(ANSWERS, ()))
        return _response(response, headers, reader, _SyncBody(raw, reader, deadline, patience))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _AsyncRawBody:
    """The bytes of one answer, and the connection that is given back when they are closed."""

    def __init__(
        self,
        response: httpcore.Response,
        place: PoolKey,
        connection: httpcore.AsyncHTTPConnection,
        connections: AsyncConnections,
        *,
        is_kept: bool,
    ) -> None:
        self._stream = cast("Any", response.stream)
        self._is_kept = is_kept
        self._place = place
        self._connection = connection
        self._connections = connections
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._stream.aclose()
        finally:
            await self._connections.give_back(self._connection, self._place, is_kept=self._is_kept)


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(
        self, raw: _AsyncRawBody, reader: BodyReader, deadline: float | None, patience: Patience | None
    ) -> None:
        self._raw = raw
        self._reader = reader
        self._deadline = deadline
        self._patience = patience
        self._slices = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._patience is None:
            async for content in self._contents(self._deadline):
                yield content
            return
        left = self._patience.max_bytes
        until_then = self._patience.until(asyncio.get_running_loop().time(), self._deadline)
        with suppress(*_NOT_MISSED):
            async for content in self._contents(until_then):
                yield content
                left -= len(content)
                if left <= 0:
                    break

    async def _contents(self, deadline: float | None) -> AsyncIterator[bytes]:
        chunks = aiter(self._raw)
        while True:
            with _our_errors():
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(chunks, None)
            if chunk is None:
                break
            for content in self._reader.feed(chunk):
                self._slices += 1
                if self._slices % SLICES_AT_ONCE == 0:
                    await asyncio.sleep(0)
                if content:
                    yield content
        self._reader.finish()

    async def aclose(self) -> None:
        await self._raw.aclose()


class _SyncBody(httpx.SyncByteStream):
    def __init__(self, raw: Any, reader: BodyReader, deadline: float, patience: Patience | None) -> None:
        self._raw = raw
        self._reader = reader
        self._deadline = deadline
        self._patience = patience

    def __iter__(self) -> Iterator[bytes]:
        if self._patience is None:
            yield from self._contents(self._deadline)
            return
        left = self._patience.max_bytes
        with suppress(*_NOT_MISSED):
            for content in self._contents(self._patience.until(time.monotonic(), self._deadline)):
                yield content
                left -= len(content)
                if left <= 0:
                    break

    def _contents(self, deadline: float) -> Iterator[bytes]:
        chunks = iter(self._raw)
        while True:
            with _our_errors(), until(deadline):
                chunk = next(chunks, None)
            if chunk is None:
                break
            if time.monotonic() > deadline:
                raise DeadlineExceeded
            yield from filter(None, self._reader.feed(chunk))
        self._reader.finish()

    def close(self) -> None:
        self._raw.close()


@contextmanager
def _our_errors(progress: RequestProgress | None = None) -> Iterator[None]:
    """Turn httpcore's errors into ours; without a progress the request counts as sent."""
    progress = progress or RequestProgress(sent=True)
    try:
        yield
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise DeadlineExceeded(sent=progress.sent, answered_with=progress.status) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, ssl.SSLError) as error:
        failure = call_failed(error, sent=progress.sent)
        failure.answered_with = progress.status
        raise failure from error


def _is_event_stream(headers: httpx.Headers) -> bool:
    """Tell whether an answer is one behind which servers close, though they promised to keep the connection.

    llama.cpp's does: a request that follows at once would be lost in it.
    """
    content_type: str = headers.get("content-type", "")
    return content_type.lower().startswith("text/event-stream")


def _reader(headers: httpx.Headers, limit: int) -> BodyReader:
    ends_by_close = "content-length" not in headers and "transfer-encoding" not in headers
    return BodyReader(headers.get("content-encoding", ""), limit, ends_by_close=ends_by_close)


def _core_request(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _response(
    response: httpcore.Response,
    headers: httpx.Headers,
    reader: BodyReader,
    stream: httpx.AsyncByteStream | httpx.SyncByteStream,
) -> httpx.Response:
    """Make the answer. Whoever reads its text does so by a charset we know: httpx would take any codec of Python's."""
    made = httpx.Response(
        response.status,
        headers=_content_headers(headers, reader),
        stream=stream,
        extensions={**response.extensions, IS_UNPACKED: reader.decodes},
    )
    made.encoding = codec_of(label_of(headers.get("content-type", "")) or "") or "utf-8"
    return made


def _content_headers(headers: httpx.Headers, reader: BodyReader) -> httpx.Headers:
    """Describe the content we hand out, which is no longer compressed."""
    if not reader.decodes:
        return headers
    return httpx.Headers(
        [(name, value) for name, value in headers.raw if name.lower() not in (b"content-encoding", b"content-length")]
    )
