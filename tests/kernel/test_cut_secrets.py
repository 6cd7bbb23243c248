"""A secret is cut out of what comes back however it was quoted there, once or several times. Pure."""

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from kernel.redaction import CUT, begun_at, hidden_texts, redact, redact_beginning, redact_quotes
from kernel.redaction.quoting import MAX_LEVELS, levels

SECRET = "pa&ss<w>'o\"rd/+=\\ ~1"
ABROAD = "p\u00e4ss \u20acw\u00f6rt+\U0001f600"


def lower(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text)


def component(text: str) -> str:
    """What JavaScript's encodeURIComponent does."""
    return quote(text, safe="-_.!~*'()")


def in_json(text: str) -> str:
    """What Go, .NET and PHP write: markup and quotes as numbers."""
    written = json.dumps(text)[1:-1].replace('\\"', "\\u0022")
    for sign in "&<>'+":
        written = written.replace(sign, f"\\u{ord(sign):04X}")
    return written


def in_html(text: str) -> str:
    return html.escape(text).replace("&#x27;", "&#039;").replace("&quot;", "&#34;")


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def in_base64_of_addresses(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


QUOTINGS: list[Callable[[str], str]] = [
    str,
    lambda text: quote(text, safe=""),
    lambda text: lower(quote(text, safe="")),
    lambda text: lower(quote_plus(text)),
    component,
    lambda text: quote(text, safe=";,/?:@&=+$-_.!~*'()#"),
    lambda text: component(component(text)),
    lambda text: quote(quote(quote(text))),
    html.escape,
    in_html,
    lambda text: html.escape(html.escape(text)),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", "\\/"),
    in_json,
    lambda text: json.dumps(json.dumps(text))[1:-1][2:-2],
    lambda text: in_json(html.escape(text)),
    lambda text: component(in_json(text)),
    repr,
    in_base64,
    lambda text: in_base64(text).rstrip("="),
    in_base64_of_addresses,
    lambda text: component(in_base64(text)),
    lambda text: in_base64_of_addresses(f"bob:{text}"),
    lambda text: in_base64(f"bob:{text}").rstrip("="),
]


@pytest.mark.parametrize("secret", [SECRET, ABROAD])
@pytest.mark.parametrize("quoted", QUOTINGS)
def test_every_usual_quoting_is_cut_out_whole_and_nothing_beside_it(secret: str, quoted: Callable[[str], str]) -> None:
    around = "100% &amp; \\n {} of %20 &lt;b&gt; \u00e9"
    text = quoted(secret).strip("'") if quoted is repr else quoted(secret)
    assert redact(around.format("other"), hidden_texts(secret, "bob")) == around.format("other")
    assert redact(around.format(text), hidden_texts(secret, "bob")) == around.format(CUT)
    assert redact({text: [text]}, hidden_texts(secret, "bob")) == {CUT: [CUT]}


@pytest.mark.parametrize("codec", ["latin-1", "cp1252"])
def test_charsets_that_are_mistaken_for_utf_8_are_known(codec: str) -> None:
    secret = "p\u00e4ss-w\u00f6rt\u00fc"
    for text in (secret.encode().decode(codec), quote(secret.encode(codec)), in_html(secret.encode().decode(codec))):
        assert redact(f"<{text}>", hidden_texts(secret)) == f"<{CUT}>"


@pytest.mark.parametrize(
    ("secret", "numbers"),
    [
        ("4815162342", [4815162342, 4815162342.0, -4815162342]),
        ("0048151623", [48151623]),
        ("+491234567", [491234567]),
        ("123456.7890", [123456.789]),
        ("12345e12", [12345000000000000.0]),
        ("123456789012345678901234", [1.2345678901234568e23]),
        ("9007199254740993", [9007199254740992]),
    ],
)
def test_a_secret_of_digits_is_cut_where_it_is_taken_for_a_number(secret: str, numbers: list[float]) -> None:
    others = [0, 1, 1.5, True, None, 4815162341, 48151623420, 491234567.5]
    beside = {"n": [*numbers, *others]}
    assert redact(beside, hidden_texts("other-secret")) == beside
    for cut in (redact, redact_quotes):
        assert cut(beside, hidden_texts(secret)) == {"n": [CUT] * len(numbers) + others}
    written = [json.dumps(number) for number in numbers]
    assert redact(written, hidden_texts(secret)) == [
        text.replace(text.removeprefix("-").removesuffix(".0"), CUT) for text in written
    ]


@pytest.mark.parametrize("written", ["4.815162342E9", "4.815162342e+09", "4.815162342E+9", "4815162342.0"])
def test_texts_with_a_number_as_languages_write_it_have_none(written: str) -> None:
    assert "48151" not in str(redact(f"<n>{written}</n>", hidden_texts("4815162342"))).replace(".", "")


@pytest.mark.parametrize("secret", ["000001", "1.00000", "0000000000000", "1e0000"])
def test_a_number_that_is_found_everywhere_is_not_cut(secret: str) -> None:
    assert redact([1, 1.0, 0, -1], hidden_texts(secret)) == [1, 1.0, 0, -1]


@pytest.mark.parametrize("quoted", QUOTINGS)
def test_of_a_stream_nothing_is_let_go_that_may_become_one(quoted: Callable[[str], str]) -> None:
    text, secrets = quoted(SECRET), hidden_texts(SECRET, "bob")
    start = 1 if quoted is repr else 0
    for length in range(start + 1, len(text) - start):
        assert begun_at(f"so: {text[:length]}", secrets) <= 4 + start
    assert begun_at("so: nothing", secrets) == len("so: nothing")


def test_what_is_shortened_shows_no_beginning_of_one() -> None:
    secrets = hidden_texts("s3cret/of-ours")
    assert redact_beginning("it is s3cret%2Fof", secrets) == "it is "
    assert redact_beginning("it is shorts", secrets) == "it is shorts"
    assert redact_quotes({"told": ["it is s3cret%2Fof"]}, secrets) == {"told": ["it is "]}
    assert redact_quotes('The key "s3cret\\/of\u2026" and s3cret&#47;of-ours.', secrets) == (
        f'The key "\u2026" and {CUT}.'
    )


def test_the_work_grows_with_the_text_and_not_with_its_quotings() -> None:
    for text in (b"%41" * 1000, b"%25252541" * 1000, b"\\" * 1000, b"&amp;amp;amp;amp;amp;" * 1000, b"&" * 1000):
        passed = [level.data for level in levels(text)]
        assert len(passed) <= MAX_LEVELS
        assert sum(map(len, passed)) <= MAX_LEVELS * len(text)
    assert len(hidden_texts(SECRET, "bob")) < 20
