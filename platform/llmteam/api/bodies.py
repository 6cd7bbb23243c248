"""Chunked request bodies (``Transfer-Encoding: chunked``), which Django REST framework would take for empty."""

from typing import Any

from foundation.asgi import Application, Receive, Scope, Send
from llmteam.api.content import MAX_BODY_BYTES


def measured_bodies(application: Application) -> Application:
    """Pass on a body without a declared length together with its length.

    Of a body over 1 MiB only so much is kept; its length tells the reader, who refuses it.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope.get("headers", ())}
        if scope["type"] != "http" or b"content-length" in names or b"transfer-encoding" not in names:
            await application(scope, receive, send)
            return
        body, length = await _gather(receive)
        scope["headers"] = [*scope["headers"], (b"content-length", str(length).encode())]
        await application(scope, _replay(body, receive), send)

    return answer


async def _gather(receive: Receive) -> tuple[bytes, int]:
    """Read the whole body; keep its first MiB, count all of it."""
    body, length, more = bytearray(), 0, True
    while more:
        message = await receive()
        piece: bytes = message.get("body", b"")
        length += len(piece)
        body += piece[: MAX_BODY_BYTES + 1 - len(body)]
        more = message.get("more_body", False)
    return bytes(body), length


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the gathered body first, then whatever the server has to say (that the caller is gone)."""
    is_replayed = False

    async def again() -> Any:
        nonlocal is_replayed
        if is_replayed:
            return await receive()
        is_replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
