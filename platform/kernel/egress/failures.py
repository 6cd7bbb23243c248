"""Reasons of failed connections, from what the network and TLS raised; never with an address."""

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import httpcore

from kernel.egress.errors import BodyUnreadable, ConnectionFailed, Reason

_TEXTS: Final = {
    Reason.REFUSED: "Nothing listens at that host and port: the connection was refused",
    Reason.UNKNOWN_NAME: "The host's name cannot be resolved",
    Reason.UNREACHABLE: "The host cannot be reached",
    Reason.CLIENT_CERTIFICATE: "The host requires a client certificate, or does not accept the one it was sent",
    Reason.NOT_TLS: "The host does not speak TLS at that port; try http",
    Reason.TLS: "TLS could not be negotiated with the host",
}
_CERTIFICATE_TEXTS: Final = {
    10: "it has expired",
    9: "it is not valid yet",
    18: "it is signed by itself; name it as its authority (CA)",
    19: "its authority (CA) is not known; name its CA certificate",
    20: "its authority (CA) is not known; name its CA certificate",
    21: "its authority (CA) is not known; name its CA certificate",
    23: "it was revoked",
    62: "it is for another host",
    64: "it is for another address",
}
_NOT_TLS: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")
_OF_OUR_CERTIFICATE: Final = (
    "CERTIFICATE_REQUIRED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE",
    "ALERT_UNKNOWN_CA",
    "ALERT_HANDSHAKE_FAILURE",
    "ALERT_ACCESS_DENIED",
)
_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


_ENDED: Final = ("disconnected", "closed connection")
"""Words of httpcore and h11 for a connection that ended; all else they say of an answer that cannot be read."""


def call_failed(error: BaseException, *, sent: bool) -> ConnectionFailed | BodyUnreadable:
    """Write an error of the network as ours. A host whose answer is not HTTP is there, and has answered."""
    message = str(error)
    if isinstance(error, httpcore.RemoteProtocolError) and not any(words in message for words in _ENDED):
        place = "body has a piece" if "chunk header" in message else "head has a line"
        return BodyUnreadable(f"The answer's {place} that is not HTTP.")
    return connection_failed(error, sent=sent)


def connection_failed(error: BaseException, *, sent: bool) -> ConnectionFailed:
    """Write an error of a connection as ours; what it says stays behind, it may hold an address."""
    for cause in _causes(error):
        reason = _reason_of(cause)
        if reason is Reason.CERTIFICATE and isinstance(cause, ssl.SSLCertVerificationError):
            why = _CERTIFICATE_TEXTS.get(cause.verify_code, "it does not hold")
            return ConnectionFailed(f"The host's certificate is not trusted: {why}.", reason=reason, sent=sent)
        if reason is not None:
            # With TLS 1.3 a request is written before the host looks at our certificate; refused, nothing has read it.
            sent = sent and reason is not Reason.CLIENT_CERTIFICATE
            return ConnectionFailed(f"{_TEXTS[reason]}.", reason=reason, sent=sent)
    return ConnectionFailed(sent=sent)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and all it comes from, the members of groups as well."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        cause = left.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        left += [cause.__context__, cause.__cause__]
        if isinstance(cause, BaseExceptionGroup):
            left += cause.exceptions


def _reason_of(error: BaseException) -> Reason | None:
    if isinstance(error, ssl.SSLError):
        return _reason_of_tls(error)
    if isinstance(error, ConnectionRefusedError):
        return Reason.REFUSED
    if isinstance(error, socket.gaierror):
        return Reason.UNKNOWN_NAME
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return Reason.UNREACHABLE
    return None


def _reason_of_tls(error: ssl.SSLError) -> Reason | None:
    """Read an error of TLS; some only say that TLS waits for more, or that the connection has ended."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Reason.CERTIFICATE
    reason = error.reason
    if not reason or "EOF" in reason:
        return None
    if any(part in reason for part in _NOT_TLS):
        return Reason.NOT_TLS
    if any(part in reason for part in _OF_OUR_CERTIFICATE):
        return Reason.CLIENT_CERTIFICATE
    return Reason.TLS
