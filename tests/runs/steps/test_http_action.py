"""The http_action step against a real server on loopback."""

import gzip
import json
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import ValidationError

from kernel.clock import utc_now
from kernel.types import Json
from runs.step_api.base import Emit
from runs.steps.http_action import HttpAction, HttpActionConfig
from tests.support.http_bench import Bench
from tests.support.http_server import Answer

# The answer


async def test_emits_the_parsed_answer_and_the_status(bench: Bench, url: str) -> None:
    emitted = await bench.run({"method": "GET", "url": f"{url}/ok"})
    assert emitted == Emit({"response": {"n": 1}, "status": 200})


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (Answer(body=b'[1, "x", null]', headers={"Content-Type": "application/json; charset=utf-8"}), [1, "x", None]),
        (Answer(body=b'{"a": 1}', headers={"Content-Type": "application/problem+json"}), {"a": 1}),
        (Answer(body=b'{"a": 1}', headers={"Content-Type": "text/plain"}), '{"a": 1}'),
        (Answer(body="grün"), "grün"),
        (Answer(body="grün".encode("latin-1"), headers={"Content-Type": "text/plain; charset=iso-8859-1"}), "grün"),
        (Answer(body=b""), None),
        (Answer(status=204), None),
        (Answer(body=b"7", headers={"Content-Type": "application/json"}), 7),
        (
            Answer(body=b'{"id": 12345678901234567890}', headers={"Content-Type": "application/json"}),
            {"id": "12345678901234567890"},
        ),
        (
            Answer(
                body=gzip.compress(b"[1]"), headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
            ),
            [1],
        ),
    ],
)
async def test_reads_json_as_json_and_the_rest_as_text(bench: Bench, url: str, answer: Answer, value: Json) -> None:
    bench.server.route("GET", "/answer", answer)
    emitted = await bench.run({"method": "GET", "url": f"{url}/answer"})
    assert emitted.ports["response"] == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"a": "\\u0000"}', "VALUE_REFUSED"),
        (b'{"a": "\\ud800"}', "VALUE_REFUSED"),
        (b'{"a": ' + b"9" * 6000 + b"}", "VALUE_REFUSED"),
        (b'{"a": NaN}', "MALFORMED_JSON"),
        (b'{"a": 1, "a": 2}', "MALFORMED_JSON"),
        (b"[" * 5000 + b"]" * 5000, "MALFORMED_JSON"),
        (b'{"a": ', "MALFORMED_JSON"),
        (b"\xff\xfe", "MALFORMED_JSON"),
    ],
)
async def test_an_answer_that_cannot_be_kept_fails_the_step_with_its_code(
    bench: Bench, url: str, body: bytes, code: str
) -> None:
    bench.server.route("GET", "/bad", Answer(body=body, headers={"Content-Type": "application/json"}))
    assert (await bench.run({"method": "GET", "url": f"{url}/ok"})).ports["status"] == 200
    failure = await bench.fail({"method": "GET", "url": f"{url}/bad"})
    assert (failure.code, failure.retryable) == (code, False)
    assert failure.details["errors"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"\x89PNG\xff"),
        Answer(body=b"a\0b"),
        Answer(body=b"all ascii", headers={"Content-Type": "image/png"}),
        Answer(body=b"%PDF-1.7", headers={"Content-Type": "application/pdf"}),
    ],
)
async def test_an_answer_that_is_no_text_is_refused_with_its_type(bench: Bench, url: str, answer: Answer) -> None:
    bench.server.route("GET", "/text", Answer(body=b"all ascii", headers={"Content-Type": "image/svg+xml"}))
    assert (await bench.run({"method": "GET", "url": f"{url}/text"})).ports["response"] == "all ascii"
    bench.server.route("GET", "/bad", answer)
    failure = await bench.fail({"method": "GET", "url": f"{url}/bad"})
    assert (failure.code, failure.retryable) == ("RESPONSE_BINARY", False)
    assert failure.details["content_type"] in failure.message
    assert not failure.retryable


async def test_select_cuts_the_answer_before_the_size_limit(bench: Bench, url: str) -> None:
    rows = [{"id": n, "text": "x" * 1000} for n in range(1500)]
    bench.server.route("GET", "/rows", Answer(body={"rows": rows}))
    config = {"method": "GET", "url": f"{url}/rows"}
    emitted = await bench.run({**config, "select": "[row.id for row in response.rows if row.id < input][:2]"}, value=9)
    assert emitted.ports == {"response": [0, 1], "status": 200}
    failure = await bench.fail(config)
    assert (failure.code, failure.retryable) == ("VALUE_TOO_LARGE", False)
    assert "select" in failure.message


async def test_a_select_that_fails_is_a_failed_step(bench: Bench, url: str) -> None:
    failure = await bench.fail({"method": "GET", "url": f"{url}/ok", "select": "response.missing"})
    assert failure.code.startswith("EXPRESSION")
    assert not failure.retryable


async def test_an_answer_over_the_bound_of_the_client_is_a_failed_step(bench: Bench, url: str) -> None:
    bomb = gzip.compress(b"0" * 60_000_000)
    bench.server.route("GET", "/bomb", Answer(body=bomb, headers={"Content-Encoding": "gzip"}))
    failure = await bench.fail({"method": "GET", "url": f"{url}/bomb"})
    assert (failure.code, failure.retryable) == ("RESPONSE_TOO_LARGE", False)


# Failures


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *((status, False) for status in (304, 400, 401, 404, 409, 422)),
        *((status, True) for status in (408, 425, 429, 501, 503, 507, 529)),
    ],
)
async def test_a_status_beside_2xx_is_an_error(bench: Bench, url: str, status: int, retryable: bool) -> None:
    bench.server.route("POST", "/s", Answer(status=status, body=None if status == 304 else {"why": "because"}))
    failure = await bench.fail({"url": f"{url}/s"})
    assert (failure.code, failure.retryable) == ("HTTP_STATUS", retryable)
    assert failure.details["status"] == status
    assert str(status) in failure.message
    if status != 304:
        assert failure.details["response"] == {"why": "because"}


async def test_an_accepted_status_is_no_error(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/s", Answer(status=404, body={"found": False}))
    emitted = await bench.run({"method": "GET", "url": f"{url}/s", "accept_statuses": [404]})
    assert emitted.ports == {"response": {"found": False}, "status": 404}
    assert (await bench.run({"method": "GET", "url": f"{url}/ok", "accept_statuses": [404]})).ports["status"] == 200


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        (3000, 2000, 3000),
        (-60, 0, 0),
    ],
    ids=["seconds", "now", "a date to come", "a date that has passed"],
)
async def test_retry_after_is_passed_on(bench: Bench, url: str, header: str | int, low: float, high: float) -> None:
    if isinstance(header, int):
        header = format_datetime(utc_now() + timedelta(seconds=header), usegmt=True)
    bench.server.route("POST", "/s", Answer(status=429, headers={"Retry-After": header}))
    failure = await bench.fail({"url": f"{url}/s"})
    assert failure.retry_after_seconds is not None
    assert low <= failure.retry_after_seconds <= high


@pytest.mark.parametrize("header", ["soon", "-1", "", "Mon, 99 Foo 2026"])
async def test_a_retry_after_that_cannot_be_read_counts_as_none(bench: Bench, url: str, header: str) -> None:
    bench.server.route("POST", "/s", Answer(status=503, headers={"Retry-After": header}))
    failure = await bench.fail({"url": f"{url}/s"})
    assert (failure.retryable, failure.retry_after_seconds) == (True, None)


async def test_of_a_long_refusal_the_error_has_the_beginning_and_of_a_binary_one_nothing(
    bench: Bench, url: str
) -> None:
    for body, shown in ((b"x" * 5000, {"response": "x" * 2000}), (b"\xff\0\xff", {})):
        bench.server.route("PUT", "/s", Answer(status=500, body=body))
        failure = await bench.fail({"url": f"{url}/s", "method": "PUT"})
        assert failure.details == {"status": 500, **shown}


async def test_a_timeout_is_retryable(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/slow", Answer(delay_seconds=2))
    failure = await bench.fail({"method": "GET", "url": f"{url}/slow", "timeout_seconds": 0.2})
    assert (failure.code, failure.retryable) == ("REQUEST_TIMED_OUT", True)


async def test_a_broken_connection_is_retryable(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/broken", Answer(raw=b""))
    failure = await bench.fail({"method": "GET", "url": f"{url}/broken"})
    assert (failure.code, failure.retryable) == ("CONNECTION_FAILED", True)


async def test_what_the_policy_blocks_is_never_retried(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/out", Answer(302, headers={"Location": "http://10.0.0.1/"}))
    told = {
        "http://10.0.0.1/": "`10.0.0.1:80` to EGRESS_ALLOW_HOSTS",
        "http://localhost/": "`localhost:80` to EGRESS_ALLOW_HOSTS",
        f"{url}/out": "`10.0.0.1:80` to EGRESS_ALLOW_HOSTS",
    }
    for target, sentence in told.items():
        failure = await bench.fail({"method": "GET", "url": target})
        assert (failure.code, failure.retryable) == ("EGRESS_BLOCKED", False)
        assert sentence in failure.message


@pytest.mark.parametrize("headers", [{"Host": "x"}, {"Transfer-Encoding": "chunked"}, {"X": "a\r\nb"}, {"X": "é"}])
async def test_headers_of_the_connection_fail_the_step(bench: Bench, url: str, headers: dict[str, str]) -> None:
    await bench.run({"url": f"{url}/ok", "headers": {"X-Mine": "fine"}})
    failure = await bench.fail({"url": f"{url}/ok", "headers": headers})
    assert (failure.code, failure.retryable) == ("HEADER_REFUSED", False)
    assert bench.server.count() == 1


# The journal


async def test_the_call_is_journalled_without_credentials(bench: Bench, url: str) -> None:
    config = {"url": f"{url}/ok?token=s3cret", "headers": {"Authorization": "s3cret"}, "body": {"p": "s3cret"}}
    await bench.run({**config, "query": {"key": "s3cret"}})
    (started, completed) = bench.journal
    assert started[0] == "action.started"
    assert (started[1]["method"], started[1]["idempotency_key"]) == ("POST", "key-1")
    assert completed[0] == "action.completed"
    assert completed[1]["status"] == 201
    assert completed[1]["duration_ms"] >= 0
    assert "s3cret" not in json.dumps(bench.journal)


async def test_a_failed_call_is_journalled_with_its_code(bench: Bench, url: str) -> None:
    await bench.fail({"url": f"{url}/nowhere"})
    kind, payload = bench.journal[-1]
    assert (kind, payload["code"], payload["status"]) == ("action.failed", "HTTP_STATUS", 404)
    await bench.fail({"url": "http://10.0.0.1/"})
    assert bench.journal[-1][1]["code"] == "EGRESS_BLOCKED"


# The config and the card


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"client_ref": "shop"},
        {"path": "/x"},
        {"url": ""},
        {"url": "https://a.example/", "client_ref": "shop", "path": "/x"},
        {"url": "https://a.example/", "method": "TRACE"},
        {"url": "https://a.example/", "retry_count": -1},
        {"url": "https://a.example/", "timeout_seconds": 0},
        {"url": "https://a.example/", "timeout_seconds": 301},
        {"url": "https://a.example/", "headers": {"a": 1}},
        {"url": "https://a.example/", "accept_statuses": ["x"]},
        {"url": "https://a.example/", "response_headers": ["Set-Cookie"]},
        {"url": "https://a.example/", "response_headers": ["no name"]},
        {"url": "https://a.example/", "response_headers": [f"X-{number}" for number in range(21)]},
        {"url": "https://a.example/", "pagination": {}},
        {"url": "https://a.example/", "pagination": {"next": "response.next", "next_link": True}},
        {"url": "https://a.example/", "pagination": {"cursor": "response.cursor"}},
        {"url": "https://a.example/", "pagination": {"next": "response."}},
        {"url": "https://a.example/", "pagination": {"next_link": True, "max_pages": 101}},
        {"url": "https://a.example/", "pagination": {"next_link": True, "pages": 3}},
    ],
)
def test_a_wrong_config_is_refused_at_save(config: dict[str, Any]) -> None:
    assert HttpActionConfig.model_validate({"url": "https://a.example/"}).method == "POST"
    assert HttpActionConfig.model_validate({"client_ref": "shop", "path": ""}).retry_count == 3
    kept = [f"X-{number}" for number in range(20)]
    assert HttpActionConfig.model_validate({"url": "https://a.example/", "response_headers": kept}).response_headers
    with pytest.raises(ValidationError):
        HttpActionConfig.model_validate(config)


def test_the_card_is_the_public_contract() -> None:
    card = HttpAction.step_type.card()
    shown = {
        key: card[key] for key in ("type_id", "version", "display_name", "description", "category", "icon", "color")
    }
    assert shown == {
        "type_id": "http_action",
        "version": "1.0",
        "display_name": "HTTP Request",
        "description": "Make HTTP request to external API",
        "category": "integration",
        "icon": "globe",
        "color": "#50C878",
    }
    assert [(port["name"], port["type"], port["required"]) for port in card["input_ports"]] == [
        ("body", "object", True)
    ]
    assert [(port["name"], port["type"], port["required"]) for port in card["output_ports"]] == [
        ("response", "object", True),
        ("status", "integer", True),
        ("headers", "object", False),
        ("error", "object", False),
    ]
    schema = card["config_schema"]
    assert schema["anyOf"] == [{"required": ["client_ref", "path"]}, {"required": ["url"]}]
    properties = schema["properties"]
    assert properties["client_ref"]["type"] == properties["path"]["type"] == "string"
    assert properties["method"]["enum"] == ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
    assert properties["method"]["default"] == "POST"
    assert properties["headers"]["additionalProperties"] == {"type": "string"}
    assert (properties["retry_count"]["type"], properties["retry_count"]["default"]) == ("integer", 3)
    assert properties["retry_count"]["minimum"] == 0
    assert [name for name, shape in properties.items() if "default" in shape] == [
        "method",
        "retry_count",
        "timeout_seconds",
    ]
    assert {"url", "query", "body", "timeout_seconds", "accept_statuses", "select", "pagination"} <= properties.keys()
