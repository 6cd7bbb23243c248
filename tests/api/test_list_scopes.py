"""docs/reference/scopes.md has a row for every route and method, with the scope the code asks for."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from devserver.folders import CHECKOUT
from tenants.services import create_api_key
from tenants.types import KNOWN_SCOPES, SCOPES_BY_ROLE
from tests.conftest import Customer
from tests.support.api_clients import key_client
from tests.support.api_routes import methods_of, routes

PAGE = (CHECKOUT / "docs/reference/scopes.md").read_text(encoding="utf-8")
ANY = "any caller"
SOME_ID = "01a20c5e-0f10-757c-bbf4-2950405a5b83"


def of_code() -> dict[tuple[str, str], str | None]:
    """By method and route, the scope; None where a view names none, which nobody could call."""
    found: dict[tuple[str, str], str | None] = {}
    for path, pattern in routes():
        view: Any = pattern.callback.cls  # type: ignore[union-attr]  # every route of the API is a class
        for method in methods_of(pattern):
            route = "/" + re.sub(r"<(?:str|path):(\w+)>", r"{\1}", path)
            found[method, route] = getattr(view, "required_scopes", {}).get(method)
    return found


def of_page() -> dict[tuple[str, str], str]:
    rows = re.findall(r"^\| `([A-Z]+) (/\S+)` \| (?:`([a-z:]+)`|any caller) \|$", PAGE, re.MULTILINE)
    assert len({row[:2] for row in rows}) == len(rows), "no row comes twice"
    return {(method, path): scope for method, path, scope in rows}


def wanted_rows() -> list[str]:
    """The table as it should be."""
    by_path = sorted(of_code().items(), key=lambda item: (item[0][1], item[0][0]))
    return [f"| `{method} {path}` | {f'`{scope}`' if scope else ANY} |" for (method, path), scope in by_path]


def test_every_route_has_a_scope_and_a_row() -> None:
    code = of_code()
    assert [route for route, scope in code.items() if scope is None] == [], "nobody may call these"
    assert len(code) > 70
    assert of_page() == code, "the table should be:\n" + "\n".join(wanted_rows())
    assert [line for line in PAGE.splitlines() if re.match(r"\| `[A-Z]+ /", line)] == wanted_rows(), "in this order"


def test_every_scope_has_a_row_with_the_roles_that_have_it() -> None:
    rows = re.findall(r"^\| `([a-z]+:[a-z]+)` \| [^|]+ \| ([a-z, ]+) \|$", PAGE, re.MULTILINE)
    assert [scope for scope, _ in rows] == list(KNOWN_SCOPES)
    for scope, roles in rows:
        having = [role for role, scopes in SCOPES_BY_ROLE.items() if scope in scopes] or ["operators"]
        assert roles.split(", ") == having, scope
    asked = {scope for scope in of_code().values() if scope}
    assert asked <= set(KNOWN_SCOPES)


def calls() -> Iterator[tuple[str, str, str]]:
    for (method, path), scope in sorted(of_code().items()):
        if scope:
            yield method, path, scope


def test_each_route_lets_its_scope_in_and_no_other(acme: Customer) -> None:
    others = {scope: [each for each in KNOWN_SCOPES if each != scope] for scope in KNOWN_SCOPES}
    without = {
        scope: create_api_key(tenant=acme.tenant, name=scope, scopes=others[scope]).text for scope in KNOWN_SCOPES
    }
    alone = {scope: create_api_key(tenant=acme.tenant, name=scope, scopes=[scope]).text for scope in KNOWN_SCOPES}
    count = 0
    for method, path, scope in calls():
        if path.endswith("/stream"):
            continue  # a key lacking the scope is refused before the stream opens; tests/runs/events shows the rest
        address = "/api/v1" + re.sub(r"\{\w+\}", SOME_ID, path)
        refused = _call(key_client(without[scope]), method, address)
        assert (refused.status_code, refused.json()["scope"]) == (403, scope), (method, path)
        let_in = _call(key_client(alone[scope]), method, address)
        code = "" if let_in.status_code == 204 else let_in.json().get("code")
        assert code != "SCOPE_MISSING", (method, path)
        count += 1
    assert count > 60


def _call(client: APIClient, method: str, address: str) -> Any:
    return client.generic(method, address, b"" if method == "GET" else b'{"x": 1}', content_type="application/json")


@pytest.mark.parametrize("scope", KNOWN_SCOPES)
def test_a_scope_has_the_form_of_a_scope(scope: str) -> None:
    assert re.fullmatch(r"[a-z]+:(read|write)", scope)
