"""Bound of the built-in development secret: everybody knows it, so a process that has it serves this machine only."""

import ipaddress
from typing import Final

import orjson

from foundation.asgi import Application, Receive, Scope, Send

DETAIL: Final = (
    "This server has the built-in development SECRET_KEY, with which anybody could forge tokens, so it answers this "
    "machine only. Set SECRET_KEY to 50 random characters of your own."
)
_BODY: Final = orjson.dumps(
    {"type": "about:blank", "title": "Development only", "status": 403, "code": "DEVELOPMENT_ONLY", "detail": DETAIL}
)
_HEADERS: Final = [
    (b"content-type", b"application/problem+json"),
    (b"content-length", str(len(_BODY)).encode()),
    (b"cache-control", b"no-store"),
]


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine whatever a name server says."""
    bare = host.strip("[]").lower().rstrip(".")
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def with_loopback_only(application: Application) -> Application:
    """Refuse whoever comes from another machine, or to an address other machines can reach."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        ends = scope.get("client"), scope.get("server")
        if scope["type"] not in {"http", "websocket"} or all(end and is_loopback(str(end[0])) for end in ends):
            await application(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": "This server is for development only."})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": _BODY})

    return served
