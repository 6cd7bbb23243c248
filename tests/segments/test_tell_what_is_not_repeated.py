"""A step whose POST is not sent again by itself is told so when its segment is judged, unless that is settled."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import save_connection
from tests.conftest import Customer
from tests.support.stand_in_catalog import document

Api = Callable[[Customer], APIClient]
URL = {"url": "https://shop.example/orders"}
CALL = {"client_ref": "shop", "path": "/orders"}
KNOWS_KEYS = {"honours_idempotency_key": True}


@pytest.fixture
def shop(acme: Customer) -> None:
    for ref, options in (("shop", {}), ("once", KNOWS_KEYS), ("never", {"honours_idempotency_key": False})):
        spec = ConnectionSpec(kind="http", base_url="https://shop.example", options=options)
        save_connection(tenant=acme.tenant, actor="system", ref=ref, spec=spec)


def told(client: APIClient, *configs: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    segment = document({f"s{index}:http_action": config for index, config in enumerate(configs)}, **more)
    answer = client.post("/api/v1/segments/validate", segment).json()
    assert answer["valid"]
    return [found for found in answer["findings"] if found["code"] == "NOT_REPEATED"]


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({**URL, "method": "POST"}, "/steps/0/config/method"),
        ({**CALL, "method": "PATCH"}, "/steps/0/config/method"),
        (CALL, "/steps/0/config"),
        ({**CALL, "honours_idempotency_key": None}, "/steps/0/config"),
        ({**CALL, "client_ref": "never"}, "/steps/0/config"),
        ({**CALL, "client_ref": "not_there_yet"}, "/steps/0/config"),
        ({**CALL, "client_ref": "{{ input.which }}"}, "/steps/0/config"),
        ({**CALL, "pagination": {"next_link": True}, "retry_count": 1}, "/steps/0/config"),
    ],
)
def test_one_sentence_says_which_call_is_not_repeated_and_what_changes_that(
    acme: Customer, shop: None, api: Api, config: dict[str, Any], pointer: str
) -> None:
    (found,) = told(api(acme), config)
    assert (found["severity"], found["pointer"], found["step_id"]) == ("info", pointer, "s0")
    assert found["message"] == (
        f"This {config.get('method', 'POST')} is not repeated by itself when its answer does not come or does not say "
        "whether it was done (500, 502, 504 and their like), as it may have had its effect: "
        "`honours_idempotency_key` changes that."
    )
    assert "options" in found["hint"]


@pytest.mark.parametrize("method", ["{{ input.method }}", "{{ 'PUT' if input.known else 'POST' }}"])
def test_a_method_that_a_template_gives_may_be_one_that_is_not_repeated(
    acme: Customer, shop: None, api: Api, method: str
) -> None:
    client = api(acme)
    assert told(client, {**CALL, "method": "GET"}) == []
    (found,) = told(client, {**CALL, "method": method})
    assert (found["severity"], found["pointer"]) == ("info", "/steps/0/config/method")
    assert found["message"].startswith("This call, where it is a POST or PATCH, is not repeated by itself")
    assert told(client, {**CALL, "method": method, "client_ref": "once"}) == []
    assert told(client, {**CALL, "method": method, "honours_idempotency_key": False}) == []


@pytest.mark.parametrize(
    "config",
    [
        *({**CALL, "method": method} for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")),
        {**CALL, "honours_idempotency_key": True},
        {**CALL, "honours_idempotency_key": False},
        {**CALL, "client_ref": "once"},
        {**CALL, "retry_count": 0},
        {**CALL, "step": {"retry": {"max_attempts": 1}}},
    ],
)
def test_where_that_is_settled_nothing_is_said(acme: Customer, shop: None, api: Api, config: dict[str, Any]) -> None:
    assert len(told(api(acme), CALL)) == 1
    assert told(api(acme), config) == []


def test_the_policy_that_counts_is_the_one_the_step_is_tried_again_by(acme: Customer, shop: None, api: Api) -> None:
    client = api(acme)
    once: dict[str, Any] = {"params": {"max_retries": 0}}
    assert told(client, CALL, **once) == []
    assert len(told(client, {**CALL, "retry_count": 1}, **once)) == 1
    assert len(told(client, {**CALL, "retry_count": 0, "step": {"retry": {"max_attempts": 2}}}, **once)) == 1


def test_each_step_is_told_of_once_and_saved_all_the_same(acme: Customer, shop: None, api: Api) -> None:
    client = api(acme)
    assert [found["step_id"] for found in told(client, CALL, {**CALL, "client_ref": "once"}, URL)] == ["s0", "s2"]
    saved = client.put("/api/v1/segments/sample", document({"a:http_action": CALL}))
    assert saved.status_code == 201
    assert [found["code"] for found in saved.json()["findings"]] == ["NOT_REPEATED"]


def test_a_connection_that_is_switched_off_or_another_tenant_s_settles_nothing(
    acme: Customer, globex: Customer, shop: None, api: Api
) -> None:
    once = {**CALL, "client_ref": "once"}
    assert (told(api(acme), once), len(told(api(globex), once))) == ([], 1)
    spec = ConnectionSpec(kind="http", base_url="https://shop.example", options=KNOWS_KEYS, is_active=False)
    save_connection(tenant=acme.tenant, actor="system", ref="once", spec=spec)
    assert len(told(api(acme), once)) == 1


def test_a_model_s_tools_are_not_spoken_of_as_their_failures_are_told_to_the_model(
    acme: Customer, shop: None, api: Api
) -> None:
    tool = {"name": "order", "client_ref": "shop", "path": "/orders", "method": "POST"}
    segment = document({"ask:llm_agent": {"llm_ref": "default", "prompt": "x", "tools": [tool]}})
    codes = [found["code"] for found in api(acme).post("/api/v1/segments/validate", segment).json()["findings"]]
    assert "NOT_REPEATED" not in codes


@pytest.mark.parametrize(
    ("called", "more", "pointers"),
    [
        (("shop", "POST"), {}, ["/steps/0/config/tools/1/method"]),
        (("never", "PATCH"), {}, ["/steps/0/config/tools/1/method"]),
        (("shop", "{{ input.method }}"), {}, ["/steps/0/config/tools/1/method"]),
        (("once", "{{ input.method }}"), {}, []),
        (("once", "POST"), {}, []),
        (("shop", "PUT"), {}, []),
        (("shop", "POST"), {"retry_count": 0}, []),
    ],
)
def test_a_tool_that_may_have_its_effect_twice_is_told(
    acme: Customer, shop: None, api: Api, *, called: tuple[str, str], more: dict[str, Any], pointers: list[str]
) -> None:
    look = {"name": "look", "client_ref": "once", "path": "/seats"}
    book = {"name": "book", "client_ref": called[0], "method": called[1], "path": "/book"}
    segment = document({"s:llm_agent": {"llm_ref": "m", "prompt": "x", "tools": [look, book], **more}})
    answer = api(acme).post("/api/v1/segments/validate", segment).json()
    assert answer["valid"]
    found = [one for one in answer["findings"] if one["code"] == "TOOL_MAY_REPEAT"]
    assert [one["pointer"] for one in found] == pointers
    assert {one["severity"] for one in found} <= {"info"}
