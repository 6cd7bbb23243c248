"""Typed readers of environment variables: a wrong value stops the start with a sentence."""

import base64
import hashlib
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

CONNECTION_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslrootcert": (),
    "sslcert": (),
    "sslkey": (),
    "sslcrl": (),
    "gssencmode": ("disable", "prefer", "require"),
    "channel_binding": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "read-write", "primary"),
}
"""Options of a database's URL, with their values where these are few; what else libpq knows is set by us.

Of servers that only read, which libpq could be asked for, none would do: the platform writes.
"""

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+")


def text(name: str, default: str) -> str:
    """Read text; empty counts as not set."""
    return os.environ.get(name, "") or default


def flag(name: str, *, default: bool) -> bool:
    """Read yes/no.

    Raises:
        ImproperlyConfigured: Anything but 1, true, yes, on, 0, false, no, off.
    """
    value = text(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}; write 1 or 0.")


def number(name: str, default: float, *, least: float, most: float) -> float:
    """Read a number between two bounds.

    Raises:
        ImproperlyConfigured: Not a number, or outside the bounds.
    """
    written = text(name, str(default))
    try:
        value = float(written)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {written!r}; write a number.") from None
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} is {written}; it must be from {least:g} to {most:g}.")
    return value


def whole(name: str, default: int, *, least: int, most: int) -> int:
    """Read a whole number between two bounds; errors as ``number``."""
    value = number(name, default, least=least, most=most)
    if value != int(value):
        raise ImproperlyConfigured(f"{name} is {value:g}; write a whole number.")
    return int(value)


def choice(name: str, default: str, *, of: Sequence[str]) -> str:
    """Read one of a few words.

    Raises:
        ImproperlyConfigured: Another one.
    """
    value = text(name, default)
    if value not in of:
        raise ImproperlyConfigured(f"{name} is {value!r}; write one of: {', '.join(of)}.")
    return value


def certificates(name: str) -> str:
    """Read the path of a file of certificates in PEM; empty for none.

    Raises:
        ImproperlyConfigured: It cannot be read, or holds no certificate.
    """
    path = text(name, "")
    if path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
        except OSError as error:
            why = "holds no certificate in PEM" if isinstance(error, ssl.SSLError) else "cannot be read"
            raise ImproperlyConfigured(f"{name} is {path!r}; that file {why}.") from None
    return path


def words(name: str) -> list[str]:
    """Read a comma-separated list."""
    return [word.strip() for word in text(name, "").split(",") if word.strip()]


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


def pairs(name: str) -> dict[str, str]:
    """Read a comma-separated list of ``name=value``.

    Raises:
        ImproperlyConfigured: An entry without ``=``.
    """
    found = {}
    for entry in words(name):
        key, equals, value = entry.partition("=")
        if not equals:
            raise ImproperlyConfigured(f"{name} has the entry {entry!r}; write name=value.")
        found[key.strip()] = value.strip()
    return found


def keys(name: str, *, derived_from: str) -> dict[str, bytes]:
    """Read keys of 32 bytes as a comma-separated list of ``id:base64``, in their order.

    Args:
        name: The variable.
        derived_from: Not set, a key is made of this text; for development only.

    Raises:
        ImproperlyConfigured: Not set and nothing to derive a key from, or an entry is no key.
    """
    found = {}
    for entry in words(name):
        key_id, colon, encoded = entry.partition(":")
        try:
            found[key_id] = base64.b64decode(encoded, validate=True)
        except ValueError:
            found[key_id] = b""
        if not colon or len(found[key_id]) != 32 or not key_id.isalnum():
            raise ImproperlyConfigured(
                f"{name} must be id:key,id:key, each id of letters and digits, each key the base64 of 32 random bytes."
            )
    if found:
        return found
    if not derived_from:
        raise ImproperlyConfigured(f"{name} is not set. Set it to 1: and the base64 of 32 random bytes.")
    return {"development": hashlib.sha256(b"secrets at rest|" + derived_from.encode()).digest()}


def address(name: str) -> tuple[str, int] | None:
    """Read ``host:port``; None where it is not set. An IPv6 host stands in brackets.

    Raises:
        ImproperlyConfigured: Not of that form.
    """
    written = text(name, "")
    if not written:
        return None
    host, _, port = written.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
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


def database(name: str, *, pooled: bool = False) -> dict[str, object]:
    """Read a ``postgresql://`` URL into Django's form. Not set: an address nobody answers at.

    Args:
        name: The variable. What stands behind its ``?`` are options of libpq that say how to connect.
        pooled: Whether a pooler stands there that gives a session for one transaction only.

    Raises:
        ImproperlyConfigured: Another scheme, a port that is none, no database in the path, or an option that would
            not be honoured.
    """
    url = urlsplit(text(name, "postgresql://llmteam@127.0.0.1:1/llmteam"))
    try:
        port = url.port or 5432
    except ValueError:
        port = 0
    if url.scheme not in {"postgresql", "postgres"} or len(url.path) < 2 or not port:
        raise ImproperlyConfigured(f"{name} must look like postgresql://user:password@host:5432/database.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path[1:]),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(port),
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 600,
        "DISABLE_SERVER_SIDE_CURSORS": pooled,
        "OPTIONS": _connection_options(name, url.query),
    }


def _connection_options(name: str, query: str) -> dict[str, object]:
    try:
        written = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise ImproperlyConfigured(f"{name} has the options {query!r}; write ?name=value&name=value.") from None
    for option, value in written:
        known = CONNECTION_OPTIONS.get(option)
        if known is None:
            raise ImproperlyConfigured(
                f"{name} has the option {option!r}, which is not honoured; there are: {', '.join(CONNECTION_OPTIONS)}."
            )
        if known and value not in known:
            raise ImproperlyConfigured(f"{name} has {option}={value}; write one of: {', '.join(known)}.")
    return dict(written)
