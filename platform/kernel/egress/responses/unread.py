"""Unread bytes of a connection, and the TLS closing alert; checks that never wait."""

import ssl
from typing import Any, Final

_ONE: Final = 1


def has_unread(stream: Any) -> bool:
    """Tell whether bytes wait above the socket, in asyncio's queue or under TLS, of httpcore's streams.

    The socket itself is looked at by its owner. What is found may be taken out: the connection is to be closed.
    """
    inner = getattr(stream, "_stream", None)
    protocol = getattr(getattr(inner, "transport_stream", inner), "_protocol", None)
    if protocol is not None and protocol.read_event.is_set():
        return True
    tls = stream.get_extra_info("ssl_object")
    if tls is None:
        return False
    return bool(drain_tls(tls, _ONE)) if isinstance(tls, ssl.SSLObject) else tls.pending() > 0


def drain_tls(tls: ssl.SSLObject, most: int) -> bytes:
    """Take what has come under TLS: a record may hold one byte, and each read gives one record."""
    content = bytearray()
    try:
        while len(content) < most and (record := tls.read(most - len(content))):
            content += record
    except ssl.SSLError:
        return bytes(content)  # no more came; an error is found again by whoever reads next
    return bytes(content)


def was_closed_by_peer(stream: Any) -> bool:
    """Tell whether the other side has said that a connection at its end is to end there (RFC 9112, 9.8).

    Only TLS knows: without it anybody's end looks the same.
    """
    tls = stream.get_extra_info("ssl_object")
    if tls is None:
        return True
    try:
        return not tls.read(_ONE)
    except ssl.SSLError:
        return False
