"""Readers of the addresses of databases and of Redis."""

import os
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from llmteam.environment.values import text

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
REDIS_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "ssl_cert_reqs": ("required", "none"),
    "ssl_ca_certs": (),
    "ssl_certfile": (),
    "ssl_keyfile": (),
}
"""Options of Redis's URL with TLS; those that both of our clients of Redis take."""


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
        "OPTIONS": _options(name, url.query, known=CONNECTION_OPTIONS),
    }


def redis(name: str, default: str) -> str:
    """Read the address of a Redis, ``redis://`` or ``rediss://`` (with TLS); never repeated, as it holds a password.

    Raises:
        ImproperlyConfigured: Another scheme, no host, a port or a number of a database that is none, or an option
            that would not be honoured.
    """
    written = text(name, default)
    try:
        url = urlsplit(written)
        usable = url.scheme in {"redis", "rediss"} and url.hostname and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if not usable or url.fragment or not re.fullmatch(r"(/[0-9]{0,6})?", url.path):
        raise ImproperlyConfigured(
            f"{name} must look like redis://user:password@host:6379/0, or rediss:// with TLS; "
            "signs such as # in the password are written as %23."
        )
    _options(name, url.query, known=REDIS_OPTIONS if url.scheme == "rediss" else {})
    return written


def _options(name: str, query: str, *, known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    try:
        written = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise ImproperlyConfigured(f"{name} has the options {query!r}; write ?name=value&name=value.") from None
    if len(dict(written)) < len(written):
        raise ImproperlyConfigured(f"{name} has an option twice.")
    for option, value in written:
        values = known.get(option)
        if values is None:
            raise ImproperlyConfigured(
                f"{name} has the option {option!r}, which is not supported; supported are: "
                f"{', '.join(known) or 'none'}."
            )
        if values and value not in values:
            raise ImproperlyConfigured(f"{name} has {option}={value}; write one of: {', '.join(values)}.")
        if not values and not _is_readable(value):
            raise ImproperlyConfigured(f"{name} has {option}={value}; that file cannot be read.")
    return dict(written)


def _is_readable(path: str) -> bool:
    """Whether a file is there for us, or the system's certificates are meant; libpq passes over one that is not."""
    return path == "system" or os.access(path, os.R_OK)
