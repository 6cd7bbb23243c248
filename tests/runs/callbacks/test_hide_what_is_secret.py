"""A receiver's answer is kept without anything of ours that it quotes. Pure."""

import base64
import json
from urllib.parse import quote_plus

import pytest

from runs.callbacks.redaction import MAX_KEPT, excerpt, secrets_in

SECRET = 'ca"nary/token+1 2'
URL = "https://hooks.example.com/resume?signature=sig%2Fnature-of-ours&empty="


def kept(answer: str, *, value: str = f"Bearer {SECRET}") -> str:
    return excerpt(answer.encode(), secrets_in(URL, [("Authorization", value)]))


@pytest.mark.parametrize(
    "quoted",
    [
        f"you sent Bearer {SECRET}",
        json.dumps({"authorization": f"Bearer {SECRET}"}),
        json.dumps({"authorization": f"Bearer {SECRET}"}).replace("/", "\\/"),
        f"authorization={quote_plus(f'Bearer {SECRET}')}",
        base64.b64encode(f"Bearer {SECRET}".encode()).decode(),
    ],
)
def test_header_values_are_hidden_however_they_are_quoted(quoted: str) -> None:
    text = kept(f"before {quoted} after")
    assert text.startswith("before ")
    assert text.endswith(" after")
    for spelling in (SECRET, json.dumps(SECRET)[1:-1], quote_plus(SECRET), quoted):
        assert spelling not in text
    assert "[hidden]" in text


def test_the_secret_of_a_bearer_is_hidden_alone_too() -> None:
    assert kept("the token abcdef0123 is unknown", value="Bearer abcdef0123") == "the token [hidden] is unknown"


@pytest.mark.parametrize(
    "quoted", ["sig%2Fnature-of-ours", "sig/nature-of-ours", "signature=sig%2Fnature-of-ours&empty="]
)
def test_what_the_query_says_is_hidden(quoted: str) -> None:
    assert "nature-of-ours" not in kept(f"no execution for {quoted} here")


def test_only_the_beginning_is_kept_as_one_line_of_text() -> None:
    assert kept("line one\r\n\x00\x1b[31mline two") == "line one [31mline two"
    assert len(kept("long " * 1000)) == MAX_KEPT
    assert excerpt(b"\xff\xfe plain", []) == "\ufffd\ufffd plain"


def test_a_secret_across_the_end_of_what_is_kept_is_hidden_whole() -> None:
    assert "canary" not in kept("x" * (MAX_KEPT - 4) + "canary0123", value="canary0123")
