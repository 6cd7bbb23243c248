"""Readers of addresses: of hosts, networks, pages and people."""

import ipaddress
import re
from email.utils import parseaddr
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from llmteam.environment.values import text, words

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+")
_HOST: Final = re.compile(r"\*|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\]", re.IGNORECASE | re.ASCII)


def origins(name: str) -> list[str]:
    """Read a comma-separated list of origins (``https://app.example.com``), as browsers send them.

    Raises:
        ImproperlyConfigured: An entry is none.
    """
    found = words(name)
    for entry in found:
        if not _ORIGIN.fullmatch(entry):
            raise ImproperlyConfigured(f"{name} has the entry {entry!r}; write https://app.example.")
    return found


def hosts(name: str) -> list[str]:
    """Read a comma-separated list of names and addresses as a ``Host`` header has them; ``.example.com``, ``*``.

    Raises:
        ImproperlyConfigured: An entry that no header could match.
    """
    found = words(name)
    for entry in found:
        if not _HOST.fullmatch(entry):
            raise ImproperlyConfigured(
                f"{name} has the entry {entry!r}; write app.example, .example, 10.1.2.3 or [::1], without a port."
            )
    return found


def base_urls(name: str) -> dict[str, str]:
    """Read a comma-separated list of ``name=url``.

    Raises:
        ImproperlyConfigured: An entry without ``=``, a name that comes twice, or an address that is none.
    """
    found: dict[str, str] = {}
    for entry in words(name):
        key, equals, value = (part.strip() for part in entry.partition("="))
        if not equals:
            raise ImproperlyConfigured(f"{name} has the entry {entry!r}; write name=value.")
        if not key or key in found:
            raise ImproperlyConfigured(f"{name} has the name {key!r} twice, or an empty one.")
        if not _is_web_address(value):
            raise ImproperlyConfigured(f"{name} has {value!r} for {key!r}; write https://host/path.")
        found[key] = value
    return found


def base_url(name: str, default: str) -> str:
    """Read an address that paths are put behind; without a slash at its end. Empty where there is no default.

    Raises:
        ImproperlyConfigured: It is none of HTTP, or has a query or a login.
    """
    written = text(name, default).rstrip("/")
    if written and not _is_web_address(written):
        raise ImproperlyConfigured(f"{name} is {written!r}; write https://app.example.")
    return written


def _is_web_address(written: str) -> bool:
    try:
        url = urlsplit(written)
        usual = url.port is None or url.port > 0
    except ValueError:
        return False
    extra = url.query or url.fragment or "@" in url.netloc or not written.isprintable() or " " in written
    return usual and url.scheme in {"http", "https"} and bool(url.hostname) and not extra


def log_origin(name: str, default: str) -> str:
    """Read what the names of logs begin with: an address without its scheme.

    Raises:
        ImproperlyConfigured: It is empty, or has blanks, ``+`` or slashes at its ends.
    """
    written = text(name, default)
    usable = written.isascii() and written.isprintable() and not {*written} & {" ", "+"} and len(written) <= 200
    if not usable or written.strip("/") != written or not written or "://" in written:
        raise ImproperlyConfigured(f"{name} is {written!r}; write app.example, or app.example/audit.")
    return written


def mailbox(name: str, default: str) -> str:
    """Read the address of a sender, ``person@host`` or ``Name <person@host>``.

    Raises:
        ImproperlyConfigured: It has no such address.
    """
    written = text(name, default)
    person, at, host = parseaddr(written)[1].rpartition("@")
    if not (person and at and host) or not written.isprintable():
        raise ImproperlyConfigured(f"{name} is {written!r}; write person@host or Name <person@host>.")
    return written


def address(name: str) -> tuple[str, int] | None:
    """Read ``host:port``; None where it is not set. An IPv6 host stands in brackets.

    Raises:
        ImproperlyConfigured: Not of that form.
    """
    written = text(name, "")
    if not written:
        return None
    host, _, port = written.rpartition(":")
    if not host or "/" in host or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise ImproperlyConfigured(f"{name} is {written!r}; write host:port.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Read a comma-separated list of addresses and networks (``10.0.0.0/8``).

    Raises:
        ImproperlyConfigured: An entry is neither.
    """
    found = []
    for entry in words(name):
        try:
            found.append(ipaddress.ip_network(entry))
        except ValueError:
            raise ImproperlyConfigured(f"{name} has the entry {entry!r}; write 10.1.2.3 or 10.1.0.0/16.") from None
    return found


def issuer(name: str, *, plain_allowed: bool) -> str:
    """Read the address of an identity provider; empty where it is not set.

    Args:
        name: The variable.
        plain_allowed: Whether plain HTTP will do; for development only.

    Raises:
        ImproperlyConfigured: No such address, or one with a query.
    """
    written = text(name, "")
    schemes = {"https", "http"} if plain_allowed else {"https"}
    url = urlsplit(written)
    if written and (url.scheme not in schemes or not url.hostname or url.query or url.fragment):
        raise ImproperlyConfigured(f"{name} is {written!r}; write https://host/path, as the provider names itself.")
    return written
