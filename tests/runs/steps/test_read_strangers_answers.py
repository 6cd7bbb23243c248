"""What strangers answer, read by http_action: odd charsets, large contents, the loop free meanwhile."""

import json
from typing import Any

import pytest

from kernel.json_text import JsonText
from runs.http.answer import HttpAnswer
from runs.http.reading import MAX_BYTES_IN_PLACE
from tests.support.http_bench import Bench
from tests.support.http_server import Answer
from tests.support.loop_holds import held_briefly, measured_holds

MOST_HELD = 0.02


def of_type(body: bytes, content_type: str) -> Answer:
    return Answer(body=body, headers={"Content-Type": content_type})


@pytest.mark.parametrize("label", ["punycode", "idna", "unicode_escape", "rot13", "zip", "unheard-of"])
async def test_a_charset_that_is_none_says_nothing(bench: Bench, url: str, label: str) -> None:
    bench.server.route("GET", "/known", of_type("grün".encode("cp1252"), "text/plain; charset=windows-1252"))
    assert (await bench.run({"method": "GET", "url": f"{url}/known"})).ports["response"] == "grün"
    text = "grün-" + "a" * 500_000
    for body in (text.encode(), text.encode("cp1252"), text.encode("utf-16")):
        bench.server.route("GET", "/odd", of_type(body, f"text/plain; charset={label}"))
        async with measured_holds() as holds:
            emitted = await bench.run({"method": "GET", "url": f"{url}/odd"})
        assert emitted.ports["response"] == text
        assert holds.longest < MOST_HELD


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", json.dumps([{"name": f"n{n}", "flag": True} for n in range(20_000)]).encode()),
        ("application/json; charset=punycode", json.dumps(["x"] * 100_000).encode()),
        ("text/csv; charset=utf-8", b"a;b;c\n" * 100_000),
        ("text/html; charset=gb18030", "绿".encode("gb18030") * 200_000),
    ],
)
async def test_a_large_answer_is_read_beside_the_loop_and_is_the_same(
    bench: Bench, url: str, content_type: str, body: bytes
) -> None:
    small = body if len(body) < MAX_BYTES_IN_PLACE else None
    assert small is None
    in_place = HttpAnswer(200, {"content-type": content_type}, body).value
    bench.server.route("GET", "/large", of_type(body, content_type))
    await bench.run({"method": "GET", "url": f"{url}/large"})

    async def read() -> None:
        emitted = await bench.run({"method": "GET", "url": f"{url}/large"})
        assert emitted.ports["response"] == in_place

    await held_briefly(read, below=MOST_HELD)


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        ("application/json", b"[" * 100_000, "MALFORMED_JSON"),
        ("application/json", b'{"a": 1, "a": 2}' + b" " * 100_000, "MALFORMED_JSON"),
        ("application/json", b'["' + b"a" * 100_000 + b'\\u0000"]', "VALUE_REFUSED"),
        ("application/octet-stream", b"\0" * 100_000, "RESPONSE_BINARY"),
        ("application/x-thing; charset=utf-8", b"\xff" * 100_000, "RESPONSE_BINARY"),
        ("image/png", b"a" * 100_000, "RESPONSE_BINARY"),
    ],
)
async def test_a_large_answer_that_cannot_be_kept_fails_as_a_small_one(
    bench: Bench, url: str, content_type: str, body: bytes, code: str
) -> None:
    bench.server.route("GET", "/bad", of_type(body, content_type))
    assert (await bench.run({"method": "GET", "url": f"{url}/ok"})).ports["status"] == 200
    failure = await bench.fail({"method": "GET", "url": f"{url}/bad"})
    assert (failure.code, failure.retryable) == (code, False)
    assert bench.journal[-1][0] == "action.failed"


@pytest.mark.parametrize("beside", ["", " " * 100_000], ids=["small", "large"])
@pytest.mark.parametrize("written", ["9007199254740993", "9007199254740993.0", "9007199254740993e0"])
async def test_no_whole_number_becomes_another(bench: Bench, url: str, written: str, beside: str) -> None:
    body = '{"id": %s, "price": 12.50, "far": 1e20}' + beside
    for number, value in (("12.0", 12.0), (written, "9007199254740993")):
        bench.server.route("GET", "/odd", of_type((body % number).encode(), "application/json"))
        emitted = await bench.run({"method": "GET", "url": f"{url}/odd"})
        assert emitted.ports["response"] == {"id": value, "price": 12.5, "far": 1e20}


async def test_a_secret_is_cut_out_of_a_large_answer() -> None:
    secrets: tuple[str, ...] = ("s3cr3t-value",)
    body: Any = {"texts": ["x" * 100_000, "s3cr3t-value!"], "s3cr3t-value": 1}
    answer = HttpAnswer(200, {"content-type": "application/json"}, json.dumps(body).encode(), secrets)
    await answer.read("acme")  # type: ignore[arg-type]  # any name will do
    assert isinstance(answer.value, JsonText)
    assert b"s3cr3t" not in answer.value.text


ORDER = '<?xml version="1.0" encoding="utf-16"?><Order><Id>1</Id></Order>'


@pytest.mark.parametrize("end", ["", "\n"])
async def test_xml_of_dotnet_is_read_whatever_its_length(bench: Bench, url: str, end: str) -> None:
    bench.server.route("GET", "/order", of_type((ORDER + end).encode(), "text/xml"))
    emitted = await bench.run({"method": "GET", "url": f"{url}/order"})
    assert emitted.ports["response"] == ORDER + end


@pytest.mark.parametrize("codec", ["cp1252", "utf-8", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("parameter", ["", "; charset=utf-8", "; charset=foo", "; charset=iso-8859-1"])
async def test_json_is_read_by_what_it_is(bench: Bench, url: str, parameter: str, codec: str) -> None:
    value = {"name": "Größe", "note": '<meta charset="utf-16">'}
    body = json.dumps(value, ensure_ascii=False).encode(codec)
    bench.server.route("GET", "/json", of_type(body, f"application/json{parameter}"))
    assert (await bench.run({"method": "GET", "url": f"{url}/json"})).ports["response"] == value


async def test_json_that_is_damaged_is_no_json(bench: Bench, url: str) -> None:
    body = json.dumps({"name": "Größe, weiß"}, ensure_ascii=False).encode()
    bench.server.route(
        "GET", "/json", [of_type(body, "application/json"), of_type(body[:12] + body[13:], "application/json")]
    )
    assert (await bench.run({"method": "GET", "url": f"{url}/json"})).ports["response"] == {"name": "Größe, weiß"}
    assert (await bench.fail({"method": "GET", "url": f"{url}/json"})).code == "MALFORMED_JSON"


async def test_the_beginning_of_a_long_refusal_ends_with_a_whole_letter(bench: Bench, url: str) -> None:
    for start in ("", "a", "ab"):
        bench.server.route("GET", "/bad", Answer(status=400, body=start + "緑" * 5_000))
        failure = await bench.fail({"method": "GET", "url": f"{url}/bad"})
        assert failure.details["response"] == (start + "緑" * 5_000)[:2_000]


@pytest.mark.parametrize("content_type", ["application/json; charset=Shift_JIS", "text/plain; charset=x-sjis"])
async def test_japanese_of_windows_is_read_under_its_older_name(bench: Bench, url: str, content_type: str) -> None:
    body = json.dumps(["①㈱髙橋"], ensure_ascii=False)
    bench.server.route("GET", "/x", [of_type(body.encode("cp932"), content_type), of_type(body.encode(), content_type)])
    for _ in range(2):
        value = (await bench.run({"method": "GET", "url": f"{url}/x"})).ports["response"]
        assert value in (["①㈱髙橋"], body)
