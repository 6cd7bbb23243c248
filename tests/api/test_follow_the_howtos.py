"""The examples of the pages about connections, requests and editors are taken as they stand there."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from runs.http.config import HttpActionConfig
from runs.runtime import Runtime
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.certificates import Authority

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
Api = Callable[[Customer], APIClient]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (HOWTO / page).read_text(), re.DOTALL)


def bodies(page: str) -> list[Any]:
    """What the curl lines of a page send, by method and path."""
    text = (HOWTO / page).read_text()
    return re.findall(r"curl -s -X (\w+) \$URL(/\S+)(?:[^`]*?--data '([^']*)')?", text)


def curls(block: str) -> list[Any]:
    """What the one curl line of a block sends: method, path and body."""
    found = re.findall(r"curl -s (?:-X (\w+) )?\"?[$]URL(/[^\s\"]+)(?:.*?--data '([^']*)')?", block, re.DOTALL)
    return [(method or "GET", path, body) for method, path, body in found]


def test_every_connection_is_taken(acme: Customer, api: Api) -> None:
    found = [json.loads(block) for block in blocks("connections.md", "json")]
    assert len(found) == 4
    house = Authority("House CA")
    ours = house.issue("us")
    for number, connection in enumerate(found):
        if "tls" in connection:
            assert set(connection["tls"]) == {"ca", "certificate", "key"}
            connection["tls"] = {"ca": house.pem, "certificate": ours.certificate, "key": ours.key}
        answer = api(acme).put(f"/api/v1/connections/one_{number}", connection)
        assert answer.status_code == 201, answer.content


def test_the_set_up_of_the_page_registers_what_it_says() -> None:
    (code,) = blocks("connections.md", "python")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    runtime = Runtime()
    names["set_up"](runtime)
    client = runtime.clients.get("shop")
    assert client is not None
    assert client.base_url == "https://shop.example.com"


def test_every_config_of_a_request_is_valid(acme: Customer, api: Api) -> None:
    found = [json.loads(block) for block in blocks("http-action.md", "json")]
    (connection,) = (one for one in found if "kind" in one)
    configs = [one for one in found if one is not connection]
    assert len(configs) == 12
    for config in configs:
        assert HttpActionConfig.model_validate(config).model_extra == {}
    answer = api(acme).put("/api/v1/connections/erp", connection)
    assert answer.status_code == 201, answer.content


def test_a_key_s_life_is_as_its_page_says(acme: Customer, api: Api) -> None:
    lines = [(method, path, body) for block in blocks("api-keys.md", "sh") for method, path, body in curls(block)]
    assert [method for method, _, _ in lines] == ["POST", "GET", "POST", "POST", "DELETE"]
    client, key_id, said = api(acme), "", []
    for method, path, body in lines:
        address = f"/api/v1{path}".replace("$KEY_ID", key_id)
        answer = client.generic(method, address, body, content_type="application/json").json()
        key_id = key_id or answer["id"]
        said.append(answer.get("state") or len(answer["data"]))
    assert said == ["live", 2, "live", "live", "revoked"]


@pytest.mark.parametrize("page", ["connections.md", "browser-editors.md"])
def test_every_curl_line_is_answered(acme: Customer, api: Api, page: str) -> None:
    lines = bodies(page)
    assert len(lines) == 2
    client = api(acme)
    for method, path, body in lines:
        if path.endswith("default/test"):
            continue  # it would leave this machine
        answer = client.generic(method, f"/api/v1{path}", body, content_type="application/json")
        assert answer.status_code in {200, 201, 202}, answer.content


def test_an_operator_suspends_and_deletes_a_tenant_as_the_page_says(acme: Customer, api: Api) -> None:
    operator = api(Customer(acme.tenant, create_api_key(tenant=acme.tenant, name="o", scopes=["operator:write"]).text))
    said = [one for block in blocks("tenants.md", "sh") for one in curls(block) if "OPERATOR_KEY" in block]
    states = []
    for method, path, body in said:
        answer = operator.generic(method, f"/api/v1{path}", body, content_type="application/json")
        assert answer.status_code in {200, 202}, answer.content
        states.append(answer.json()["state"])
    assert states == ["suspended", "active", "to_be_deleted", "to_be_deleted"]
