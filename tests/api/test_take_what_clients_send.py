"""What generated clients and no-code tools send, and mean nothing bad by: slashes at the end, nulls, tests of a key."""

from collections.abc import Iterator

import pytest
from rest_framework import serializers
from rest_framework.test import APIClient

from foundation.requests import Strict
from foundation.scope import tenant_scope
from runs.api.serializers import InlineStart, SavedStart
from runs.models import Run
from tenants.services import create_api_key
from tests.api.test_keep_tenants_apart import Api, methods_of, routes
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

pytestmark = pytest.mark.django_db

ROW = steps_in_a_row("input", segment_id="row")


def bodies(kind: type[Strict] = Strict) -> Iterator[type[Strict]]:
    """Every class that reads a body; queries have texts only."""
    for found in kind.__subclasses__():
        if not found.__name__.endswith("Query"):
            yield found
        yield from bodies(found)


def test_a_slash_at_the_end_changes_no_answer(acme: Customer, api: Api) -> None:
    client, asked = api(acme), 0
    assert client.put("/api/v1/segments/row", ROW).status_code == 201
    for path, pattern in routes():
        address = "/api/v1/" + path.replace("<str:segment_id>", "row").replace("<str:type_id>", "transform")
        if "GET" in methods_of(pattern) and "<" not in address and "events" not in path:
            plain, slashed = client.get(address), client.get(f"{address}/")
            assert (plain.status_code, without_id(plain)) == (slashed.status_code, without_id(slashed)), address
            asked += plain.status_code == 200
    assert asked > 12
    assert client.get("/api/v1/no-such-route/").status_code == 404
    assert client.get("/api/v1/runs//").status_code == 404


def without_id(answer: object) -> object:
    body = answer.json()  # type: ignore[attr-defined]
    return {name: value for name, value in body.items() if name != "request_id"}


def test_a_slash_at_the_end_loses_no_body(acme: Customer, api: Api) -> None:
    client = api(acme)
    assert client.put("/api/v1/segments/row/", ROW).status_code == 201
    started = client.post("/api/v1/segments/row/runs/", {"input": {"n": 7}})
    assert started.status_code == 202, started.content
    assert started.json()["input"] == {"n": 7}
    assert started["Location"].endswith(f"/api/v1/runs/{started.json()['run_id']}")


def test_null_in_any_optional_field_counts_as_left_out() -> None:
    looked_at = 0
    for kind in bodies():
        for name, field in kind().fields.items():
            reader = kind(data={name: None})
            reader.is_valid()
            if not field.required:
                looked_at += 1
                assert name not in reader.errors, (kind, name, reader.errors)
    assert looked_at > 40


@pytest.mark.parametrize("kind", [SavedStart, InlineStart])
def test_null_is_an_input_as_good_as_any_other(kind: type[serializers.Serializer[object]]) -> None:
    reader = kind(data={"segment": ROW, "input": None} if kind is InlineStart else {"input": None})
    assert reader.is_valid(), reader.errors
    assert reader.validated_data["input"] is None


def test_a_start_full_of_nulls_is_one_with_defaults(acme: Customer, api: Api) -> None:
    client = api(acme)
    optional = ["client_reference", "on_duplicate", "metadata", "timeout_seconds", "priority", "callback"]
    answer = client.post("/api/v1/runs", {"segment": ROW, **dict.fromkeys(optional)})
    assert answer.status_code == 202, answer.content
    assert (answer.json()["client_reference"], answer.json()["priority"]) == (None, 0)
    callback = {"url": "https://hooks.example.com/a", "headers": None, "events": None}
    nested = client.post("/api/v1/runs", {"segment": ROW, "callback": callback})
    assert nested.json()["callback"]["events"][0] == "segment.completed"


def test_null_saves_no_unknown_and_no_required_field(acme: Customer, api: Api) -> None:
    client = api(acme)
    unknown = client.post("/api/v1/runs", {"segment": ROW, "prio": None}).json()
    assert (unknown["errors"][0]["pointer"], unknown["errors"][0]["code"]) == ("/prio", "UNKNOWN_FIELD")
    required = client.post("/api/v1/runs", {"segment": None})
    assert (required.status_code, required.json()["errors"][0]["pointer"]) == (422, "/segment")


def test_a_segment_full_of_nulls_is_one_with_defaults(acme: Customer, api: Api) -> None:
    client = api(acme)
    step = {**ROW["steps"][0], **dict.fromkeys(["name", "description", "retry", "timeout_seconds", "metadata"])}
    nulls = dict.fromkeys(["description", "params", "metadata", "input_schema", "output_schema"])
    answer = client.put("/api/v1/segments/row", {**ROW, "steps": [step], "edges": [], **nulls})
    assert answer.status_code == 201, answer.content


def test_a_key_is_tested_for_what_it_is_to_do(acme: Customer, api: Api) -> None:
    narrow = create_api_key(tenant=acme.tenant, name="narrow", scopes=["runs:read", "runs:write"])
    client = api(Customer(acme.tenant, narrow.text))
    assert client.get("/api/v1/me?scopes=runs:read,runs:write").status_code == 200
    refused = client.get("/api/v1/me?scopes=runs:read,segments:read").json()
    assert (refused["status"], refused["code"], refused["scope"]) == (403, "SCOPE_MISSING", "segments:read")
    assert "`segments:read`" in refused["detail"]
    unknown = client.get("/api/v1/me?scopes=runs:reed")
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/scopes")


def test_segments_are_found_by_a_part_of_id_or_name(acme: Customer, globex: Customer, api: Api) -> None:
    client = api(acme)
    for segment_id, name in (("orders", "Price an order"), ("mail", "Write to BUYERS"), ("buyers_2", "Other")):
        saved = client.put(f"/api/v1/segments/{segment_id}", {**ROW, "segment_id": segment_id, "name": name})
        assert saved.status_code == 201
    api(globex).put("/api/v1/segments/buyers", {**ROW, "segment_id": "buyers"})
    assert ids_of(client, "buyers") == ["buyers_2", "mail"]
    assert ids_of(client, "R%") == []
    assert ids_of(client, "zzz") == []


def ids_of(client: APIClient, q: str) -> list[str]:
    return sorted(one["segment_id"] for one in client.get("/api/v1/segments", {"q": q}).json()["data"])


def test_runs_are_found_by_when_they_began_and_ended(acme: Customer, api: Api) -> None:
    client = api(acme)
    days = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]
    runs = [client.post("/api/v1/runs", {"segment": ROW}).json()["run_id"] for _ in days]
    with tenant_scope(acme.tenant.id):
        for run_id, day in zip(runs, days, strict=True):
            Run.objects.filter(id=run_id).update(created_at=day)
        Run.objects.filter(id=runs[0]).update(ended_at=days[2])
        Run.objects.filter(id=runs[1]).update(ended_at=days[1])
    assert found(client, since=days[1]) == [runs[2], runs[1]]
    assert found(client, created_after=days[1]) == [runs[2]]
    assert found(client, ended_after=days[1]) == [runs[0]], "it began first and ended last; one goes on"
    assert found(client, ended_after=days[0], since=days[1]) == [runs[1]]


def found(client: APIClient, **query: str) -> list[str]:
    return [run["run_id"] for run in client.get("/api/v1/runs", query).json()["data"]]
