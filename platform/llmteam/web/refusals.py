"""Refusals written to a connection before there is a request that the application could answer."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import orjson

from kernel.errors import PROBLEM, LimitReached, LlmteamError, Malformed, TooLarge, Unavailable
from llmteam.api.content import MAX_BODY_BYTES
from llmteam.api.problems import problem

RETRY_SECONDS: Final = 10


class RequestTimedOut(LlmteamError):
    """A request's headers or body did not arrive in time."""

    code = "REQUEST_TIMED_OUT"
    status = 408
    title = "The request did not arrive in time"


class HeadersTooLarge(LlmteamError):
    """A request's line and headers are over their bound."""

    code = "HEADERS_TOO_LARGE"
    status = 431
    title = "The request's headers are too large"


class TooManyConnections(LimitReached):
    """One address has as many connections open as it may."""

    code = "TOO_MANY_CONNECTIONS"
    title = "This address has too many connections open"


class ServerFull(Unavailable):
    """The process has as many connections open as it takes."""

    code = "SERVER_FULL"
    title = "This server has as many connections as it takes"


def body_too_large() -> TooLarge:
    """Refuse a body over the API's bound."""
    return TooLarge(f"A body may have at most {MAX_BODY_BYTES} bytes.", extra={"limit": MAX_BODY_BYTES})


def malformed() -> Malformed:
    """Refuse what is no HTTP."""
    return Malformed("What was sent is no HTTP/1.1 request.")


def written(error: LlmteamError, headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """Write a whole HTTP/1.1 answer after which the connection is closed, with some further headers."""
    body = orjson.dumps(problem(error))
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        f"Content-Type: {PROBLEM}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if "retry_after" in error.extra:
        lines.append(f"Retry-After: {error.extra['retry_after']}")
    lines += [f"{name.decode()}: {value.decode()}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
