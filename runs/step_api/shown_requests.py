"""Requests as journals may show them: secrets cut out, long parts shortened."""

import re
from collections.abc import Collection
from contextlib import suppress
from typing import Final
from urllib.parse import unquote_plus

from kernel.errors import LlmteamError
from kernel.redaction import CUT, redact, redact_beginning
from kernel.types import Json
from kernel.values import dump_json, parse_json

MAX_CHARACTERS: Final = 4_000
_BYTES_OF_A_LETTER: Final = 4
_CREDENTIAL: Final = re.compile(
    r"(password|passwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|authorization|cookie|credentials?"
    r"|passphrase|passcode|passwort|kennwort|mot[-_]?de[-_]?passe|contrase[nñ]a|senha|пароль|jwt|signature)$"
    r"|(?:^|[-_. ])(?:pin|otp|cvc|cvv|pwd|pass)$",
    re.IGNORECASE,
)
_CREDENTIAL_IN_ADDRESS: Final = re.compile(
    r"^(key|sig|auth|pwd|pass|code)$|^(?!idempotency).*[-_](key|sig|auth)$", re.IGNORECASE
)


_NAMED_BY: Final = ("name", "key", "field", "id", "header", "param")
_VALUED_BY: Final = ("value", "val", "content", "text")
"""Members of a pair: ``{"name": "password", "value": ...}``."""
_WRITTEN_BEGINS: Final = ("{", "[", "<")
_OF_GRAPHQL: Final = frozenset(("query", "mutation", "document"))
MAX_WRITTEN: Final = 64 * 1024
"""Characters of a text that is read as JSON to look into it."""
MAX_DEPTH: Final = 4
"""Most levels of JSON within texts of JSON that are looked into."""
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


def text_without_credentials(text: str, depth: int = 0) -> str:
    """Cut what stands in a text behind names of credentials: in JSON, a form, XML, or lines of names and values."""
    if depth < MAX_DEPTH and len(text) <= MAX_WRITTEN and text.lstrip()[:1] in {"{", "["}:
        with suppress(LlmteamError):
            value = parse_json(text, big_integers="text")
            hidden = _without_credentials(value, depth + 1)
            return text if hidden == value else dump_json(hidden)
    for pattern in (_MEMBER, _ELEMENT, _PAIR):
        text = pattern.sub(_cut_value, text)
    return text


def _cut_value(found: "re.Match[str]") -> str:
    if not names_credential(unquote_plus(found[2]).rstrip("]")):
        return found[0]
    quote = '"' if found[1].startswith('"') else ""
    return f"{found[1]}{quote}{CUT}{quote}"


def _without_credentials(value: Json, depth: int = 0) -> Json:
    if isinstance(value, list):
        return [_without_credentials(item, depth) for item in value]
    if isinstance(value, dict):
        is_pair = any(isinstance(label := value.get(key), str) and names_credential(label) for key in _NAMED_BY)
        return {
            name: CUT if _is_scalar(item) and _is_of_credential(name, is_pair=is_pair) else _inner(name, item, depth)
            for name, item in value.items()
        }
    return value


def _is_of_credential(name: str, *, is_pair: bool) -> bool:
    return names_credential(name) or (is_pair and name in _VALUED_BY)


def _is_scalar(item: Json) -> bool:
    return (isinstance(item, str) and item != "") or type(item) in (int, float)


def _inner(name: str, item: Json, depth: int) -> Json:
    """Look into a member; into a text where it is written as JSON, XML or GraphQL is."""
    if not isinstance(item, str):
        return _without_credentials(item, depth)
    is_written = item.lstrip()[:1] in _WRITTEN_BEGINS or (name in _OF_GRAPHQL and "{" in item)
    return text_without_credentials(item, depth) if is_written else item
