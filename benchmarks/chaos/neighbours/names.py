"""A stand-in for the resolver of the operating system: names under ``.test``, all of them this machine."""

import socket
import time
from typing import Any

QUICK = "quick.test"
SLOW = "slow.test"
"""Names that end so are answered late."""
SLOW_SECONDS = 5.0

_resolve = socket.getaddrinfo


def _answer(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
    if not isinstance(host, str) or not host.endswith((QUICK, SLOW)):
        return _resolve(host, port, *arguments, **options)
    if host.endswith(SLOW):
        time.sleep(SLOW_SECONDS)
    return _resolve("127.0.0.1", port, *arguments, **options)


def install() -> None:
    """Have this process ask the stand-in."""
    socket.getaddrinfo = _answer
