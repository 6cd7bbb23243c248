"""Quotable parts of a service's own words: no credential that was sent to it, and no address."""

import base64
import binascii
import re

import httpx

MAX_QUOTED = 400

_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*[^\s).,;:!?'\"\]}>]|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b|\[[0-9a-f:.]*:[0-9a-f:.]*\]\S*",
    re.IGNORECASE,
)
_KEY = re.compile(r"\b(?:sk|key|pk|rk)-[\w*.-]{4,}|\S*\*{3,}\S*")
_MIN_SECRET_PART_LENGTH = 8
_PLAIN_HEADERS = frozenset(
    (
        "accept",
        "accept-encoding",
        "anthropic-version",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    )
)


def quotable_words(text: str, sent: httpx.Request) -> str | None:
    """Return a service's words as they may be kept, or None when they hold anything that was sent as a credential.

    Every header that is not one of the protocol, and every part of the query, counts as one: a service, or whoever
    stands in for it, may send back what it was given. Addresses and what looks like a key are left out.

    Args:
        text: As the service wrote it.
        sent: The request it answers.
    """
    words = " ".join(_KEY.sub("(key)", _ADDRESS.sub("(address)", text)).split())
    if _holds_secret(words, sent):
        return None
    host = sent.url.host
    if host and host in words:
        words = words.replace(host, "(address)")
    return words[:MAX_QUOTED] or None


def quotable_place(location: str, sent: httpx.Request) -> str | None:
    """Return where a service leads, without a query, or None when it holds anything that was sent as a credential.

    Args:
        location: As the service wrote it.
        sent: The request it answers.
    """
    try:
        place = sent.url.join(location)
    except (httpx.InvalidURL, ValueError):
        return None
    shown = f"{place.scheme}://{place.netloc.decode('ascii')}{place.raw_path.decode('ascii').partition('?')[0]}"
    return None if _holds_secret(shown, sent) else shown[:MAX_QUOTED]


def _holds_secret(words: str, sent: httpx.Request) -> bool:
    found = words.lower()
    return any(part in found for secret in _sent_secrets(sent) for part in _parts(secret.lower()))


def _sent_secrets(sent: httpx.Request) -> list[str]:
    values = [value for name, value in sent.headers.items() if name not in _PLAIN_HEADERS and not _is_of_sdk(name)]
    secrets = [word for value in values for word in value.split()] + [
        value for _, value in sent.url.params.multi_items()
    ]
    return secrets + [inner for secret in secrets for inner in _inside(secret)]


def _is_of_sdk(name: str) -> bool:
    return name.startswith("x-stainless-")


def _inside(secret: str) -> list[str]:
    """Read a secret that is the base64 of another, as in basic authentication."""
    try:
        return base64.b64decode(secret, validate=True).decode().split(":")
    except (binascii.Error, ValueError):
        return []


def _parts(secret: str) -> list[str]:
    """Cut a secret into all its parts of eight letters: services repeat keys shortened, too."""
    length = _MIN_SECRET_PART_LENGTH
    if len(secret) < length:
        return [secret] if len(secret) > 3 else []
    return [secret[start : start + length] for start in range(len(secret) - length + 1)]
