"""A connection is saved, read without its secret, changed, deleted; what could not work or would leak is refused."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope
from tenants.access.known_callers import known_callers
from tenants.connections.installed import provider_addresses
from tenants.models import Connection
from tenants.sealing import open_from
from tests.conftest import Customer

Api = Callable[[Customer], APIClient]
SECRET = "canary-of-the-secret"
CRM: dict[str, Any] = {
    "kind": "http",
    "base_url": "https://crm.example.com/api",
    "headers": {"X-Team": "returns"},
    "auth": {"type": "header", "name": "X-Crm-Key"},
    "secret": SECRET,
    "requests_per_minute": 120,
    "allows_tools": True,
}
GPT: dict[str, Any] = {"kind": "llm", "provider": "openai", "model": "gpt-4o-mini", "secret": SECRET}


def secret_of(customer: Customer, ref: str) -> str:
    with tenant_scope(customer.tenant.id):
        return open_from(Connection.objects.get(ref=ref), "secret")


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(item["pointer"], item["code"]) for item in answer.json()["errors"]]


def test_it_is_saved_read_and_listed_without_its_secret(acme: Customer, api: Api) -> None:
    client = api(acme)
    made = client.put("/api/v1/connections/crm", CRM)
    assert made.status_code == 201
    read = client.get("/api/v1/connections/crm").json()
    assert read["has_secret"]
    assert read["auth"] == CRM["auth"]
    assert {name: read[name] for name in ("kind", "base_url", "headers", "requests_per_minute", "allows_tools")} == {
        name: CRM[name] for name in ("kind", "base_url", "headers", "requests_per_minute", "allows_tools")
    }
    listed = client.get("/api/v1/connections").json()["data"]
    assert listed == [read]
    assert SECRET not in made.content.decode() + str(read)
    assert secret_of(acme, "crm") == SECRET
    with tenant_scope(acme.tenant.id):
        assert SECRET not in Connection.objects.get().secret


def test_a_language_model_shows_its_secret_as_its_provider_wants(acme: Customer, api: Api) -> None:
    answer = api(acme).put("/api/v1/connections/default", GPT).json()
    assert answer["auth"] == {"type": "provider"}
    assert (answer["provider"], answer["base_url"]) == ("openai", None)


def test_a_secret_stays_when_it_is_left_out_and_goes_with_null(acme: Customer, api: Api) -> None:
    client = api(acme)
    client.put("/api/v1/connections/crm", CRM)
    without = {name: value for name, value in CRM.items() if name != "secret"}
    kept = client.put("/api/v1/connections/crm", {**without, "timeout_seconds": 5})
    assert (kept.status_code, kept.json()["has_secret"], kept.json()["timeout_seconds"]) == (200, True, 5)
    assert secret_of(acme, "crm") == SECRET
    cleared = client.put("/api/v1/connections/crm", {**without, "secret": None}).json()
    assert (cleared["has_secret"], cleared["secret_set_at"]) == (False, None)


@pytest.mark.parametrize(
    ("secret", "place"),
    [("sk-abc\u200b123456", "7 of the secret (U+200B)"), ("abc123456 ", "10"), (" abc", "1 "), ("pass\u2013word", "5")],
)
def test_a_secret_that_no_header_carries_is_refused_with_the_place_and_never_repeated(
    acme: Customer, api: Api, secret: str, place: str
) -> None:
    connection = {**CRM, "auth": {"type": "bearer"}, "secret": secret.strip().encode("ascii", "ignore").decode()}
    assert api(acme).put("/api/v1/connections/crm", connection).status_code == 201
    refused = api(acme).put("/api/v1/connections/crm", {**connection, "secret": secret})
    assert (refused.status_code, codes(refused)) == (422, [("/secret", "CHARACTER_REFUSED")])
    assert f"Character {place}" in refused.json()["errors"][0]["detail"]
    assert secret not in refused.content.decode()
    basic = {**connection, "auth": {"type": "basic", "username": "us"}, "secret": secret}
    assert api(acme).put("/api/v1/connections/crm", basic).status_code == 200


def test_a_kept_secret_never_goes_to_another_host(acme: Customer, api: Api) -> None:
    client = api(acme)
    client.put("/api/v1/connections/crm", CRM)
    moved = {name: value for name, value in CRM.items() if name != "secret"}
    moved["base_url"] = "https://crm.example.com/other"
    assert client.put("/api/v1/connections/crm", moved).status_code == 200, "another path is the same host"
    moved["base_url"] = "https://elsewhere.example.com/api"
    refused = client.put("/api/v1/connections/crm", moved)
    assert (refused.status_code, codes(refused)) == (422, [("/secret", "SECRET_NEEDED_AGAIN")])
    assert client.get("/api/v1/connections/crm").json()["base_url"] == "https://crm.example.com/other"
    assert client.put("/api/v1/connections/crm", {**moved, "secret": "another"}).status_code == 200


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"base_url": None}, ("/base_url", "MISSING_FIELD")),
        ({"base_url": "http://169.254.169.254/latest"}, ("/base_url", "EGRESS_BLOCKED")),
        ({"base_url": "https://db.internal/"}, ("/base_url", "EGRESS_BLOCKED")),
        ({"base_url": "ftp://crm.example.com"}, ("/base_url", "EGRESS_BLOCKED")),
        ({"base_url": "https://crm.example.com/api?api-version=2024-06-01"}, ("/base_url", "INVALID")),
        ({"base_url": "https://crm.example.com/api#x"}, ("/base_url", "INVALID")),
        ({"provider": "openai"}, ("/provider", "NOT_OF_THIS_KIND")),
        ({"headers": {"Authorization": "Bearer x"}}, ("/headers", "CREDENTIAL_IN_HEADERS")),
        ({"headers": {"X-Api-Key": "x"}}, ("/headers", "CREDENTIAL_IN_HEADERS")),
        ({"headers": {"Host": "x"}}, ("/headers", "HEADER_REFUSED")),
        ({"auth": {"type": "header"}}, ("/auth/name", "MISSING_FIELD")),
        ({"auth": {"type": "basic"}}, ("/auth/username", "MISSING_FIELD")),
        ({"secret": "sk-pasted-with-its-line-end\n"}, ("/secret", "CONTROL_CHARACTER")),
        ({"auth": {"type": "provider"}}, ("/auth/type", "NOT_OF_THIS_KIND")),
        ({"auth": {"type": "oauth2", "client_id": "us"}}, ("/auth/token_url", "MISSING_FIELD")),
        (
            {"auth": {"type": "oauth2", "client_id": "us", "token_url": "http://10.0.0.1/token"}},
            ("/auth/token_url", "EGRESS_BLOCKED"),
        ),
    ],
)
def test_what_could_not_work_or_would_leak_is_refused(
    acme: Customer, api: Api, change: dict[str, Any], found: tuple[str, str]
) -> None:
    client = api(acme)
    assert client.put("/api/v1/connections/crm", CRM).status_code == 201, "without the flaw it is taken"
    wrong = {name: value for name, value in {**CRM, **change}.items() if value is not None}
    refused = client.put("/api/v1/connections/crm", wrong)
    assert refused.status_code == 422
    assert found in codes(refused)
    assert SECRET not in refused.content.decode()


@pytest.mark.parametrize(
    ("change", "pointer", "sentence"),
    [
        ({"auth": {"type": "header"}}, "/auth/name", "The auth header needs a name, that of the header."),
        ({"auth": {"type": "query"}}, "/auth/name", "The auth query needs a name, that of the query parameter."),
        ({"auth": {"type": "header", "auth_name": "X-Key"}}, "/auth/auth_name", "write `name`."),
        ({"auth": {"type": "basic", "user": "us"}}, "/auth/user", "write `username`."),
        ({"auth": {"type": "bearer", "token": "abc"}}, "/auth/token", "write `secret`, beside `auth`."),
        ({"auth_name": "X-Key"}, "/auth_name", "write `name` in `auth`."),
        ({"username": "us"}, "/username", "write `username` in `auth`."),
        ({"tls_ca": "x"}, "/tls_ca", "write `ca` in `tls`."),
        ({"keeps_cookies": True}, "/keeps_cookies", "write it in `options`."),
        ({"api_key": "abc"}, "/api_key", "write `secret`."),
        ({"nme": "abc"}, "/nme", "known are `kind`"),
        ({"auth": "header"}, "/auth", 'This must be an object, such as {"type": "bearer"}.'),
        ({"headers": {"X-Api-Key": "x"}}, "/headers", "looks like a credential"),
    ],
)
def test_a_misplaced_or_missing_setting_is_told_by_the_name_that_is_right(
    acme: Customer, api: Api, change: dict[str, Any], pointer: str, sentence: str
) -> None:
    client = api(acme)
    assert client.put("/api/v1/connections/crm", CRM).status_code == 201
    refused = client.put("/api/v1/connections/crm", {**CRM, **change})
    assert refused.status_code == 422
    (found,) = [item for item in refused.json()["errors"] if item["pointer"] == pointer]
    assert sentence in found["detail"]
    assert "auth_name`" not in f"{found['detail']} {found['hint']}"


def test_a_provider_that_is_not_installed_is_named_with_those_that_are(acme: Customer, api: Api) -> None:
    refused = api(acme).put("/api/v1/connections/default", {**GPT, "provider": "openay"})
    assert codes(refused) == [("/provider", "UNKNOWN_PROVIDER")]
    assert "openai" in refused.json()["errors"][0]["hint"]


def addresses() -> dict[str, str | None]:
    return {"openai": "https://api.example.com", "on_site": None}


def test_a_provider_without_an_address_of_its_own_needs_one(
    acme: Customer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_addresses, "_tell", addresses)
    client = api(acme)
    assert client.put("/api/v1/connections/default", GPT).status_code == 201
    on_site = {**GPT, "provider": "on_site"}
    assert codes(client.put("/api/v1/connections/on_site", on_site)) == [("/base_url", "MISSING_FIELD")]
    named = {**on_site, "base_url": "https://llm.example.com"}
    assert client.put("/api/v1/connections/on_site", named).status_code == 201


@pytest.mark.parametrize("ref", ["Crm", "1crm", "c" * 65, "c%20m", "c%00m"])
def test_a_name_that_cannot_be_one_is_refused(acme: Customer, api: Api, ref: str) -> None:
    answer = api(acme).put(f"/api/v1/connections/{ref}", CRM)
    assert (answer.status_code, answer.json()["code"]) == (422, "CONNECTION_REF_INVALID")
    assert api(acme).get(f"/api/v1/connections/{ref}").status_code == 404


def test_an_operator_allows_one_tenant_a_host_inside(acme: Customer, globex: Customer, api: Api) -> None:
    inside = {**CRM, "base_url": "http://erp.internal:8080/api"}
    assert api(acme).put("/api/v1/connections/crm", inside).status_code == 422
    acme.tenant.egress_allow_hosts = ["erp.internal:8080"]
    acme.tenant.save()
    client = APIClient(headers={"X-API-Key": acme.key})
    known_callers.forget(acme.tenant.id)
    client.default_format = "json"
    assert client.put("/api/v1/connections/crm", inside).status_code == 201
    assert api(globex).put("/api/v1/connections/crm", inside).status_code == 422


def test_it_is_deleted_with_its_secret(acme: Customer, api: Api) -> None:
    client = api(acme)
    client.put("/api/v1/connections/crm", CRM)
    assert client.delete("/api/v1/connections/crm").status_code == 204
    assert client.get("/api/v1/connections/crm").status_code == 404
    assert client.delete("/api/v1/connections/crm").status_code == 404
    with tenant_scope(acme.tenant.id):
        assert not Connection.objects.exists()


def test_the_audit_tells_of_each_change_and_of_no_secret(acme: Customer, api: Api) -> None:
    client = api(acme)
    client.put("/api/v1/connections/crm", CRM)
    client.put("/api/v1/connections/crm", {**CRM, "secret": "another canary", "timeout_seconds": 3})
    client.delete("/api/v1/connections/crm")
    with tenant_scope(acme.tenant.id):
        told = list(Entry.objects.filter(object_type="connection").order_by("created_at"))
    assert [entry.action for entry in told] == ["connection.created", "connection.changed", "connection.deleted"]
    assert told[1].after["secret"] == "changed"
    assert (told[1].before["timeout_seconds"], told[1].after["timeout_seconds"]) == (None, 3)
    assert {entry.actor[:4] for entry in told} == {"key:"}
    assert "canary" not in str([(entry.before, entry.after) for entry in told])


@pytest.mark.django_db(transaction=True)
def test_of_many_who_make_one_at_once_one_makes_it_and_the_rest_change_it(acme: Customer, api: Api) -> None:
    start = threading.Barrier(8, timeout=30)

    def save(_: int) -> int:
        client = api(acme)
        start.wait()
        try:
            return client.put("/api/v1/connections/crm", CRM).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(save, range(8))) == [200] * 7 + [201]


def test_two_tenants_have_their_own_of_one_name(acme: Customer, globex: Customer, api: Api) -> None:
    api(acme).put("/api/v1/connections/crm", CRM)
    assert api(globex).get("/api/v1/connections/crm").status_code == 404
    api(globex).put("/api/v1/connections/crm", {**CRM, "secret": "of globex"})
    assert (secret_of(acme, "crm"), secret_of(globex, "crm")) == (SECRET, "of globex")
    assert api(globex).delete("/api/v1/connections/crm").status_code == 204
    assert secret_of(acme, "crm") == SECRET


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8000", "crm.example.com/api", "http://", "https:///api", "ftp://crm.example.com"]
)
def test_an_address_without_scheme_or_host_is_told_as_one_and_no_policy_is_blamed(
    acme: Customer, api: Api, address: str
) -> None:
    client = api(acme)
    assert client.put("/api/v1/connections/crm", CRM).status_code == 201
    refused = client.put("/api/v1/connections/crm", {**CRM, "base_url": address})
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["pointer"]) == (422, "/base_url")
    assert "neither https:// nor http://" in error["detail"]
    assert error["hint"] == "Write it as https://host/path."
    assert "policy" not in refused.content.decode()
