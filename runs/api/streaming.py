"""Streamed answers: as much memory for a large one as for a small one."""

import functools
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from rest_framework.response import Response

from runs.api.waiting import AsyncView, View
from runs.events.send_buffer import ConsumerTooSlow, SendBuffer, send_buffer_of

log = logging.getLogger(__name__)

JSON: Final = "application/json"
PIECE_BYTES: Final = 64 * 1024
"""Bytes that are handed over at once: a caller has 15 seconds for them."""


class ChunksResponse(Response):
    """A view's answer in chunks, JSON text unless it says otherwise; ``streamed`` sends them.

    Attributes:
        chunks: Reads the next chunk when asked for it, in any thread; opens its own transactions.
        size: Bytes of all of them, where that is known.
        media_type: What they are.
        file_name: The file that a browser is to keep them in.
    """

    def __init__(
        self, chunks: Iterator[bytes], *, size: int | None = None, media_type: str = JSON, file_name: str = ""
    ) -> None:
        super().__init__()
        self.chunks = chunks
        self.size = size
        self.media_type = media_type
        self.file_name = file_name

    @property
    def stream_headers(self) -> dict[str, str]:
        """The headers of the answer that is sent in its place."""
        headers = {} if self.size is None else {"Content-Length": str(self.size)}
        named = {"Content-Disposition": f'attachment; filename="{self.file_name}"'} if self.file_name else {}
        return {"Content-Type": self.media_type, **headers, **named}


def streamed(view: View) -> AsyncView:
    """Make a view async that may answer with chunks: each is read once its caller has taken those before."""

    @functools.wraps(view)
    async def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = await sync_to_async(view)(request, *args, **kwargs)
        if not isinstance(response, ChunksResponse):
            return response
        if not isinstance(request, ASGIRequest):
            # A server that is not asynchronous has nowhere to wait for its caller.
            return HttpResponse(await sync_to_async(b"".join)(response.chunks), headers=response.stream_headers)
        chunks = _paced(response.chunks, send_buffer_of(request.scope))
        return StreamingHttpResponse(chunks, headers=response.stream_headers)

    return answer


async def _paced(chunks: Iterator[bytes], send_buffer: SendBuffer) -> AsyncIterator[bytes]:
    try:
        while (chunk := await sync_to_async(_next)(chunks)) is not None:
            for start in range(0, len(chunk), PIECE_BYTES):
                yield chunk[start : start + PIECE_BYTES]
                await send_buffer.has_room()
    except ConsumerTooSlow:
        send_buffer.cut()
    except (DatabaseError, InterfaceError):
        # What was sent cannot be taken back; an answer that just ended would pass for a whole one.
        log.exception("an answer could not be read to its end")
        send_buffer.cut()


def _next(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)
