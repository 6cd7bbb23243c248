"""Server-sent events: a stream over plain HTTP that holds no thread and no database connection."""

import functools
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.admission import become_stream
from runs.api.waiting import AsyncView, View
from runs.errors import ProcessStops
from runs.events.send_buffer import ConsumerTooSlow, SendBuffer, send_buffer_of
from runs.events.stream import Stream, StreamPiece, follow
from tenants.errors import KeyRefused

CONTENT_TYPE: Final = "text/event-stream"
RETRY: Final = b"retry: 2000\n\n"
PING: Final = b": ping\n\n"
TOO_SLOW: Final = (
    b"retry: 2000\n: you read too slowly and were cut off; nothing is lost: come again with your Last-Event-ID\n\n"
)
FAREWELL: Final = b"retry: 500\n: this process stops; nothing is lost: come again with your Last-Event-ID\n\n"
KEY_GONE: Final = b": the API key is not valid any more\n\n"


class StreamResponse(Response):
    """A view's answer that is a stream; ``streams`` turns it into one. From here on the request counts as a stream.

    Raises:
        TooManyStreams: As many are open as the caller's share allows.
    """

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        become_stream()
        self.stream = stream


def wants_stream(request: Request) -> bool:
    """Tell whether a stream is asked for and not a page."""
    return request.method == "GET" and CONTENT_TYPE in request.headers.get("Accept", "").lower()


def streams(view: View) -> AsyncView:
    """Make a view async that may answer with a stream: it is called once, in a thread, then the stream is followed."""

    @functools.wraps(view)
    async def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = await sync_to_async(view)(request, *args, **kwargs)
        if not isinstance(response, StreamResponse):
            return response
        if response.stream.is_over:
            # The one answer on which a browser's EventSource stops to come again.
            return HttpResponse(status=204)
        if request.method == "HEAD":
            return HttpResponse(content_type=CONTENT_TYPE)
        send_buffer = send_buffer_of(getattr(request, "scope", {}))
        return StreamingHttpResponse(
            _chunks(response.stream, send_buffer),
            content_type=CONTENT_TYPE,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return answer


async def _chunks(stream: Stream, send_buffer: SendBuffer) -> AsyncIterator[bytes]:
    yield RETRY
    try:
        async with aclosing(follow(stream, send_buffer)) as found:
            async for pieces in found:
                yield b"".join(map(_written, pieces)) if pieces else PING
    except KeyRefused:
        yield KEY_GONE
    except ProcessStops:
        yield FAREWELL
    except ConsumerTooSlow:
        send_buffer.end_soon()
        yield TOO_SLOW


def _written(piece: StreamPiece) -> bytes:
    """Write an event's records; only the last has the ``id``, so that whoever was cut off between them gets all.

    A live frame has none: it is never gone on from.
    """
    if piece.cursor is None:
        return b"".join(b"event: step.delta\ndata: " + record.text + b"\n\n" for record in piece.records)
    *others, last = (b"data: " + record.text + b"\n\n" for record in piece.records)
    return b"".join(others) + b"id: " + piece.cursor.encode() + b"\n" + last
