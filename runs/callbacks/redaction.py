"""What of a receiver's answer may be kept: its beginning, without anything of ours that it quotes."""

import base64
import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

MOST_READ: Final = 64 * 1024
MOST_KEPT: Final = 500
SHORTEST_SECRET: Final = 4
HIDDEN: Final = "[hidden]"


def secrets_in(url: str, headers: Iterable[tuple[str, str]]) -> list[str]:
    """List what an answer must not be kept with: header values, their words, and the query and its values."""
    query = urlsplit(url).query
    found = {query, unquote(query)}
    for pair in query.replace(";", "&").split("&"):
        value = pair.partition("=")[2]
        found |= {value, unquote(value)}
    for _, value in headers:
        found |= {value, *value.split()}
    spelled = {spelling for secret in found if len(secret) >= SHORTEST_SECRET for spelling in _spellings(secret)}
    return sorted(spelled, key=len, reverse=True)


def excerpt(content: bytes, secrets: Iterable[str]) -> str:
    """Return the beginning of an answer as one line of text, with what is secret hidden."""
    text = content.decode("utf-8", "replace")
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line[:MOST_KEPT]


def _spellings(secret: str) -> set[str]:
    """Write a text in the ways an answer may quote it."""
    plain = secret.encode("utf-8", "replace")
    escaped = json.dumps(secret)[1:-1]
    return {
        secret,
        escaped,
        escaped.replace("/", "\\/"),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        base64.b64encode(plain).decode(),
        base64.urlsafe_b64encode(plain).decode(),
    }
