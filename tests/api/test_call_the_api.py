"""How every route speaks: keys, problems, ids."""

from collections.abc import Callable

from rest_framework.test import APIClient

from tests.conftest import Customer

Api = Callable[[Customer], APIClient]


def test_me_names_tenant_key_and_scopes(acme: Customer, api: Api) -> None:
    answer = api(acme).get("/api/v1/me")
    assert answer.status_code == 200, answer.content
    assert answer.json()["tenant"]["slug"] == "acme"
    assert "runs:write" in answer.json()["scopes"]
