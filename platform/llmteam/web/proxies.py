"""Proxy headers, believed from trusted proxies only (``TRUSTED_PROXIES``)."""

import ipaddress
import re
from collections.abc import Collection, Sequence
from typing import Final

from foundation.asgi import Application, Receive, Scope, Send

FORWARDED_FOR: Final = b"x-forwarded-for"
FORWARDED_PROTO: Final = b"x-forwarded-proto"
_HEADERS: Final = frozenset((FORWARDED_FOR, FORWARDED_PROTO, b"x-forwarded-host", b"x-forwarded-port", b"forwarded"))
_SECURE: Final = {"http": "https", "websocket": "wss"}
_PLAIN: Final = {"http": "http", "websocket": "ws"}
_WITH_PORT: Final = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")
UNIX_SOCKET: Final = ""
"""Name of those who come through a Unix socket: only a proxy on this machine can."""


class Networks:
    """Addresses and networks, asked whether an address is one of theirs; a Unix socket's other end always is."""

    def __init__(self, networks: Collection[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
        self._networks = tuple(networks)

    def __contains__(self, address: str) -> bool:
        if address == UNIX_SOCKET:
            return True
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self._networks)


def with_proxy_headers(application: Application, proxies: Networks) -> Application:
    """Give every scope its caller's own address and scheme; forwarding headers go no further in.

    The address is the last in ``X-Forwarded-For`` that is no trusted proxy's: what stands before it is hearsay. The
    scheme is ``X-Forwarded-Proto``, if it reads ``http`` or ``https``. A caller that is no trusted proxy may send these
    headers, they mean nothing.
    """

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in _PLAIN:
            _apply(scope, proxies)
        await application(scope, receive, send)

    return served


def _apply(scope: Scope, proxies: Networks) -> None:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    forwarded = [(name, value) for name, value in headers if name in _HEADERS]
    if not forwarded:
        return
    scope["headers"] = [pair for pair in headers if pair[0] not in _HEADERS]
    address, _ = scope.get("client") or (UNIX_SOCKET, 0)
    if address not in proxies:
        return
    hops = [
        hop.strip() for name, value in forwarded if name == FORWARDED_FOR for hop in value.decode("latin-1").split(",")
    ]
    stranger = _last_stranger(hops, proxies)
    if stranger is not None:
        scope["client"] = [stranger, 0]
    protocols = [value.decode("latin-1").strip().lower() for name, value in forwarded if name == FORWARDED_PROTO]
    if protocols in (["https"], ["http"]):
        scope["scheme"] = (_SECURE if protocols == ["https"] else _PLAIN)[scope["type"]]


def _last_stranger(hops: Sequence[str], proxies: Networks) -> str | None:
    for hop in reversed(hops):
        try:
            address = str(ipaddress.ip_address(_without_port(hop)))
        except ValueError:
            return None
        if address not in proxies:
            return address
    return None


def _without_port(hop: str) -> str:
    """Give the address of a hop; some proxies write the port of its connection behind it, and brackets around IPv6."""
    match = _WITH_PORT.fullmatch(hop)
    return hop if match is None else match[1] or match[2]
