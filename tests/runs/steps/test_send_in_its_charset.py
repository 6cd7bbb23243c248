"""Bodies in the charset their header names; bodies that are none of what their type takes."""

import json
from typing import Any

import pytest

from tests.support.http_bench import Bench

FORM = "application/x-www-form-urlencoded"


def sent(bench: Bench) -> tuple[bytes, str]:
    call = bench.server.calls[-1]
    return call.body, call.headers["content-type"]


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.shop+json", "Application/JSON"])
@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("utf-8", "utf-8"),
        ("iso-8859-1", "iso8859-1"),
        ("windows-1251", "cp1251"),
        ("us-ascii", "ascii"),
        ("utf-16le", "utf-16-le"),
        ("Shift_JIS", "cp932"),
    ],
)
async def test_json_goes_out_in_its_charset_and_loses_no_letter(
    bench: Bench, url: str, kind: str, charset: str, codec: str
) -> None:
    headers = {"Content-Type": f"{kind}; charset={charset}"}
    body = {"name": "Zoë", "город": "Тверь", "price": "5 €", "smile": "😀", "kana": "カ", "path": "a\\b"}
    await bench.run({"url": f"{url}/ok", "headers": headers, "body": body})
    content, content_type = sent(bench)
    assert json.loads(content.decode(codec)) == body
    assert content_type == headers["Content-Type"]


async def test_json_has_the_letters_of_its_charset_as_they_are(bench: Bench, url: str) -> None:
    headers = {"Content-Type": "application/json; charset=iso-8859-1"}
    await bench.run({"url": f"{url}/ok", "headers": headers, "body": {"name": "Zoë"}})
    assert sent(bench)[0] == b'{"name":"Zo\xeb"}'
    await bench.run({"url": f"{url}/ok", "headers": headers}, value={"name": "Zoë"})
    assert sent(bench)[0] == b'{"name":"Zo\xeb"}'
    await bench.run({"url": f"{url}/ok", "body": {"name": "Zoë"}})
    assert sent(bench) == ('{"name":"Zoë"}'.encode(), "application/json")


async def test_a_cursor_in_the_body_keeps_the_charset(bench: Bench, url: str) -> None:
    config = {
        "url": f"{url}/ok",
        "headers": {"Content-Type": "application/json; charset=iso-8859-1"},
        "body": {"name": "Zoë"},
        "pagination": {"cursor": "'é' if page < 2 else null", "parameter": "after", "items": "[1]"},
    }
    await bench.run(config)
    assert [call.body for call in bench.server.calls] == [b'{"name":"Zo\xeb"}', b'{"name":"Zo\xeb","after":"\xe9"}']


@pytest.mark.parametrize(
    ("charset", "content"),
    [
        ("", b"name=Zo%C3%AB&tag=a&tag=b"),
        ("; charset=utf-8", b"name=Zo%C3%AB&tag=a&tag=b"),
        ("; charset=iso-8859-1", b"name=Zo%EB&tag=a&tag=b"),
        ('; charset="windows-1252"', b"name=Zo%EB&tag=a&tag=b"),
    ],
)
async def test_a_form_goes_out_in_its_charset(bench: Bench, url: str, charset: str, content: bytes) -> None:
    headers = {"Content-Type": FORM + charset}
    await bench.run({"url": f"{url}/ok", "headers": headers, "body": {"name": "Zoë", "tag": ["a", "b"]}})
    assert sent(bench) == (content, headers["Content-Type"])


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (f"{FORM}; charset=iso-8859-1", {"price": "5 €"}),
        (f"{FORM}; charset=iso-8859-1", {"цена": "5"}),
        ("text/csv; charset=iso-8859-1", "5 €"),
        ("multipart/form-data; charset=iso-8859-1", {"price": "5 €"}),
        ("multipart/form-data", {"f": {"filename": "a", "content": "€", "content_type": "text/csv; charset=latin1"}}),
    ],
)
async def test_what_a_charset_does_not_have_is_refused_before_it_is_sent(
    bench: Bench, url: str, content_type: str, body: Any
) -> None:
    plain = json.loads(json.dumps(body).replace("\\u20ac", "E").replace("\\u0446\\u0435\\u043d\\u0430", "p"))
    config = {"url": f"{url}/ok", "headers": {"Content-Type": content_type}, "body": plain}
    await bench.run(config)
    failure = await bench.fail({**config, "body": body})
    assert (failure.code, failure.retryable) == ("BODY_REFUSED", False)
    assert "letters that its charset" in failure.message
    assert bench.server.count() == 1


XML = '<?xml version="1.0" encoding="{}"?><n>Müller</n>'
HTML = '<html><head><meta charset="{}"></head>Müller</html>'


@pytest.mark.parametrize(
    ("content_type", "body", "codec"),
    [
        ("text/xml", XML.format("ISO-8859-1"), "latin-1"),
        ("application/soap+xml; action=x", XML.format("windows-1252"), "cp1252"),
        ("application/xml", XML.format("UTF-16"), "utf-16"),
        ("text/xml", XML.format("utf-8"), "utf-8"),
        ("text/xml", XML.format("unheard-of"), "utf-8"),
        ("text/xml", "<n>Müller</n>", "utf-8"),
        ("text/xml", "\ufeff" + XML.format("ISO-8859-1"), "utf-8"),
        ("text/xml; charset=utf-8", XML.format("ISO-8859-1"), "utf-8"),
        ("text/html", HTML.format("ISO-8859-1"), "latin-1"),
        ("text/html", HTML.format("utf-16"), "utf-8"),
        ("text/xml", HTML.format("ISO-8859-1"), "utf-8"),
        ("application/octet-stream", XML.format("ISO-8859-1"), "latin-1"),
    ],
)
async def test_a_document_goes_out_in_the_charset_it_declares_unless_its_type_names_one(
    bench: Bench, url: str, content_type: str, body: str, codec: str
) -> None:
    headers = {"Content-Type": content_type}
    await bench.run({"url": f"{url}/ok", "headers": headers, "body": body})
    assert sent(bench) == (body.encode(codec), content_type)
    await bench.run({"url": f"{url}/ok", "headers": headers}, value=body)
    assert sent(bench) == (body.encode(codec), content_type)
    file = {"filename": "a.xml", "content": body, "content_type": content_type}
    parts = {"Content-Type": "multipart/form-data"}
    await bench.run({"url": f"{url}/ok", "headers": parts, "body": {"file": file, "field": body}})
    content, _ = sent(bench)
    assert f"Content-Type: {content_type}\r\n\r\n".encode() + body.encode(codec) in content
    assert f'name="field"\r\n\r\n{body}\r\n'.encode() in content


async def test_a_document_without_a_type_gets_one_that_names_its_charset(bench: Bench, url: str) -> None:
    await bench.run({"url": f"{url}/ok", "body": "<n>Müller</n>"})
    assert sent(bench) == ("<n>Müller</n>".encode(), "text/plain; charset=utf-8")
    await bench.run({"url": f"{url}/ok", "body": XML.format("ISO-8859-1")})
    assert sent(bench) == (XML.format("ISO-8859-1").encode("latin-1"), "text/plain; charset=ISO-8859-1")


async def test_a_document_whose_charset_lacks_a_letter_is_not_sent(bench: Bench, url: str) -> None:
    config = {"url": f"{url}/ok", "headers": {"Content-Type": "text/xml"}, "body": XML.format("ISO-8859-1")}
    await bench.run(config)
    failure = await bench.fail({**config, "body": XML.format("ISO-8859-1").replace("M", "€")})
    assert failure.code == "BODY_REFUSED"
    assert "its charset ISO-8859-1 does not have" in failure.message
    assert bench.server.count() == 1


async def test_parts_go_out_in_the_charset_they_name(bench: Bench, url: str) -> None:
    headers = {"Content-Type": "multipart/form-data; charset=iso-8859-1"}
    file = {"filename": "a.csv", "content": "Größe", "content_type": "text/csv; charset=windows-1252"}
    await bench.run({"url": f"{url}/ok", "headers": headers, "body": {"name": "Zoë", "file": file}})
    content, content_type = sent(bench)
    assert b"\r\n\r\nZo\xeb\r\n" in content
    assert b"\r\n\r\nGr\xf6\xdfe\r\n" in content
    assert content_type.endswith("; charset=iso-8859-1")


@pytest.mark.parametrize(
    ("content_type", "good", "bad"),
    [
        (FORM, {"a": 1}, [1]),
        (FORM, "a=1", [["a", "1"]]),
        (FORM, {}, 5),
        (f"{FORM}; charset=utf-16", "a=1", {"a": 1}),
        ("multipart/form-data", {"a": 1}, "a"),
        ("multipart/form-data", {"a": 1}, [1]),
        ("multipart/mixed; boundary=x", "--x--", {"a": 1}),
        ("multipart/related; boundary=x", "--x--", [1]),
    ],
)
async def test_a_body_that_is_none_of_its_type_is_refused(
    bench: Bench, url: str, content_type: str, good: Any, bad: Any
) -> None:
    config = {"url": f"{url}/ok", "headers": {"Content-Type": content_type}}
    await bench.run({**config, "body": good})
    failure = await bench.fail({**config, "body": bad})
    assert (failure.code, failure.retryable) == ("BODY_REFUSED", False)
    assert bench.server.count() == 1
    if isinstance(bad, list):
        assert (await bench.fail(config, value=bad)).code == "BODY_REFUSED"


@pytest.mark.parametrize("content_type", ["text/xml", "text/plain; charset=iso-8859-1", FORM])
async def test_an_input_that_is_a_text_goes_out_as_it_is_where_the_type_is_not_json(
    bench: Bench, url: str, content_type: str
) -> None:
    await bench.run({"url": f"{url}/ok", "headers": {"Content-Type": content_type}}, value="<a>b</a>")
    assert sent(bench) == (b"<a>b</a>", content_type)
    for headers in ({}, {"Content-Type": "application/json"}):
        await bench.run({"url": f"{url}/ok", "headers": headers}, value="<a>b</a>")
        assert sent(bench) == (b'"<a>b</a>"', "application/json")


async def test_a_connection_may_name_the_type_and_a_step_another(bench: Bench, url: str) -> None:
    bench.connect("old", {"base_url": url, "headers": {"Content-Type": f"{FORM}; charset=iso-8859-1"}})
    config = {"client_ref": "old", "path": "/ok", "body": {"name": "Zoë"}}
    await bench.run(config)
    assert sent(bench) == (b"name=Zo%EB", f"{FORM}; charset=iso-8859-1")
    await bench.run({**config, "headers": {"content-type": "application/json"}})
    assert sent(bench) == ('{"name":"Zoë"}'.encode(), "application/json")


async def test_a_large_body_in_a_wide_charset_is_shown_without_its_secrets(bench: Bench, url: str) -> None:
    headers = {"Content-Type": "application/json; charset=utf-16le"}
    body = {"user": "ann", "password": "hunter2", "more": "x" * 70_000}
    await bench.run({"url": f"{url}/ok", "headers": headers, "body": body})
    told = json.dumps(bench.journal[0][1])
    assert "ann" in told
    assert "hunter2" not in told
