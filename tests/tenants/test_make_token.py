"""A token does what it was made for, for a while; it is never more than its key, and ends with it."""

import base64
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from runs.events.tickets import issue_ticket, use_ticket
from tenants.access import tokens
from tenants.access.known_callers import known_callers
from tenants.models import ApiKey
from tenants.selectors import find_caller
from tenants.services import create_api_key, revoke_api_key
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]


@pytest.fixture(autouse=True)
def nobody_is_known(acme: Customer) -> Iterator[None]:
    yield
    known_callers.forget(acme.tenant.id)


def token_of(client: APIClient, *scopes: str, **more: Any) -> str:
    answer = client.post("/api/v1/tokens", {"scopes": list(scopes), **more})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["token"])


def with_token(text: str, header: str = "Authorization") -> APIClient:
    client = APIClient(headers={header: f"Bearer {text}" if header == "Authorization" else text})
    client.default_format = "json"
    return client


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_it_does_what_it_was_made_for_and_nothing_else(acme: Customer, api: Api, header: str) -> None:
    token = token_of(api(acme), "runs:read", "runs:write")
    client = with_token(token, header)
    assert client.post("/api/v1/runs", {"segment": steps_in_a_row("input")}).status_code == 202
    assert len(client.get("/api/v1/runs").json()["data"]) == 1
    assert api(acme).get("/api/v1/segments").status_code == 200, "the key may"
    refused = client.get("/api/v1/segments")
    assert (refused.status_code, refused.json()["code"]) == (403, "SCOPE_MISSING")


def test_me_says_that_it_is_a_token_and_until_when(acme: Customer, api: Api) -> None:
    client = api(acme)
    assert client.get("/api/v1/me").json()["token_expires_at"] is None
    answer = client.post("/api/v1/tokens", {"scopes": ["runs:read"], "expires_in": 60}).json()
    me = with_token(answer["token"]).get("/api/v1/me").json()
    assert me["token_expires_at"] == answer["expires_at"]
    assert me["scopes"] == answer["scopes"] == ["runs:read"]


def test_it_is_no_more_than_its_key(acme: Customer, api: Api) -> None:
    narrow = create_api_key(tenant=acme.tenant, name="narrow", scopes=["runs:read"])
    client = with_token(narrow.text)
    assert token_of(client, "runs:read")
    refused = client.post("/api/v1/tokens", {"scopes": ["runs:read", "runs:write"]})
    assert (refused.status_code, refused.json()["code"], refused.json()["scope"]) == (
        403,
        "SCOPE_MISSING",
        "runs:write",
    )


def test_a_right_its_key_loses_it_loses_too(acme: Customer, api: Api) -> None:
    token = token_of(api(acme), "runs:read")
    assert with_token(token).get("/api/v1/runs").status_code == 200
    with tenant_scope(acme.tenant.id):
        ApiKey.objects.update(scopes=["segments:read"])
    known_callers.forget(acme.tenant.id)
    assert with_token(token).get("/api/v1/runs").status_code == 403


def test_it_ends_with_its_key(acme: Customer, api: Api) -> None:
    token = token_of(api(acme), "runs:read")
    assert with_token(token).get("/api/v1/runs").status_code == 200
    with tenant_scope(acme.tenant.id):
        key_id = ApiKey.objects.get().id
    revoke_api_key(tenant=acme.tenant, api_key_id=key_id)
    known_callers.forget(acme.tenant.id)
    assert with_token(token).get("/api/v1/runs").status_code == 401


def test_it_ends_with_its_time_though_it_is_remembered(acme: Customer, api: Api, settings: Any) -> None:
    with tenant_scope(acme.tenant.id):
        public_id = ApiKey.objects.get().public_id

    def text(seconds: float) -> str:
        facts = tokens.TokenFacts(public_id, ("runs:read",), utc_now() + timedelta(seconds=seconds))
        return tokens.write_token(facts, master=settings.SECRET_KEY)

    assert with_token(text(60)).get("/api/v1/runs").status_code == 200
    assert with_token(text(-1)).get("/api/v1/runs").status_code == 401
    short = text(2)
    assert with_token(short).get("/api/v1/runs").status_code == 200
    caller = known_callers.find(short)
    assert caller is not None
    assert caller.is_live()
    assert caller.expires_at is not None
    assert caller.expires_at <= utc_now() + timedelta(seconds=2)


def test_a_token_makes_no_token(acme: Customer, api: Api) -> None:
    refused = with_token(token_of(api(acme), "runs:read")).post("/api/v1/tokens", {"scopes": ["runs:read"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "TOKEN_MAKES_NONE")


def test_one_that_lives_longer_than_any_may_is_refused_whoever_signed_it(
    acme: Customer, api: Api, settings: Any
) -> None:
    with tenant_scope(acme.tenant.id):
        public_id = ApiKey.objects.get().public_id

    def asked(**lives: float) -> int:
        facts = tokens.TokenFacts(public_id, ("runs:read",), utc_now() + timedelta(**lives))
        return with_token(tokens.write_token(facts, master=settings.SECRET_KEY)).get("/api/v1/runs").status_code

    assert asked(seconds=tokens.MAX_SECONDS) == 200
    assert [asked(seconds=tokens.MAX_SECONDS + 120), asked(hours=1), asked(days=3_650)] == [401] * 3


def forged(token: str, settings: Any) -> list[str]:
    payload, _, signature = token.removeprefix(tokens.PREFIX).partition(".")
    public_id, _, expires, member_id = orjson.loads(base64.urlsafe_b64decode(payload + "=="))
    said = orjson.dumps([public_id, ["segments:read"], expires, member_id])
    wider = base64.urlsafe_b64encode(said).decode().rstrip("=")
    facts = tokens.TokenFacts(public_id, ("segments:read",), utc_now() + timedelta(seconds=60))
    nobody = tokens.TokenFacts("0" * 16, ("segments:read",), utc_now() + timedelta(seconds=60))
    return [
        f"{tokens.PREFIX}{wider}.{signature}",
        f"{tokens.PREFIX}{wider}.",
        f"{tokens.PREFIX}{payload}",
        f"{tokens.PREFIX}.",
        token[:-4] + "AAAA",
        token + "=",
        token[:-1] + chr(ord(token[-1]) + 1),  # two bits that say nothing
        token + "A" * 2_000,
        tokens.write_token(facts, master="another secret"),
        tokens.write_token(nobody, master=settings.SECRET_KEY),
        f"{tokens.PREFIX}\u00e9.\u00e9",
    ]


def test_whatever_we_did_not_sign_is_refused(acme: Customer, api: Api, settings: Any) -> None:
    token = token_of(api(acme), "runs:read")
    assert with_token(token).get("/api/v1/runs").status_code == 200
    for text in forged(token, settings):
        answer = with_token(text).get("/api/v1/segments")
        assert (answer.status_code, answer.json().get("code")) == (401, "KEY_REFUSED"), text


@pytest.mark.parametrize(
    "wrong", [{}, {"scopes": []}, {"scopes": "runs:read"}, {"scopes": ["runs:read"], "expires_in": 901}]
)
def test_a_wish_that_cannot_be_is_refused(acme: Customer, api: Api, wrong: dict[str, Any]) -> None:
    assert token_of(api(acme), "runs:read", expires_in=900)
    assert api(acme).post("/api/v1/tokens", wrong).status_code == 422


def test_the_audit_tells_who_made_it_and_what_it_may_not_the_token(acme: Customer, api: Api) -> None:
    token = token_of(api(acme), "runs:read")
    with_token(token).get("/api/v1/runs")
    with tenant_scope(acme.tenant.id):
        entry = Entry.objects.get(action="token.created")
        assert entry.actor == f"key:{ApiKey.objects.get().public_id}"
    assert entry.after["scopes"] == ["runs:read"]
    assert token[8:] not in str(entry.after)


def test_a_ticket_of_a_token_ends_its_stream_with_the_token(acme: Customer, api: Api) -> None:
    caller = find_caller(key_text=token_of(api(acme), "runs:read", expires_in=60))
    found = use_ticket(text=issue_ticket(caller=caller).text)
    assert found.expires_at == caller.expires_at
    assert found.is_live()
    own = use_ticket(text=issue_ticket(caller=find_caller(key_text=acme.key)).text)
    assert own.expires_at is None
