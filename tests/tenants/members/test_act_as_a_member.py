"""A person calls by a session or a token made for them: with their role's rights, while they are an active member."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from tenants.access.known_callers import known_callers
from tenants.access.tokens import TokenFacts, write_token
from tenants.members.sessions import TENANT
from tenants.models import Membership
from tenants.selectors import find_caller
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.api_clients import session_client, token_client
from tests.support.definitions import steps_in_a_row
from tests.support.tasks import make_member

Api = Callable[[Customer], APIClient]
TASKS = ["tasks:read", "tasks:write"]


@pytest.fixture(autouse=True)
def nobody_is_known(acme: Customer) -> Any:
    yield
    known_callers.forget(acme.tenant.id)


def test_a_token_for_a_member_is_theirs(acme: Customer, api: Api) -> None:
    ann = make_member(acme.tenant, "ann", "finance")
    for ref in ("ANN@acme.example", str(ann.id)):
        me = token_client(api(acme), ref, TASKS).get("/api/v1/me").json()
        assert (me["member"]["member_id"], me["member"]["groups"], me["scopes"]) == (str(ann.id), ["finance"], TASKS)
    with tenant_scope(acme.tenant.id):
        told = Entry.objects.filter(action="token.created").first()
    assert told is not None
    assert (told.after["member_id"], told.actor[:4]) == (str(ann.id), "key:")


def test_it_may_do_no_more_than_the_role_and_only_a_key_over_the_tenant_makes_it(acme: Customer, api: Api) -> None:
    make_member(acme.tenant, "ann")
    wanted = {"scopes": ["segments:write"], "member": "ann@acme.example"}
    refused = api(acme).post("/api/v1/tokens", wanted)
    assert (refused.status_code, refused.json()["code"]) == (403, "SCOPE_MISSING")
    weak = create_api_key(tenant=acme.tenant, name="weak", scopes=TASKS).text
    client = APIClient(headers={"X-API-Key": weak})
    client.default_format = "json"
    assert client.post("/api/v1/tokens", {"scopes": TASKS}).status_code == 201, "for itself it may"
    refused = client.post("/api/v1/tokens", {"scopes": TASKS, "member": "ann@acme.example"})
    assert (refused.status_code, refused.json()["scope"]) == (403, "tenant:write")


def test_nobody_acts_for_who_is_no_active_member(acme: Customer, globex: Customer, api: Api) -> None:
    ann = make_member(acme.tenant, "ann")
    make_member(globex.tenant, "gil")
    for ref in ("gil@globex.example", "nobody@acme.example"):
        answer = api(acme).post("/api/v1/tokens", {"scopes": TASKS, "member": ref})
        assert (answer.status_code, answer.json()["code"]) == (422, "MEMBER_REFUSED")
    client = token_client(api(acme), str(ann.id), TASKS)
    assert client.get("/api/v1/human-tasks").status_code == 200
    assert api(acme).post(f"/api/v1/members/{ann.id}/deactivate").status_code == 200
    assert client.get("/api/v1/human-tasks").status_code == 401
    assert api(acme).post("/api/v1/tokens", {"scopes": TASKS, "member": str(ann.id)}).status_code == 422


def test_a_changed_role_holds_at_once_for_a_token_that_was_used_a_moment_ago(acme: Customer, api: Api) -> None:
    ann = make_member(acme.tenant, "ann", role="admin")
    make_member(acme.tenant, "bob", role="admin")
    client = token_client(api(acme), str(ann.id), ["segments:read"])
    assert client.get("/api/v1/segments").status_code == 200
    assert api(acme).patch(f"/api/v1/members/{ann.id}", {"role": "reviewer"}).status_code == 200
    refused = client.get("/api/v1/segments")
    assert (refused.status_code, refused.json()["code"]) == (403, "SCOPE_MISSING")


def test_a_token_opens_its_key_s_tenant_whomever_it_names(acme: Customer, globex: Customer, settings: Any) -> None:
    ann, gil = make_member(acme.tenant, "ann"), make_member(globex.tenant, "gil")
    public_id = find_caller(key_text=acme.key).actor.removeprefix("key:")
    until = utc_now() + timedelta(minutes=1)

    def asked(member: Membership) -> int:
        facts = TokenFacts(public_id, ("tasks:read",), until, member.id)
        token = write_token(facts, master=settings.SECRET_KEY)
        return APIClient(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/human-tasks").status_code

    assert (asked(ann), asked(gil)) == (200, 401)


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("admin", "/api/v1/segments", None),
        ("reviewer", "/api/v1/human-tasks", "/api/v1/segments"),
        ("auditor", "/api/v1/members", "/api/v1/connections/x"),
    ],
)
def test_a_session_may_what_the_role_may(acme: Customer, role: str, may: str, may_not: str | None) -> None:
    client = session_client(make_member(acme.tenant, "ann", role=role))
    assert client.get("/api/v1/me").json()["member"]["role"] == role
    assert client.get(may).status_code == 200
    if may_not is not None:
        wrong = client.put(may_not, {"kind": "http"}) if "connections" in may_not else client.get(may_not)
        assert (wrong.status_code, wrong.json()["code"]) == (403, "SCOPE_MISSING")


def test_what_a_person_starts_is_theirs(acme: Customer) -> None:
    ann = make_member(acme.tenant, "ann", role="admin")
    started = session_client(ann).post("/api/v1/runs", {"segment": steps_in_a_row("input")})
    assert started.status_code == 202
    with tenant_scope(acme.tenant.id):
        assert Entry.objects.get(action="run.started").actor == f"member:{ann.id}"


def test_a_session_without_the_csrf_token_reads_only(acme: Customer) -> None:
    client = session_client(make_member(acme.tenant, "ann", role="admin"), checks_csrf=True)
    body = {"segment": steps_in_a_row("input")}
    assert client.get("/api/v1/runs").status_code == 200
    refused = client.post("/api/v1/runs", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "CSRF_MISSING")
    client.cookies["csrftoken"] = "a" * 32
    assert client.post("/api/v1/runs", body, headers={"X-CSRFToken": "a" * 32}).status_code == 202
    assert client.post("/api/v1/runs", body, headers={"X-CSRFToken": "b" * 32}).status_code == 403


def test_a_session_ends_with_the_membership_the_tenant_and_the_person(acme: Customer, api: Api) -> None:
    ann = make_member(acme.tenant, "ann")
    client = session_client(ann)
    assert client.get("/api/v1/human-tasks").status_code == 200
    api(acme).post(f"/api/v1/members/{ann.id}/deactivate")
    refused = client.get("/api/v1/human-tasks")
    assert (refused.status_code, refused.json()["code"]) == (401, "KEY_REFUSED")
    api(acme).post(f"/api/v1/members/{ann.id}/reactivate")
    assert client.get("/api/v1/human-tasks").status_code == 200
    ann.user.is_active = False
    ann.user.save()
    assert client.get("/api/v1/human-tasks").status_code == 401
    ann.user.is_active = True
    ann.user.save()
    assert client.get("/api/v1/human-tasks").status_code == 200
    acme.tenant.is_active = False
    acme.tenant.save()
    assert client.get("/api/v1/human-tasks").status_code == 401


def test_a_session_of_no_tenant_is_nobodys(acme: Customer, globex: Customer) -> None:
    ann = make_member(acme.tenant, "ann")
    client = session_client(ann)
    session = client.session
    session[TENANT] = str(globex.tenant.id)
    session.save()
    assert client.get("/api/v1/me").status_code == 401
    assert APIClient(headers={"Cookie": "sessionid=nonsense"}).get("/api/v1/me").status_code == 401


def test_each_reads_and_changes_their_own_absence(acme: Customer) -> None:
    ann, bob = make_member(acme.tenant, "ann"), make_member(acme.tenant, "bob")
    client, away = session_client(ann), {"away_from": "2026-12-24T00:00:00Z"}
    assert client.get(f"/api/v1/members/{ann.id}").status_code == 200
    assert client.put(f"/api/v1/members/{ann.id}/absence", away).status_code == 200
    for answer in (
        client.get(f"/api/v1/members/{bob.id}"),
        client.put(f"/api/v1/members/{bob.id}/absence", away),
        client.delete(f"/api/v1/members/{bob.id}/absence"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "SCOPE_MISSING")
