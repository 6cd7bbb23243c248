"""Parameters of addresses: none is accepted and ignored, on no route."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tenants.services import create_api_key
from tenants.types import KNOWN_SCOPES
from tests.api.test_keep_tenants_apart import Api, call, methods_of, routes
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

pytestmark = pytest.mark.django_db


def test_a_parameter_that_a_route_does_not_read_is_refused(acme: Customer, api: Api) -> None:
    key = create_api_key(tenant=acme.tenant, name="all", scopes=KNOWN_SCOPES).text
    client = api(Customer(acme.tenant, key))
    asked = 0
    for path, pattern in routes():
        address = "/api/v1/" + path.replace("<str:type_id>", "transform").replace("<str:", "").replace(">", "")
        for method in methods_of(pattern):
            answer = call(client, method, f"{address}?with=limit")
            assert answer.status_code == 422, (method, address)
            if method == "GET" or method not in getattr(pattern.callback.cls, "reads_query", ()):  # type: ignore[union-attr]
                assert answer.json()["errors"][0]["pointer"] == "/with", (method, address)
                asked += 1
    assert asked > 50


def test_a_start_refuses_it_too_once_its_body_is_read(acme: Customer, api: Api) -> None:
    body = {"segment": steps_in_a_row("input")}
    assert api(acme).post("/api/v1/runs", body).status_code == 202
    refused = api(acme).post("/api/v1/runs?with=limit", body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/with")


def test_equal_values_are_one(acme: Customer, api: Api) -> None:
    client = api(acme)
    assert client.get("/api/v1/runs?limit=5&limit=5").status_code == 200
    refused = client.get("/api/v1/runs?limit=5&limit=6")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "SENT_TWICE")


def test_the_detail_is_the_first_finding_its_place_and_how_many_more_there_are(acme: Customer, api: Api) -> None:
    client = api(acme)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "m": {"type": "integer"}}}
    row = steps_in_a_row("input", segment_id="row", input_schema=schema)
    assert client.put("/api/v1/segments/row", row).status_code == 201
    one = client.post("/api/v1/segments/row/runs", {"input": {"n": "x", "m": 1}}).json()
    assert (one["code"], one["detail"].partition(":")[0]) == ("INPUT_INVALID", "/input/n")
    two = client.post("/api/v1/segments/row/runs", {"input": {"n": "x", "m": "y"}}).json()
    assert two["detail"].endswith(" (1 more in `errors`.)")
    assert client.get("/api/v1/runs?limit=0").json()["detail"].startswith("/limit: ")


def test_the_detail_of_a_bad_segment_is_its_first_finding_too(acme: Customer, api: Api) -> None:
    client = api(acme)
    good = steps_in_a_row("input", segment_id="row")
    bad = {
        **good,
        "steps": [{**good["steps"][0], "type": "nope", "config": {}}],
        "edges": [{"from": "gone", "to": "x"}],
    }
    assert client.put("/api/v1/segments/row", good).status_code == 201
    assert client.post("/api/v1/runs", {"segment": good}).status_code == 202
    for refused in (client.put("/api/v1/segments/row", bad), client.post("/api/v1/runs", {"segment": bad})):
        problem = refused.json()
        first = problem["errors"][0]
        more = len(problem["errors"]) - 1
        assert (refused.status_code, more > 0) == (422, True)
        assert problem["detail"] == f"{first['pointer']}: {first['detail']} ({more} more in `errors`.)"


def test_the_detail_of_a_value_that_is_refused_has_its_place(acme: Customer, api: Api) -> None:
    client = api(acme)
    body = {"segment": steps_in_a_row("input"), "input": {"id": 2**53}}
    assert client.post("/api/v1/runs", body).status_code == 202
    refused = client.post("/api/v1/runs", {**body, "input": {"id": 2**53 + 1}}).json()
    assert refused["detail"].startswith("/input/id: A number is beyond 2^53")
    assert refused["detail"].endswith("send its digits as a text.")
    path = "/api/v1/runs"
    written = json.dumps({**body, "input": {"id": 0.5}})
    for number, status in (("1e20", 202), ("9007199254740993.0", 422), ("12345678901234567.89", 422)):
        answer = client.generic("POST", path, written.replace("0.5", number), content_type="application/json")
        assert answer.status_code == status, answer.content
        assert status == 202 or answer.json()["detail"] == refused["detail"]


def test_an_integer_beyond_2_to_the_53_is_sent_as_text_where_the_schema_wants_an_integer(
    acme: Customer, api: Api
) -> None:
    client = api(acme)
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**53}, "m": {"type": "integer"}}}
    row = steps_in_a_row("input", segment_id="row", input_schema=schema)
    assert client.put("/api/v1/segments/row", row).status_code == 201
    sent = {"input": {"m": "9007199254740993"}}
    assert client.post("/api/v1/segments/row/runs", sent).status_code == 202
    refused = client.post("/api/v1/segments/row/runs", {"input": {"m": "12", "n": "9007199254740993"}})
    assert {one["pointer"] for one in refused.json()["errors"]} == {"/input/m", "/input/n"}
    assert "must be at most" in str(refused.json()["errors"])


def test_a_form_names_the_field_of_an_integer_beyond_2_to_the_53(acme: Customer, api: Api) -> None:
    client = api(acme)
    assert client.put("/api/v1/segments/row", steps_in_a_row("input", segment_id="row")).status_code == 201

    def start(text: str) -> Any:
        path, form = "/api/v1/segments/row/runs", "application/x-www-form-urlencoded"
        return client.generic("POST", path, urlencode({"input": text}), content_type=form)

    assert start('{"id": 9007199254740992}').json()["input"] == {"id": 2**53}
    assert start('{"id": "9007199254740993"}').json()["input"] == {"id": "9007199254740993"}
    refused = start('{"id": 9007199254740993}')
    assert (refused.status_code, refused.json()["code"]) == (422, "VALUE_REFUSED")
    assert refused.json()["detail"].startswith("/input/id: A number is beyond 2^53")
    cut = start('{"id": ')
    assert (cut.status_code, cut.json()["errors"][0]["pointer"]) == (400, "/input")


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("/api/v1/runs?created_after=", "2026-11-30T10:00:00+01:00", "in an address its `+` is written `%2B`"),
        ("/api/v1/human-tasks?box=", "others", "is not one of `"),
    ],
)
def test_a_parameter_that_is_refused_says_what_it_takes(
    acme: Customer, api: Api, path: str, value: str, told: str
) -> None:
    client = api(acme)
    assert client.get(path + ("2026-11-30T10:00:00%2B01:00" if "created" in path else "done")).status_code == 200
    refused = client.get(path + value)
    assert (refused.status_code, told in refused.json()["detail"]) == (422, True), refused.content


def test_a_choice_that_is_none_is_told_with_those_there_are(acme: Customer, api: Api) -> None:
    client = api(acme)
    body = {"segment": steps_in_a_row("input")}
    url = "https://hooks.example.com/a"
    assert (
        client.post("/api/v1/runs", {**body, "callback": {"url": url, "events": ["segment.failed"]}}).status_code == 202
    )
    refused = client.post("/api/v1/runs", {**body, "callback": {"url": url, "events": ["run.done"]}})
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["pointer"]) == (422, "/callback/events/0")
    assert error["detail"].startswith('"run.done" is not one of ')
    assert "`segment.completed`" in error["detail"]
    assert client.post("/api/v1/runs?on_failure=error", body).status_code == 202
    assert "not one of `run`, `error`" in client.post("/api/v1/runs?on_failure=Error", body).json()["detail"]


def test_a_body_that_was_written_as_json_twice_is_told_so(acme: Customer, api: Api) -> None:
    client = api(acme)
    body = json.dumps({"segment": steps_in_a_row("input")})

    def sent(text: str) -> Any:
        return client.generic("POST", "/api/v1/runs", text, content_type="application/json")

    assert sent(body).status_code == 202
    assert "the JSON was encoded twice" in sent(json.dumps(body)).json()["detail"]
    other = sent("[1]").json()["detail"]
    assert "This is not an object" in other
    assert "twice" not in other


@pytest.mark.parametrize(
    ("parameter", "good", "wrong"),
    [("limit", "1", "\u0661"), ("limit", "10", "1_0"), ("wait", "1.5e0", "\u0661"), ("wait", "+1", "1_0")],
)
def test_only_the_digits_0_to_9_are_a_number(acme: Customer, api: Api, parameter: str, good: str, wrong: str) -> None:
    client = api(acme)
    path = "/api/v1/runs"
    if parameter == "wait":
        path += "/" + client.post(path, {"segment": steps_in_a_row("input")}).json()["run_id"]
    assert client.get(path, {parameter: good}).status_code in {200, 202}
    refused = client.get(path, {parameter: wrong})
    assert (refused.status_code, [error["pointer"] for error in refused.json()["errors"]]) == (422, [f"/{parameter}"])
