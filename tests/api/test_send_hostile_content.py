"""Whatever is sent: a typed problem, nothing stored, never a 500."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from runs.models import Run
from segments.models import Revision, Segment
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]
SEGMENT = steps_in_a_row("input + 1", segment_id="numbers")
PUT = ("PUT", "/api/v1/segments/numbers")
VALIDATE = ("POST", "/api/v1/segments/validate")
CREATE = ("POST", "/api/v1/segments")
START = ("POST", "/api/v1/runs")
START_SAVED = ("POST", "/api/v1/segments/there/runs")
CALLS = (PUT, VALIDATE, CREATE, START, START_SAVED)

BODIES: dict[str, tuple[bytes, set[int], str]] = {
    "empty": (b"", {400, 422}, ""),
    "no JSON": (b"{", {400}, "MALFORMED_JSON"),
    "two values": (b"{} {}", {400}, "MALFORMED_JSON"),
    "not UTF-8": (b'{"a": "\xff"}', {400}, "MALFORMED_JSON"),
    "NaN": (b'{"input": NaN}', {400}, "MALFORMED_JSON"),
    "Infinity": (b'{"input": -Infinity}', {400}, "MALFORMED_JSON"),
    "infinite by size": (b'{"input": 1e999}', {400}, "MALFORMED_JSON"),
    "a key twice": (b'{"input": 1, "input": 2}', {400}, "MALFORMED_JSON"),
    "depth 5,000": (b'{"input": ' + b"[" * 5000 + b"]" * 5000 + b"}", {400}, "MALFORMED_JSON"),
    "depth 5,000, never closed": (b'{"input": ' + b"[" * 5000, {400}, "MALFORMED_JSON"),
    "6,000 digits": (b'{"input": ' + b"9" * 6000 + b"}", {422}, "VALUE_REFUSED"),
    "beyond 2^53": (b'{"input": 9007199254740993}', {422}, "VALUE_REFUSED"),
    "NUL": (b'{"input": "a\\u0000b"}', {422}, "VALUE_REFUSED"),
    "NUL in a key": (b'{"a\\u0000b": 1}', {422}, "VALUE_REFUSED"),
    "lone surrogate": (b'{"input": "\\ud800"}', {422}, "VALUE_REFUSED"),
    "over 1 MiB": (b'{"input": "' + b"x" * 1_048_576 + b'"}', {413}, "TOO_LARGE"),
    "a list": (b"[]", {422}, ""),
    "a text": (b'"segment"', {422}, ""),
    "null": (b"null", {422}, ""),
    "a number": (b"7", {422}, ""),
}


@pytest.fixture
def client(acme: Customer, api: Api) -> APIClient:
    client = api(acme)
    assert client.put("/api/v1/segments/there", {**SEGMENT, "segment_id": "there"}).status_code == 201
    return client


def stored() -> list[int]:
    with unscoped("tests look at everything"):
        return [model.objects.count() for model in (Segment, Revision, Run, Entry)]


def check_problem(answer: Any) -> dict[str, Any]:
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.content[:500])
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "errors", "request_id"} <= body.keys()
    assert not {"error", "cause", "message"} & body.keys()
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer["X-Request-Id"]
    return body


# A start of a saved segment may say nothing.
@pytest.mark.parametrize(
    ("call", "name"), [(call, name) for call in CALLS for name in BODIES if (call, name) != (START_SAVED, "empty")]
)
def test_a_bad_body_is_a_typed_problem_and_stores_nothing(client: APIClient, call: tuple[str, str], name: str) -> None:
    data, statuses, code = BODIES[name]
    before = stored()
    answer = client.generic(*call, data, content_type="application/json")
    if call == VALIDATE and answer.status_code == 200:
        assert answer.json()["valid"] is False
        assert statuses & {422}, "only content is a finding; what cannot be read is a problem"
    else:
        body = check_problem(answer)
        assert answer.status_code in statuses
        assert body["code"] == code or not code
    assert stored() == before


def test_the_same_calls_without_the_flaw_are_accepted(client: APIClient) -> None:
    assert client.put(PUT[1], SEGMENT).status_code == 201
    assert client.post(VALIDATE[1], SEGMENT).json()["valid"] is True
    assert client.post(CREATE[1], {**SEGMENT, "segment_id": "another"}).status_code == 201
    assert client.post(START[1], {"segment": SEGMENT, "input": 1}).status_code == 202
    assert client.post(START_SAVED[1], {"input": 1}).status_code == 202


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "", "multipart/form-data; boundary=x", "a b"]
)
def test_another_content_type_is_a_415(client: APIClient, content_type: str) -> None:
    before = stored()
    for call in CALLS:
        body = check_problem(client.generic(*call, b'{"input": 1}', content_type=content_type))
        assert (body["status"], body["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert stored() == before


def test_forms_are_read_by_starts_only(client: APIClient) -> None:
    form = "application/x-www-form-urlencoded"
    assert client.generic(*START_SAVED, "input=1", content_type=form).status_code == 202
    assert check_problem(client.generic(*PUT, "steps=1", content_type=form))["status"] == 415
    for text in ("input=%FF", "input=1&input=2", "input", "input=%7B%7D%7D", "input=%00"):
        check_problem(client.generic(*START_SAVED, text, content_type=form))


def test_forms_have_a_bound_of_their_own(client: APIClient) -> None:
    form = "application/x-www-form-urlencoded"
    text = "input=%22" + "%20" * 21_000 + "%22"
    assert client.generic(*START_SAVED, text, content_type=form).status_code == 202
    refused = check_problem(client.generic(*START_SAVED, text + "&metadata=" + "x" * 4_000, content_type=form))
    assert (refused["status"], refused["limit"]) == (413, 65_536)
    assert refused["detail"] == "A form may have at most 65536 bytes."


def test_a_graph_of_ten_thousand_steps_is_refused(client: APIClient) -> None:
    steps = [{"step_id": f"s{n}", "type": "transform", "config": {}} for n in range(10_000)]
    edges = [{"from": f"s{n}", "to": f"s{n + 1}"} for n in range(9_999)]
    huge = {**SEGMENT, "steps": steps, "edges": edges}
    before = stored()
    for call, body in ((PUT, huge), (CREATE, huge), (START, {"segment": huge})):
        data = json.dumps(body, separators=(",", ":")).encode()
        answer = client.generic(*call, data, content_type="application/json")
        problem = check_problem(answer)
        if len(data) <= 1_048_576:
            assert any(error["code"] == "TOO_LARGE" for error in problem["errors"])
    assert stored() == before


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/runs/%00",
        "/api/v1/runs/not-an-id",
        "/api/v1/runs/%ff%fe",
        "/api/v1/runs/00000000-0000-0000-0000-000000000000",
        "/api/v1/runs/{00000000-0000-0000-0000-000000000000}",
        "/api/v1/runs/00000000-0000-0000-0000-000000000000/steps",
        "/api/v1/runs/a%0Ab",
        "/api/v1/segments/%00",
        "/api/v1/segments/nowhere",
        "/api/v1/segments/%ED%A0%80",
        "/api/v1/segments/a%2Fb",
        "/api/v1/segments/" + "x" * 5000,
        "/api/v1/segments/there/revisions/0",
        "/api/v1/segments/there/revisions/99999999999999999999",
        "/api/v1/segments/there/revisions/%C2%B2",
        "/api/v1/segments/there/revisions/-1",
        "/api/v1/catalog/%00",
        "/api/v1/catalog/nothing",
        "/api/v1/nothing",
        "/api/v1/runs//",
        "/api/v2/runs",
        "/api/%00",
        "/api/a%0Ab",
        "/api/",
    ],
)
def test_an_address_of_nothing_is_a_404(client: APIClient, path: str) -> None:
    assert check_problem(client.get(path))["status"] == 404


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=251",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
        "cursor=x",
        "cursor=%00",
        "cursor=" + "A" * 200,
        "cursor=%ED%A0%80",
        "cursor=MjAyNg",
        "nothing=1",
        "status=asleep",
        "created_after=yesterday",
        "created_after=0001-01-01T00:00:00%2B14:00",
        "client_reference=%00",
        "segment=%00",
    ],
)
def test_a_bad_parameter_is_a_422(client: APIClient, query: str) -> None:
    assert client.get("/api/v1/runs?limit=250&status=waiting,paused").status_code == 200
    assert check_problem(client.get(f"/api/v1/runs?{query}"))["status"] == 422


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/api/v1/runs"), ("PATCH", "/api/v1/segments/there")])
def test_another_method_is_a_405_that_names_those_there_are(client: APIClient, method: str, path: str) -> None:
    answer = client.generic(method, path)
    assert check_problem(answer)["status"] == 405
    assert "GET" in answer["Allow"]
    for odd in ("OPTIONS", "TRACE", "BREW"):
        refused = client.generic(odd, path)
        assert check_problem(refused)["status"] == 405
        assert ("GET" in refused["Allow"], odd in refused["Allow"]) == (True, False)
    taken = client.get(path)
    assert (taken.status_code, "GET" in taken["Allow"], "OPTIONS" in taken["Allow"]) == (200, True, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(
    [
        "steps",
        "edges",
        "segment_id",
        "entrypoint",
        "params",
        "from",
        "to",
        "type",
        "config",
        "step_id",
        "input",
        "segment",
        "metadata",
        "revision",
        "priority",
        "timeout_seconds",
        "input_schema",
        "retry",
        "ports",
        "transform",
        "numbers",
    ]
)
LIKE_A_SEGMENT = st.recursive(
    JSON | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6), max_leaves=20
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=LIKE_A_SEGMENT, call=st.sampled_from(CALLS))
def test_no_json_at_all_is_a_500(client: APIClient, body: Any, call: tuple[str, str]) -> None:
    data = json.dumps(body).encode()
    answer = client.generic(*call, data, content_type="application/json")
    if answer.status_code >= 300:
        check_problem(answer)
