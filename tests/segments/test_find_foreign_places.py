"""An address with a place for a value as other tools write it is told when its segment is judged."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.conftest import Customer
from tests.support.stand_in_catalog import document, judged

Api = Callable[[Customer], APIClient]
HOST = "https://shop.example"
TOOL = {"name": "look", "client_ref": "shop"}
NUMBER = {"type": "object", "required": ["number"], "properties": {"number": {"type": "string"}}}


def found_in(config: dict[str, Any], kind: str = "http_action") -> list[tuple[str, str]]:
    return [found for found in judged(document({f"a:{kind}": config})) if found[0] == "FOREIGN_TEMPLATE"]


def test_a_place_as_another_tool_writes_it_is_told_with_what_to_write(acme: Customer, api: Api) -> None:
    def findings(url: str) -> list[dict[str, Any]]:
        answer = api(acme).post("/api/v1/segments/validate", document({"a:http_action": {"url": url, "method": "GET"}}))
        assert answer.json()["valid"]
        return [found for found in answer.json()["findings"] if found["severity"] != "info"]

    assert findings(f"{HOST}/orders/{{{{ input.id }}}}") == []
    (found,) = findings(f"{HOST}/orders/:id/lines/:line")
    assert (found["code"], found["severity"]) == ("FOREIGN_TEMPLATE", "warning")
    assert (found["pointer"], found["step_id"]) == ("/steps/0/config/url", "a")
    assert found["message"] == "Sent unchanged: ':id', ':line'; a value is written {{ ... }}."
    assert found["hint"] == "write `{{ input.id }}`, or whatever expression has the value"


@pytest.mark.parametrize(
    "path",
    [
        "/users/{id}",
        "/users/{user_id}/orders/{order-id}",
        "/users/{user.id}",
        "/files/{path*}",
        "/files/{+path}",
        "/users{?page,size}",
        "/users/{id:int}",
        "/users/{id:[0-9]+}",
        "/users/:id",
        "/users/:userId/orders",
        "/users/:id?expand=1",
        ":id",
        "/users/${id}",
        "/users/${steps.load.output.id}",
        "/users/#{id}",
        "/users/%{id}",
        "/users/@{variables('id')}",
        "/users/<id>",
        "/users/<int:id>",
        "/users?id={id}",
        "/users?id={id}&page=1",
        "/users?page=1&id=${id}",
        "/{{ input.kind }}/{id}",
        "/{{ input.kind }}/:id",
    ],
)
def test_every_spelling_is_told_in_paths_and_urls(path: str) -> None:
    assert found_in({"client_ref": "shop", "path": path}) == [("FOREIGN_TEMPLATE", "/steps/0/config/path")]
    url = f"{HOST}/{path.removeprefix('/')}"
    assert found_in({"url": url}) == [("FOREIGN_TEMPLATE", "/steps/0/config/url")]


@pytest.mark.parametrize("url", ["https://{tenant}.shop.example/a", "https://${host}/a", "{base}/a", "${base}/a"])
def test_every_place_in_a_url_s_beginning_is_told(url: str) -> None:
    assert found_in({"url": url}) == [("FOREIGN_TEMPLATE", "/steps/0/config/url")]


@pytest.mark.parametrize(
    "path",
    [
        "/users/{{ input.id }}",
        "/{{ {'a': input.id}.a }}",
        "/users/:{{ input.id }}",
        "/v1/{{ input.name }}:cancel",
        "/v1/documents:batchGet",
        "/at/12:30:00",
        "/a;x=1;y=2/b",
        "/a::b/c",
        "/Orders(1)/$value",
        "/$metadata",
        "/lists/{3F2504E0-4F89-11D3-9A0C-0305E82C3301}/items",
        "/lists/{ab2504e0-4f89-11d3-9a0c-0305e82c3301}/items",
        '/search?filter={"state": "open"}',
        '/search?filter={"id": {{ input.id }}}',
        "/search?filter={status:{eq:1}}",
        "/search?filter={}",
        "/me?fields=id,picture{url}",
        "/graphql?query={__typename}",
        "/search?at=12:30&tag=:id",
    ],
)
def test_what_has_uses_of_its_own_is_not(path: str) -> None:
    assert found_in({"client_ref": "shop", "path": path}) == []
    assert found_in({"url": f"{HOST}:8443{path}"}) == []


@pytest.mark.parametrize(
    ("path", "is_told"),
    [
        ("/orders/{number}", False),
        ("/{{ input.kind }}/{number}", False),
        ("/orders/${number}", True),
        ("/orders/{number}/:line", True),
        ("/orders/{number}/{line-id}", True),
    ],
)
def test_a_tool_s_arguments_have_places_of_their_own(path: str, is_told: bool) -> None:
    config = {"llm_ref": "default", "prompt": "Hi", "tools": [{**TOOL, "path": path, "parameters": NUMBER}]}
    told = [("FOREIGN_TEMPLATE", "/steps/0/config/tools/0/path")] if is_told else []
    assert found_in(config, "llm_agent") == told


@pytest.mark.parametrize("text", ["{a}", "?", "&a={a}", ":a/", "${", "{a,", "{a:", "<a>/"])
def test_a_long_address_takes_no_long_time(text: str) -> None:
    found_in({"url": f"{HOST}/x?{text * (200_000 // len(text))}"})
    found_in({"url": f"{HOST}/{text * (200_000 // len(text))}"})


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("={{ input.x }}", "leave out the `=`"),
        (" ={{ input.x }} EUR", "leave out the `=`"),
        ("Dear @{body('x')}", "write `{{ input.name }}`"),
        ("{% if x %}Dear{% endif %}", "write a conditional"),
        ("<p><%= name %></p>", "write `{{ input.name }}`"),
        ("{{ input.x }}", None),
        ("a={{ input.x }}", None),
        ("= is a sign, and {{ input.x }} a value", None),
        ("100 % of {x} at @home {a}, <a%b>", None),
    ],
)
def test_what_other_tools_fill_in_is_told_in_any_text(acme: Customer, api: Api, text: str, hint: str | None) -> None:
    config = {"url": HOST, "method": "GET", "headers": {"Content-Type": "text/plain"}, "body": {"a": text}}
    answer = api(acme).post("/api/v1/segments/validate", document({"a:http_action": config})).json()
    told = [found for found in answer["findings"] if found["code"] == "FOREIGN_TEMPLATE"]
    assert {found["pointer"] for found in told} == (set() if hint is None else {"/steps/0/config/body/a"})
    assert all(hint is not None and hint in found["hint"] for found in told)


def test_a_prompt_may_speak_of_templates() -> None:
    assert found_in({"prompt": "Explain {% if x %} and @{body('x')}."}, "llm_agent") == []
    assert found_in({"prompt": "={{ input.x }}"}, "llm_agent") == [("FOREIGN_TEMPLATE", "/steps/0/config/prompt")]
