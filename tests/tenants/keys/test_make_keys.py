"""Customers make keys themselves: each secret is shown once, and no key may do more than who made it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.idempotency import KEY_LIFETIME
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from tenants.access import key_bounds
from tenants.lifecycle.retention import sweep_retention
from tenants.models import ApiKey, KeyRequest
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.api_clients import key_client, session_client, token_client
from tests.support.tasks import make_member

Api = Callable[[Customer], APIClient]
KEYS = "/api/v1/keys"
ASKED = {"name": "n8n", "scopes": ["runs:read", "runs:write"]}


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def later(**time: float) -> datetime:
    return (utc_now() + timedelta(**time)).replace(microsecond=0)


def count_of(customer: Customer) -> int:
    with tenant_scope(customer.tenant.id):
        return ApiKey.objects.count()


def test_a_key_made_works_with_the_scopes_asked_for_and_no_other(acme: Customer, api: Api) -> None:
    ends = later(days=30)
    answer = api(acme).post(KEYS, {**ASKED, "expires_at": ends.isoformat()})
    made = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert (made["state"], made["scopes"], made["last_used_at"]) == ("live", ASKED["scopes"], None)
    assert datetime.fromisoformat(made["expires_at"]) == ends
    client = key_client(made["secret"])
    me = client.get("/api/v1/me").json()
    assert me["key"]["id"] == made["id"]
    assert me["key"]["public_id"] == made["public_id"]
    assert me["scopes"] == ASKED["scopes"]
    assert code_of(client.get("/api/v1/segments")) == (403, "SCOPE_MISSING")


def test_the_secret_is_shown_once_and_kept_nowhere(acme: Customer, api: Api) -> None:
    client = api(acme)
    made = client.post(KEYS, ASKED).json()
    secret = made["secret"].split("_")[2]
    read, page = client.get(f"{KEYS}/{made['id']}"), client.get(KEYS)
    assert read.json() == {name: value for name, value in made.items() if name != "secret"}
    assert page.json()["data"][0] == read.json()
    with tenant_scope(acme.tenant.id):
        written = str(list(ApiKey.objects.values())) + str(list(Entry.objects.values()))
    for text in (read.content.decode(), page.content.decode(), written):
        assert secret not in text


def test_the_list_is_paged_and_has_those_that_ended(acme: Customer, globex: Customer, api: Api) -> None:
    client = api(acme)
    ids = [client.post(KEYS, {**ASKED, "name": f"key {number}"}).json()["id"] for number in range(3)]
    assert client.delete(f"{KEYS}/{ids[0]}").status_code == 200
    first = client.get(f"{KEYS}?limit=2").json()
    second = client.get(first["next_url"]).json()
    found = first["data"] + second["data"]
    assert [row["id"] for row in found[:3]] == ids[::-1]
    assert [row["state"] for row in found] == ["live", "live", "revoked", "live"]
    assert second["next_cursor"] is None
    assert len(api(globex).get(KEYS).json()["data"]) == 1, "another tenant sees its own"


def test_the_audit_tells_who_made_it(acme: Customer, api: Api) -> None:
    made = api(acme).post(KEYS, ASKED).json()
    with tenant_scope(acme.tenant.id):
        entry = Entry.objects.get(action="api_key.created", object_id=made["id"])
    assert entry.actor == made["created_by"] == api(acme).get(f"{KEYS}/{made['id']}").json()["created_by"]
    assert entry.actor.startswith("key:")
    assert entry.after == {**ASKED, "public_id": made["public_id"]}


@pytest.mark.parametrize(
    ("flaw", "code"),
    [
        ({"scopes": []}, "INVALID"),
        ({"scopes": ["everything"]}, "INVALID"),
        ({"name": ""}, "INVALID"),
        ({"name": "n" * 101}, "INVALID"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "KEY_INVALID"),
        ({"expires_at": "soon"}, "INVALID"),
        ({"owner": "me"}, "INVALID"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_made(
    acme: Customer, api: Api, flaw: dict[str, Any], code: str
) -> None:
    assert api(acme).post(KEYS, ASKED).status_code == 201
    assert code_of(api(acme).post(KEYS, {**ASKED, **flaw})) == (422, code)
    assert count_of(acme) == 2


def test_a_key_gives_no_scope_it_does_not_have(acme: Customer) -> None:
    poor = create_api_key(tenant=acme.tenant, name="poor", scopes=["keys:read", "keys:write", "runs:read"])
    client = key_client(poor.text)
    assert client.post(KEYS, {"name": "as poor", "scopes": ["runs:read"]}).status_code == 201
    refused = client.post(KEYS, ASKED)
    assert (*code_of(refused), refused.json()["scope"]) == (403, "SCOPE_MISSING", "runs:write")
    assert count_of(acme) == 3


def test_only_a_key_with_the_scope_makes_keys(acme: Customer) -> None:
    reader = create_api_key(tenant=acme.tenant, name="reader", scopes=["keys:read", "runs:read"])
    client = key_client(reader.text)
    assert client.get(KEYS).status_code == 200
    refused = client.post(KEYS, {"name": "more", "scopes": ["runs:read"]})
    assert (*code_of(refused), refused.json()["scope"]) == (403, "SCOPE_MISSING", "keys:write")


def test_a_key_gives_none_that_outlives_it(acme: Customer) -> None:
    ends = later(days=10)
    client = key_client(create_api_key(tenant=acme.tenant, name="for a while", expires_at=ends).text)
    soon = client.post(KEYS, {**ASKED, "expires_at": ends.isoformat()})
    unsaid = client.post(KEYS, ASKED)
    assert [datetime.fromisoformat(each.json()["expires_at"]) for each in (soon, unsaid)] == [ends, ends]
    refused = client.post(KEYS, {**ASKED, "expires_at": (ends + timedelta(seconds=1)).isoformat()})
    assert code_of(refused) == (403, "KEY_OUTLIVES_CALLER")
    assert datetime.fromisoformat(refused.json()["expires_at"]) == ends


@pytest.mark.parametrize("is_for_member", [False, True], ids=["a key's", "a member's"])
def test_a_token_reads_and_revokes_and_gives_no_secret(acme: Customer, api: Api, is_for_member: bool) -> None:
    client, scopes = api(acme), ["keys:read", "keys:write", "runs:read"]
    made = client.post(KEYS, {"name": "old", "scopes": ["runs:read"]}).json()
    if is_for_member:
        make_member(acme.tenant, "ada", role="admin")
        token = token_client(client, "ada@acme.example", scopes)
    else:
        token = key_client(client.post("/api/v1/tokens", {"scopes": scopes}).json()["token"])
    assert token.get(KEYS).status_code == 200
    asked = {"name": "for ever", "scopes": ["runs:read"]}
    assert client.post(KEYS, asked).status_code == 201, "its key may"
    assert code_of(token.post(KEYS, asked)) == (403, "TOKEN_MAKES_NO_KEYS")
    assert code_of(token.post(f"{KEYS}/{made['id']}/rotate")) == (403, "TOKEN_MAKES_NO_KEYS")
    assert token.delete(f"{KEYS}/{made['id']}").json()["state"] == "revoked"


def test_an_admin_who_has_signed_in_makes_keys_and_a_reviewer_does_not(acme: Customer) -> None:
    ada, rita = make_member(acme.tenant, "ada", role="admin"), make_member(acme.tenant, "rita")
    made = session_client(ada).post(KEYS, ASKED)
    assert (made.status_code, made.json()["created_by"]) == (201, f"member:{ada.id}")
    assert code_of(session_client(rita).post(KEYS, ASKED)) == (403, "SCOPE_MISSING")
    assert code_of(session_client(ada, checks_csrf=True).post(KEYS, ASKED)) == (403, "CSRF_MISSING")
    auditor = session_client(make_member(acme.tenant, "otto", role="auditor"))
    assert (auditor.get(KEYS).status_code, auditor.post(KEYS, ASKED).status_code) == (200, 403)


def test_a_repeated_request_makes_one_key_and_shows_no_secret_again(acme: Customer, globex: Customer, api: Api) -> None:
    once: Any = {"headers": {"Idempotency-Key": "a-1"}}
    first = api(acme).post(KEYS, ASKED, **once)
    again = api(acme).post(KEYS, ASKED, **once)
    assert first.json()["secret"] is not None
    assert "Idempotent-Replayed" not in first
    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == {**first.json(), "secret": None}
    assert code_of(api(acme).post(KEYS, {**ASKED, "name": "other"}, **once)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert code_of(api(acme).post(KEYS, ASKED, headers={"Idempotency-Key": "a b"})) == (
        422,
        "IDEMPOTENCY_KEY_MALFORMED",
    )
    assert api(globex).post(KEYS, ASKED, **once).json()["secret"], "another tenant's is its own"
    assert (count_of(acme), count_of(globex)) == (2, 2)


def test_a_request_is_forgotten_after_a_day(acme: Customer, api: Api) -> None:
    once: Any = {"headers": {"Idempotency-Key": "a-1"}}
    first = api(acme).post(KEYS, ASKED, **once).json()
    with tenant_scope(acme.tenant.id):
        KeyRequest.objects.update(created_at=F("created_at") - KEY_LIFETIME - timedelta(seconds=1))
    second = api(acme).post(KEYS, ASKED, **once).json()
    assert second["id"] != first["id"]
    sweep_retention()
    with tenant_scope(acme.tenant.id):
        assert KeyRequest.objects.get().api_key_id == ApiKey.objects.get(id=second["id"]).id
        KeyRequest.objects.update(created_at=F("created_at") - KEY_LIFETIME - timedelta(seconds=1))
    sweep_retention()
    with tenant_scope(acme.tenant.id):
        assert not KeyRequest.objects.exists()


def test_a_tenant_has_a_hundred_live_keys_and_no_more(acme: Customer, globex: Customer, api: Api) -> None:
    with tenant_scope(acme.tenant.id):
        rows = [
            ApiKey(tenant=acme.tenant, name=f"k{number}", public_id=f"{number:016}", secret_hash=b"-", scopes=[])
            for number in range(key_bounds.MAX_LIVE - 2)
        ]
        ApiKey.objects.bulk_create(rows)
    assert api(acme).post(KEYS, ASKED).status_code == 201, "the hundredth"
    refused = api(acme).post(KEYS, ASKED)
    assert code_of(refused) == (409, "TOO_MANY_KEYS")
    assert (refused.json()["used"], refused.json()["cap"]) == (100, 100)
    assert api(acme).delete(f"{KEYS}/{rows[0].id}").status_code == 200
    assert api(acme).post(KEYS, ASKED).status_code == 201, "one that is revoked leaves room"
    with tenant_scope(acme.tenant.id):
        ApiKey.objects.filter(id=rows[1].id).update(expires_at=utc_now())
    assert api(acme).post(KEYS, ASKED).status_code == 201, "and one that has ended"
    assert api(globex).post(KEYS, ASKED).status_code == 201, "another tenant has its own room"


def test_keys_made_in_a_day_are_bounded_whatever_became_of_them(acme: Customer, api: Api) -> None:
    now = datetime.now(UTC)
    with tenant_scope(acme.tenant.id):
        ended = [
            ApiKey(tenant=acme.tenant, name="k", public_id=f"{number:016}", secret_hash=b"-", revoked_at=now)
            for number in range(key_bounds.MAX_MADE_A_DAY - 2)
        ]
        ApiKey.objects.bulk_create(ended)
    assert api(acme).post(KEYS, ASKED).status_code == 201
    refused = api(acme).post(KEYS, ASKED)
    assert code_of(refused) == (429, "KEYS_LIMITED")
    assert 86_000 < int(refused["Retry-After"]) <= 86_400
    with tenant_scope(acme.tenant.id):
        ApiKey.objects.filter(id=ended[0].id).update(created_at=now - timedelta(days=1, seconds=1))
    assert api(acme).post(KEYS, ASKED).status_code == 201
