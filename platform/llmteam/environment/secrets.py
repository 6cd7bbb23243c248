"""Readers of what nobody else may know, and of certificates."""

import base64
import hashlib
import re
import ssl
from typing import Final

from django.core.exceptions import ImproperlyConfigured

from kernel.signed_notes import NoteKeyMalformed, VerifierKey, read_verifier
from llmteam.environment.values import text, words

LEAST_SECRET: Final = 32
"""Characters of a secret."""
LEAST_DIFFERENT: Final = 5
"""Of these."""
_WELL_KNOWN: Final = ("development-only-", "django-insecure-", "50 random characters")
"""Beginnings of secrets that stand in sources and pages."""
_BEARER: Final = re.compile(r"[!-~]*")


def secret(name: str, default: str, *, weak_allowed: bool) -> str:
    """Read a text that nobody can guess.

    Args:
        name: The variable.
        default: What it is where it is not set; empty for none.
        weak_allowed: Whether any text will do; for development only.

    Raises:
        ImproperlyConfigured: It is not set, everybody knows it, or it is short.
    """
    value = text(name, default)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. Set it to 50 random characters, or LLMTEAM_DEVELOPMENT=1.")
    if value.startswith(_WELL_KNOWN) and not weak_allowed:
        raise ImproperlyConfigured(f"{name} is one that everybody knows. Set it to 50 random characters.")
    if (len(value) < LEAST_SECRET or len({*value}) < LEAST_DIFFERENT) and not weak_allowed:
        raise ImproperlyConfigured(
            f"{name} can be guessed: it has {len(value)} characters, {len({*value})} different ones. "
            f"Set it to 50 random characters; {LEAST_SECRET}, {LEAST_DIFFERENT} of them different, are the minimum."
        )
    return value


def bearer(name: str) -> str:
    """Read a token that callers show in a header; empty where it is not set.

    Raises:
        ImproperlyConfigured: No header could hold it, or it is blank.
    """
    written = text(name, "")
    if not _BEARER.fullmatch(written):
        raise ImproperlyConfigured(f"{name} has blanks or signs that no header holds; write letters and digits.")
    return written


def keys(name: str, *, derived_from: str) -> dict[str, bytes]:
    """Read keys of 32 bytes as a comma-separated list of ``id:base64``, in their order.

    Args:
        name: The variable.
        derived_from: Not set, a key is made of this text; for development only.

    Raises:
        ImproperlyConfigured: Not set and nothing to derive a key from, an entry is no key, or an id comes twice.
    """
    found: dict[str, bytes] = {}
    for entry in words(name):
        key_id, colon, encoded = entry.partition(":")
        if key_id in found:
            raise ImproperlyConfigured(f"{name} has the id {key_id!r} twice.")
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


def key(name: str, *, needed: bool) -> bytes:
    """Read a key of 32 bytes, as base64; empty where it is not set and not needed.

    Raises:
        ImproperlyConfigured: It is needed and not set, or is no such key.
    """
    written = text(name, "")
    found = _decoded(written)
    if len(found) != 32 and (written or needed):
        raise ImproperlyConfigured(f"{name} is no key. Set it to the base64 of 32 random bytes.")
    return found


def old_keys(name: str) -> list[bytes]:
    """Read a comma-separated list of keys of 32 bytes, each as base64.

    Raises:
        ImproperlyConfigured: An entry is no such key.
    """
    found = [_decoded(entry) for entry in words(name)]
    if any(len(one) != 32 for one in found):
        raise ImproperlyConfigured(f"{name} must be keys separated by commas, each the base64 of 32 random bytes.")
    return found


def _decoded(written: str) -> bytes:
    try:
        return base64.b64decode(written, validate=True)
    except ValueError:
        return b""


def verifier_keys(name: str) -> list[VerifierKey]:
    """Read a comma-separated list of keys that verify signed notes, ``name+id+base64``.

    Raises:
        ImproperlyConfigured: An entry is no such key, or one comes twice.
    """
    found: list[VerifierKey] = []
    for entry in words(name):
        try:
            key = read_verifier(entry)
        except NoteKeyMalformed as error:
            raise ImproperlyConfigured(f"{name} has the entry {entry!r}. {error}") from None
        if any((key.name, key.key_id) == (other.name, other.key_id) for other in found):
            raise ImproperlyConfigured(f"{name} has the key {entry!r} twice.")
        found.append(key)
    return found


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
