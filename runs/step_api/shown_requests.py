"""Requests as journals may show them: secrets cut out, long parts shortened."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote_plus

from kernel.redaction import CUT, redact, redact_beginning
from kernel.types import Json
from kernel.values import dump_json

MAX_CHARACTERS: Final = 4_000
_BYTES_OF_A_LETTER: Final = 4
_CREDENTIAL: Final = re.compile(
    r"(password|passwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|authorization|cookie|credentials?"
    r"|passphrase|signature)$|(?:^|[-_. ])(?:pin|otp|cvc|cvv|pwd|pass)$",
    re.IGNORECASE,
)
_CREDENTIAL_IN_ADDRESS: Final = re.compile(
    r"^(key|sig|auth|pwd|pass|code)$|^(?!idempotency).*[-_](key|sig|auth)$", re.IGNORECASE
)


_MEMBER: Final = re.compile(r'("([^"\\]{1,60})"\s{0,9}:\s{0,9})(?:"(?:[^"\\]|\\.)*"?|-?[0-9][0-9.eE+-]{0,60})')
_PAIR: Final = re.compile(
    r"((?<![\w.\[\]%-])([\w.\[\]%-]{1,60})\s{0,3}[=:]\s{0,3})"
    r"(?!\[cut\])(?:\"[^\"\n]{0,4000}\"?|'[^'\n]{0,4000}'?|[^\s&<>\"'][^\s&<>]{0,4000})"
)
_ELEMENT: Final = re.compile(
    r"(<(?:[\w-]{1,60}:)?([\w.-]{1,60})(?:\s[^<>]{0,500})?>)(?:<!\[CDATA\[(?:[^\]]|\](?!\]>)){0,4000}|[^<]{1,4000})"
)


def names_credential(name: str, *, in_address: bool = False) -> bool:
    """Whether a member, or with ``in_address`` a header or parameter, is named as those are that hold credentials."""
    found = _CREDENTIAL.search(name) or (in_address and _CREDENTIAL_IN_ADDRESS.search(name))
    return bool(found)


def shown(value: Json, secrets: Collection[str] = (), *, most: int = MAX_CHARACTERS) -> Json:
    """Give a value that is sent, such as a body, a prompt or a tool's arguments.

    Args:
        value: What is sent.
        secrets: Texts to be cut out, as ``Client.secrets`` gives them.
        most: Characters of it that are kept.

    Returns:
        The value without secrets, and without texts in members that are named as those with credentials are; where it
        is larger than it may be, ``{"beginning": text, "characters": of the whole}``.
    """
    hidden = redact(_without_credentials(value), secrets)
    text = hidden if isinstance(hidden, str) else dump_json(hidden)
    return hidden if len(text) <= most else {"beginning": text[:most], "characters": len(text)}


def beginning(
    content: bytes, secrets: Collection[str] = (), *, most: int = MAX_CHARACTERS, codec: str = "utf-8"
) -> Json:
    """Give the beginning of what is too large to be looked through: ``{"beginning": text, "bytes": of the whole}``.

    ``codec`` is that of the charset the content is written in.
    """
    margin = max(map(len, secrets), default=0)
    text = content[: _BYTES_OF_A_LETTER * (most + margin)].decode(codec, errors="ignore")[: most + margin]
    return {"beginning": redact_beginning(text_without_credentials(text), secrets)[:most], "bytes": len(content)}


def text_without_credentials(text: str) -> str:
    """Cut what stands in a text behind names of credentials: in JSON, a form, XML, or lines of names and values."""
    for pattern in (_MEMBER, _ELEMENT, _PAIR):
        text = pattern.sub(_cut_value, text)
    return text


def _cut_value(found: "re.Match[str]") -> str:
    if not names_credential(unquote_plus(found[2]).rstrip("]")):
        return found[0]
    quote = '"' if found[1].startswith('"') else ""
    return f"{found[1]}{quote}{CUT}{quote}"


def _without_credentials(value: Json) -> Json:
    if isinstance(value, list):
        return [_without_credentials(item) for item in value]
    if isinstance(value, dict):
        return {name: _member(name, item) for name, item in value.items()}
    return value


def _member(name: str, item: Json) -> Json:
    is_text_or_number = (isinstance(item, str) and item != "") or type(item) in (int, float)
    return CUT if is_text_or_number and names_credential(name) else _without_credentials(item)
