"""Saving, reading and archiving of segments, as callers see it."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]
ONE = steps_in_a_row("input + 1", segment_id="numbers")
TWO = steps_in_a_row("input + 2", segment_id="numbers")


@pytest.fixture
def client(acme: Customer, api: Api) -> APIClient:
    return api(acme)


def put(client: APIClient, body: Any, **headers: str) -> Any:
    return client.put("/api/v1/segments/numbers", body, headers=headers)


def test_new_content_is_a_201_with_its_revision(client: APIClient) -> None:
    answer = put(client, ONE)
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["segment_id"], body["revision"], body["name"]) == ("numbers", 1, "Steps in a row")
    assert answer["ETag"] == f'"{body["content_hash"]}"'
    read = client.get(answer["Location"])
    assert {**read.json(), "findings": body["findings"]} == body
    assert read["ETag"] == answer["ETag"]


def test_equal_content_is_a_200_and_the_same_revision(client: APIClient) -> None:
    first = put(client, ONE).json()
    spelled_otherwise = {**ONE, "edges": [], "params": {"max_retries": 3}, "description": ""}
    for again in (ONE, dict(reversed(ONE.items())), spelled_otherwise):
        answer = put(client, again)
        assert (answer.status_code, answer.json()["revision"]) == (200, 1)
        assert answer.json()["updated_at"] == first["updated_at"]


def test_an_earlier_content_moves_the_pointer_back(client: APIClient) -> None:
    put(client, ONE)
    assert put(client, TWO).json()["revision"] == 2
    back = put(client, ONE)
    assert (back.status_code, back.json()["revision"]) == (200, 1)
    revisions = client.get("/api/v1/segments/numbers/revisions").json()["data"]
    assert [(revision["revision"], revision["current"]) for revision in revisions] == [(2, False), (1, True)]
    assert put(client, {**TWO, "name": "Third"}).json()["revision"] == 3


def test_revisions_are_immutable_and_listed_page_by_page(client: APIClient) -> None:
    for number in range(5):
        put(client, steps_in_a_row(f"input + {number}", segment_id="numbers"))
    page = client.get("/api/v1/segments/numbers/revisions?limit=2").json()
    numbers = [revision["revision"] for revision in page["data"]]
    while page["next_url"]:
        page = client.get(page["next_url"]).json()
        numbers += [revision["revision"] for revision in page["data"]]
    assert numbers == [5, 4, 3, 2, 1]
    third = client.get("/api/v1/segments/numbers/revisions/3").json()
    assert third["definition"]["steps"][0]["config"] == {"expression": "input + 2"}


def test_if_match_guards_against_somebody_elses_change(client: APIClient) -> None:
    seen = put(client, ONE)["ETag"]
    theirs = put(client, TWO, **{"If-Match": seen})
    assert theirs.status_code == 201
    mine = put(client, {**ONE, "name": "Mine"}, **{"If-Match": seen})
    assert (mine.status_code, mine.json()["code"]) == (412, "REVISION_MISMATCH")
    assert mine.json()["etag"] == theirs["ETag"]
    assert client.get("/api/v1/segments/numbers").json()["revision"] == 2
    assert put(client, {**ONE, "name": "Mine"}, **{"If-Match": "*"}).status_code == 201


def test_if_match_on_what_is_not_there_creates_nothing(client: APIClient) -> None:
    assert put(client, ONE, **{"If-Match": "*"}).status_code == 412
    assert client.get("/api/v1/segments/numbers").status_code == 404


def test_if_none_match_replaces_nothing(client: APIClient) -> None:
    made = put(client, ONE, **{"If-None-Match": "*"})
    assert made.status_code == 201
    for tag in ("*", made["ETag"], f"W/{made['ETag']}"):
        refused = put(client, TWO, **{"If-None-Match": tag})
        assert (refused.status_code, refused.json()["code"], refused.json()["etag"]) == (
            *(412, "REVISION_MISMATCH"),
            made["ETag"],
        )
    assert client.get("/api/v1/segments/numbers").json()["revision"] == 1
    assert put(client, TWO, **{"If-None-Match": '"another"'}).status_code == 201


def test_a_segment_is_archived_only_with_the_content_that_if_match_names(client: APIClient) -> None:
    old, new = put(client, ONE)["ETag"], put(client, TWO)["ETag"]
    assert client.delete("/api/v1/segments/numbers", headers={"If-Match": old}).status_code == 412
    assert client.get("/api/v1/segments").json()["data"], "it is still listed"
    assert client.delete("/api/v1/segments/numbers", headers={"If-Match": f"{old}, {new}"}).status_code == 204
    assert not client.get("/api/v1/segments").json()["data"]


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
def test_a_change_that_depends_on_no_content_refuses_a_precondition(client: APIClient, name: str) -> None:
    assert client.post("/api/v1/segments", ONE).status_code == 201
    refused = client.post("/api/v1/segments", {**ONE, "segment_id": "more"}, headers={name: "*"})
    assert (refused.status_code, refused.json()["code"]) == (400, "PRECONDITION_NOT_KEPT")
    assert name in refused.json()["detail"]
    assert client.get("/api/v1/segments/more").status_code == 404


def test_if_none_match_saves_the_reading(client: APIClient) -> None:
    tag = put(client, ONE)["ETag"]
    unchanged = client.get("/api/v1/segments/numbers", headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    catalog = client.get("/api/v1/catalog")
    assert catalog.status_code == 200
    assert client.get("/api/v1/catalog", headers={"If-None-Match": catalog["ETag"]}).status_code == 304


def test_errors_block_and_are_told_all_at_once(client: APIClient) -> None:
    broken = {**ONE, "entrypoint": "nowhere", "edges": [{"from": "step_1", "to": "missing"}]}
    answer = put(client, broken)
    assert (answer.status_code, answer.json()["code"]) == (422, "SEGMENT_INVALID")
    errors = {error["code"]: error for error in answer.json()["errors"]}
    assert errors["INVALID_ENTRYPOINT"]["pointer"] == "/entrypoint"
    assert errors["INVALID_REFERENCE"]["pointer"] == "/edges/0/to"
    assert client.get("/api/v1/segments").json()["data"] == []


def test_warnings_do_not_block_and_are_shown(client: APIClient) -> None:
    answer = put(client, {**ONE, "colour": "red"})
    assert answer.status_code == 201
    (finding,) = answer.json()["findings"]
    assert (finding["severity"], finding["code"], finding["pointer"]) == ("warning", "UNKNOWN_FIELD", "/colour")
    assert client.get("/api/v1/segments/numbers").json()["definition"]["colour"] == "red"


def test_a_definition_without_an_id_takes_the_addresss(client: APIClient) -> None:
    answer = put(client, {name: value for name, value in ONE.items() if name != "segment_id"})
    assert (answer.status_code, answer.json()["definition"]["segment_id"]) == (201, "numbers")


def test_a_definition_of_another_segment_is_refused(client: APIClient) -> None:
    answer = put(client, {**ONE, "segment_id": "others"})
    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == ["SEGMENT_ID_MISMATCH"]
    assert client.get("/api/v1/segments").json()["data"] == []


def test_create_never_replaces(client: APIClient) -> None:
    assert client.post("/api/v1/segments", ONE).status_code == 201
    assert client.post("/api/v1/segments", ONE).status_code == 200
    answer = client.post("/api/v1/segments", TWO)
    assert (answer.status_code, answer.json()["code"]) == (409, "SEGMENT_EXISTS")
    assert client.get("/api/v1/segments/numbers").json()["revision"] == 1
    refused = client.post("/api/v1/segments", ONE, headers={"Idempotency-Key": "k"})
    assert (refused.status_code, refused.json()["code"]) == (422, "NOT_AVAILABLE")


def test_an_archived_segment_leaves_the_list_and_comes_back_when_saved(client: APIClient) -> None:
    put(client, ONE)
    for _ in range(2):
        assert client.delete("/api/v1/segments/numbers").status_code == 204
    assert client.get("/api/v1/segments").json()["data"] == []
    (archived,) = client.get("/api/v1/segments?archived=true").json()["data"]
    assert archived["archived_at"] is not None
    assert client.get("/api/v1/segments/numbers").json()["archived_at"] is not None
    assert put(client, ONE).status_code == 200
    assert client.get("/api/v1/segments/numbers").json()["archived_at"] is None
    assert client.delete("/api/v1/segments/never").status_code == 404


def test_lists_go_page_by_page_whatever_is_added_meanwhile(client: APIClient) -> None:
    for number in range(7):
        client.post("/api/v1/segments", {**ONE, "segment_id": f"segment_{number}"})
    page = client.get("/api/v1/segments?limit=3").json()
    assert page["next_url"].startswith("http://testserver/api/v1/segments?limit=3&cursor=")
    found = [row["segment_id"] for row in page["data"]]
    client.post("/api/v1/segments", {**ONE, "segment_id": "later"})
    while page["next_cursor"]:
        page = client.get(page["next_url"]).json()
        found += [row["segment_id"] for row in page["data"]]
    assert found == [f"segment_{number}" for number in reversed(range(7))]


def test_the_audit_tells_of_each_change_with_before_and_after(client: APIClient) -> None:
    put(client, ONE)
    put(client, ONE)
    put(client, TWO)
    client.delete("/api/v1/segments/numbers")
    with unscoped("tests look at everything"):
        entries = list(Entry.objects.filter(object_type="segment").order_by("id"))
    assert [entry.action for entry in entries] == ["segment.saved", "segment.saved", "segment.archived"]
    assert entries[0].before is None
    assert (entries[1].before["revision"], entries[1].after["revision"]) == (1, 2)
    assert all(entry.actor.startswith("key:") for entry in entries)


def test_the_catalog_has_every_card_in_the_public_shape(client: APIClient) -> None:
    catalog = client.get("/api/v1/catalog").json()
    assert list(catalog) == ["version", "categories", "types"]
    assert {"llm_agent", "http_action", "transform", "condition", "parallel_split", "parallel_join"} <= set(
        catalog["types"]
    )
    for type_id, card in catalog["types"].items():
        assert client.get(f"/api/v1/catalog/{type_id}").json() == card
    answer = client.get("/api/v1/catalog?with=prices")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "UNKNOWN_PART")


def test_validation_says_all_and_saves_nothing(client: APIClient) -> None:
    good = client.post("/api/v1/segments/validate", ONE).json()
    assert (good["valid"], good["findings"]) == (True, [])
    bad = client.post("/api/v1/segments/validate", {**ONE, "entrypoint": "nowhere"}).json()
    assert bad["valid"] is False
    assert bad["findings"][0]["code"] == "INVALID_ENTRYPOINT"
    assert client.get("/api/v1/segments").json()["data"] == []
    assert client.get("/api/v1/schemas/segment").json()["$schema"].startswith("https://json-schema.org/draft/2020-12")


def test_tenants_have_their_own_segments_of_one_id(client: APIClient, globex: Customer, api: Api) -> None:
    put(client, ONE)
    other = api(globex)
    assert put(other, TWO).json()["revision"] == 1
    assert (
        client.get("/api/v1/segments/numbers").json()["definition"]["steps"][0]["config"]["expression"] == "input + 1"
    )
