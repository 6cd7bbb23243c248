"""Stored prompts: versions that never change, by content; names a tenant's own."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope
from segments.models import PromptVersion
from tests.conftest import Customer

Api = Callable[[Customer], APIClient]
ADDRESS = "/api/v1/prompts/summary"
FIRST = {"prompt": "Summarise {{ input.text }}", "system_prompt": "You are brief."}
SECOND = {"prompt": "Summarise {{ input.text }} in French"}


def actions(customer: Customer) -> list[str]:
    with tenant_scope(customer.tenant.id):
        return list(Entry.objects.filter(object_type="prompt").order_by("id").values_list("action", flat=True))


def test_saving_makes_a_version_that_can_be_read(acme: Customer, api: Api) -> None:
    client = api(acme)
    saved = client.put(ADDRESS, FIRST)
    assert saved.status_code == 201
    assert saved["Location"].endswith(ADDRESS)
    body = saved.json()
    assert (body["template_id"], body["version"], body["prompt"]) == ("summary", 1, FIRST["prompt"])
    assert client.get(ADDRESS).json() == body
    assert client.get(f"{ADDRESS}/versions/1").json()["system_prompt"] == "You are brief."
    assert [row["template_id"] for row in client.get("/api/v1/prompts").json()["data"]] == ["summary"]
    assert actions(acme) == ["prompt.saved"]


def test_equal_texts_are_one_version_and_earlier_ones_come_back(acme: Customer, api: Api) -> None:
    client = api(acme)
    assert [client.put(ADDRESS, FIRST).status_code for _ in range(2)] == [201, 200]
    assert client.put(ADDRESS, SECOND).json()["version"] == 2
    back = client.put(ADDRESS, FIRST)
    assert (back.status_code, back.json()["version"]) == (200, 1)
    versions = client.get(f"{ADDRESS}/versions").json()["data"]
    assert [(row["version"], row["current"]) for row in versions] == [(2, False), (1, True)]
    assert actions(acme) == ["prompt.saved"] * 3, "saving what is there already is no change"


def test_a_prompt_changes_only_from_the_content_that_its_caller_names(acme: Customer, api: Api) -> None:
    client = api(acme)
    old = client.put(ADDRESS, FIRST, headers={"If-None-Match": "*"})
    assert old.status_code == 201
    assert client.put(ADDRESS, SECOND, headers={"If-None-Match": "*"}).status_code == 412
    new = client.put(ADDRESS, SECOND, headers={"If-Match": old["ETag"]})
    assert new.status_code == 201
    stale = client.put(ADDRESS, FIRST, headers={"If-Match": old["ETag"]})
    assert (stale.status_code, stale.json()["code"], stale.json()["etag"]) == (412, "REVISION_MISMATCH", new["ETag"])
    assert client.delete(ADDRESS, headers={"If-Match": old["ETag"]}).status_code == 412
    assert client.get(ADDRESS).json()["version"] == 2
    assert client.delete(ADDRESS, headers={"If-Match": new["ETag"]}).status_code == 204


def test_versions_are_read_page_by_page(acme: Customer, api: Api) -> None:
    client = api(acme)
    for number in range(3):
        client.put(ADDRESS, {"prompt": f"Ask {number}"})
    page = client.get(f"{ADDRESS}/versions?limit=2").json()
    rest = client.get(page["next_url"]).json()
    assert [row["version"] for row in page["data"] + rest["data"]] == [3, 2, 1]
    assert client.get(f"{ADDRESS}/versions?cursor=x").status_code == 422


def test_a_reader_who_has_it_is_told_nothing_new(acme: Customer, api: Api) -> None:
    client = api(acme)
    tag = client.put(ADDRESS, FIRST)["ETag"]
    assert client.get(ADDRESS, headers={"If-None-Match": tag}).status_code == 304
    client.put(ADDRESS, SECOND)
    assert client.get(ADDRESS, headers={"If-None-Match": tag}).status_code == 200


def test_archiving_takes_it_out_of_the_list_and_saving_brings_it_back(acme: Customer, api: Api) -> None:
    client = api(acme)
    client.put(ADDRESS, FIRST)
    assert [client.delete(ADDRESS).status_code for _ in range(2)] == [204, 204]
    assert client.get("/api/v1/prompts").json()["data"] == []
    assert [row["template_id"] for row in client.get("/api/v1/prompts?archived=true").json()["data"]] == ["summary"]
    assert client.get(f"{ADDRESS}/versions/1").status_code == 200
    again = client.put(ADDRESS, FIRST)
    assert (again.status_code, again.json()["version"], again.json()["archived_at"]) == (200, 1, None)
    assert actions(acme) == ["prompt.saved", "prompt.archived", "prompt.saved"]


@pytest.mark.parametrize(
    ("flaw", "pointer", "words"),
    [
        ({"prompt": "Ask {{ input. }}"}, "/prompt", "position 14"),
        ({"system_prompt": "You are {{ 1 +"}, "/system_prompt", "not closed"),
        ({"prompt": "x" * 100_001}, "/prompt", "100,000"),
        ({"prompt": "{" * 2_001}, "/prompt", "braces"),
        ({"prompt": " \n"}, "/prompt", None),
        ({"prompt": None}, "/prompt", None),
        ({"surprise": 1}, "/surprise", "no such field"),
    ],
)
def test_a_text_no_step_could_use_is_refused_where_it_is_wrong(
    acme: Customer, api: Api, flaw: dict[str, Any], pointer: str, words: str | None
) -> None:
    client = api(acme)
    assert client.put(ADDRESS, FIRST).status_code == 201
    refused = client.put(ADDRESS, {**FIRST, **flaw})
    assert refused.status_code == 422
    assert pointer in [item["pointer"] for item in refused.json()["errors"]]
    assert words is None or words in refused.text
    with tenant_scope(acme.tenant.id):
        assert PromptVersion.objects.count() == 1


@pytest.mark.parametrize("hostile", ['"a\\u0000b"', '"a\\ud800b"', "[1]", '{"a": 1}', "true"])
def test_what_is_no_text_that_can_be_kept_is_refused(acme: Customer, api: Api, hostile: str) -> None:
    client = api(acme)
    for text, statuses in (('"fine"', {201}), (hostile, {400, 422})):
        answer = client.generic("PUT", ADDRESS, f'{{"prompt": {text}}}', content_type="application/json")
        assert answer.status_code in statuses
        assert answer.status_code == 201 or answer.json()["code"]


@pytest.mark.parametrize("name", ["Summary", "1st", "a" * 65, "a@1", "a.b", "ä"])
def test_a_name_that_could_not_be_written_in_a_step_is_refused(acme: Customer, api: Api, name: str) -> None:
    client = api(acme)
    assert client.put("/api/v1/prompts/a", FIRST).status_code == 201
    assert client.put(f"/api/v1/prompts/{name}", FIRST).json()["code"] == "PROMPT_ID_INVALID"
    assert client.get(f"/api/v1/prompts/{name}").json()["code"] == "PROMPT_NOT_FOUND"
    assert client.delete(f"/api/v1/prompts/{name}").json()["code"] == "PROMPT_NOT_FOUND"


@pytest.mark.parametrize("number", ["2", "0", "01", "x", "9" * 20])
def test_a_version_that_is_not_there_is_not_found(acme: Customer, api: Api, number: str) -> None:
    client = api(acme)
    client.put(ADDRESS, FIRST)
    assert client.get(f"{ADDRESS}/versions/1").status_code == 200
    assert client.get(f"{ADDRESS}/versions/{number}").json()["code"] == "PROMPT_VERSION_NOT_FOUND"


def test_two_tenants_have_each_their_own_under_one_name(acme: Customer, globex: Customer, api: Api) -> None:
    api(acme).put(ADDRESS, FIRST)
    assert api(globex).get(ADDRESS).status_code == 404
    assert api(globex).put(ADDRESS, SECOND).json()["version"] == 1
    assert api(acme).get(ADDRESS).json()["prompt"] == FIRST["prompt"]
