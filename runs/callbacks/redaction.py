"""Excerpts of receivers' answers: their beginning, without anything of ours that they quote."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote, urlsplit

from kernel.redaction import redact_beginning, spellings

MAX_READ: Final = 64 * 1024
MAX_KEPT: Final = 500
MIN_SECRET_LENGTH: Final = 4
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
    spelled = {spelling for secret in found if len(secret) >= MIN_SECRET_LENGTH for spelling in spellings(secret)}
    return sorted(spelled, key=len, reverse=True)


def excerpt(content: bytes, secrets: Iterable[str]) -> str:
    """Return the beginning of an answer as one line of text, with what is secret hidden."""
    text = redact_beginning(content.decode("utf-8", "replace"), [*secrets], HIDDEN)
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line[:MAX_KEPT]
