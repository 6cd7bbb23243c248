"""Leaves of a log: the bytes of an entry that the tree hashes, and commitments to what may be erased.

A leaf is canonical JSON (RFC 8785) with every field of the entry, so that whoever has the fields has the bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from rfc8785 import CanonicalizationError

from audit.log.tiles import MAX_ENTRY_BYTES
from kernel.canonical import canonical_json
from kernel.types import Json

LEAF_VERSION: Final = 1
"""Version of the leaf's form, its field ``v``."""
FIELDS: Final = (
    "v", "n", "log", "id", "at", "action", "actor", "object_type", "object_id", "before", "after", "outcome",
    "request_id", "source",
)  # fmt: skip
"""Fields of a leaf. None is ever left out."""
MAX_VALUE_BYTES: Final = 28_000
"""Longest canonical form of ``before`` or ``after`` that a leaf carries itself: both and the rest fit into one."""
MIN_SALT_BYTES: Final = 16
_DIGEST_KEYS: Final = {"sha256", "bytes"}
_LONG_FIELDS: Final = ("before", "after")


class LeafRefused(ValueError):
    """Fields that make no leaf."""


def leaf_bytes(fields: Mapping[str, Json]) -> bytes:
    """Write the leaf of an entry.

    A ``before`` or ``after`` over ``MAX_VALUE_BYTES`` goes in as its ``digest``, and so does one that looks like a
    digest: what looks like one in a leaf is one.

    Args:
        fields: Exactly ``FIELDS``. ``v`` is ``LEAF_VERSION``, ``n`` the leaf's place, ``log`` the log's origin, ``at``
            a time in UTC as RFC 3339 writes it with ``Z``.

    Raises:
        LeafRefused: A field is missing or unknown, ``v`` is another, one but ``before`` and ``after`` has no
            canonical form, or the leaf is over 65,535 bytes.
    """
    if set(fields) != set(FIELDS) or fields["v"] != LEAF_VERSION:
        raise LeafRefused(f"A leaf has the fields {', '.join(FIELDS)}, and v is {LEAF_VERSION}.")
    try:
        try:
            data = canonical_json({**fields, **{name: _carried(fields[name]) for name in _LONG_FIELDS}})
        except CanonicalizationError:
            data = canonical_json({**fields, **{name: _carried_as_text(fields[name]) for name in _LONG_FIELDS}})
    except CanonicalizationError as refusal:
        raise LeafRefused(f"A field has no canonical form: {refusal}") from refusal
    if len(data) > MAX_ENTRY_BYTES:
        raise LeafRefused(f"The leaf has {len(data):,} bytes; at most {MAX_ENTRY_BYTES:,} fit.")
    return data


def written(value: Json) -> bytes:
    """Write a ``before`` or ``after`` canonically; what has no canonical form is written as the string of its JSON."""
    try:
        return canonical_json(value)
    except CanonicalizationError:
        return canonical_json(json.dumps(value, sort_keys=True, separators=(",", ":")))


def digest(value: Json) -> dict[str, Json]:
    """Tell a long value by the SHA-256 and the length of its canonical form."""
    return _digest(written(value))


def entry_line(
    leaf: bytes, *, long: Mapping[str, str] | None = None, personal: Mapping[str, Json] | None = None
) -> bytes:
    """Write the line of a leaf in entries.ndjson: its own bytes, and what stands in it by a hash.

    Args:
        leaf: The leaf's bytes.
        long: Canonical texts of values that stand as digests, by their SHA-256 in hex.
        personal: What opens commitments, by the commitment: ``{"salt": "<hex>", "value": "..."}``, or ``"erased"``.
    """
    beside = {"long": dict(long or {}), "personal": dict(personal or {})}
    told = "".join(f',"{name}":{json.dumps(value)}' for name, value in beside.items() if value)
    return b'{"leaf":' + leaf + told.encode() + b"}\n"


def commitment(salt: bytes, value: str) -> str:
    """Tell a person's data by ``SHA-256(salt || value)``, written ``sha256:<hex>``.

    Without the salt nobody can tell the value, nor try values out; once both are erased the leaf says nothing of it.

    Args:
        salt: Random bytes that nothing else uses, at least ``MIN_SALT_BYTES``.
        value: What is not to stand in the log itself, hashed as UTF-8.

    Raises:
        ValueError: The salt is too short.
    """
    if len(salt) < MIN_SALT_BYTES:
        raise ValueError(f"a salt has at least {MIN_SALT_BYTES} bytes")
    return "sha256:" + hashlib.sha256(salt + value.encode()).hexdigest()


def _carried(value: Json) -> Json:
    data = written(value)
    looks_like_digest = isinstance(value, dict) and set(value) == _DIGEST_KEYS
    carried: Json = json.loads(data) if len(data) <= MAX_VALUE_BYTES and not looks_like_digest else _digest(data)
    return carried


def _carried_as_text(value: Json) -> Json:
    """Carry a value whose canonical form is not read back as it was: 1e16 is written as a whole number beyond 2^53."""
    return None if value is None else _carried(written(value).decode())


def _digest(data: bytes) -> dict[str, Json]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
