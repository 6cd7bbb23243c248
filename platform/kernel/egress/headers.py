"""Rules of request headers: those a caller may send, and those that follow a redirect."""

import re
from collections.abc import Iterable

from kernel.egress.errors import HeaderRefused
from kernel.egress.responses.decompression import accepted_encodings

OWN_HEADERS = {"accept-encoding": accepted_encodings(), "user-agent": "llmteam"}

_REFUSED = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
# What follows a redirect to another host; everything else may be a credential.
_TRAVELLING = frozenset(
    ("accept", "accept-encoding", "accept-language", "content-type", "idempotency-key", "traceparent", "user-agent")
)
_SET_ANEW = frozenset(("host", "content-length", "transfer-encoding"))
_OF_THE_BODY = frozenset(("content-type", "content-encoding"))
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_UNSENT = re.compile(r"[^\x20-\x7e\t]")
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")


def name_as_received(name: str) -> str:
    """Give the header that a receiver may read a name as: behind CGI and WSGI ``_`` and ``-`` are one."""
    return name.lower().replace("_", "-")


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Check the headers a caller wants to send.

    Args:
        headers: Names and values.

    Raises:
        HeaderRefused: One belongs to the connection and not to the caller (Host, hop-by-hop,
            length, encoding), or holds what a header cannot. The text names it, never its value.
    """
    for name, value in headers:
        if _NAME.fullmatch(name) is None:
            raise HeaderRefused("A header's name may hold letters, digits and hyphens only.")
        if name_as_received(name) in _REFUSED:
            raise HeaderRefused(f"The header {name} is set by the platform and may not be given.")
        if _VALUE.fullmatch(value) is None:
            raise HeaderRefused(f"The value of the header {name} {_flaw(value)}.")


def _flaw(value: str) -> str:
    """Say what of a value cannot be sent, and where; of the value that one character."""
    odd = _UNSENT.search(value)
    if odd is None:
        return "begins or ends with a blank"
    return f"holds a character that cannot be sent: U+{ord(odd[0]):04X}, character {odd.start() + 1}"


def next_headers(headers: Iterable[tuple[str, str]], *, same_host: bool, with_body: bool) -> list[tuple[str, str]]:
    """Choose the headers of a redirect's next request.

    Host and length are left out: they are set anew from the URL and the content.
    """
    chosen = []
    for name, value in headers:
        lower = name.lower()
        if lower in _SET_ANEW or (lower in _OF_THE_BODY and not with_body):
            continue
        if same_host or lower in _TRAVELLING:
            chosen.append((name, value))
    return chosen
