"""A revoked key is refused for good; the last one that may manage keys goes only when that is said."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from tenants.models import ApiKey
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.api_clients import key_client, session_client
from tests.support.process_ends import eventually
from tests.support.server import ServerProcess
from tests.support.tasks import make_member

Api = Callable[[Customer], APIClient]
KEYS = "/api/v1/keys"


def own_id(client: APIClient) -> str:
    return str(client.get("/api/v1/me").json()["key"]["id"])


def test_a_revoked_key_is_refused_and_stays_readable(acme: Customer, api: Api) -> None:
    client = api(acme)
    made = client.post(KEYS, {"name": "n8n", "scopes": ["runs:read"]}).json()
    used = key_client(made["secret"])
    assert used.get("/api/v1/runs").status_code == 200
    answers = [client.delete(f"{KEYS}/{made['id']}") for _ in range(2)]
    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(200, "revoked")] * 2
    assert answers[0].json()["revoked_at"] == answers[1].json()["revoked_at"]
    assert used.get("/api/v1/runs").status_code == 401
    assert client.get(f"{KEYS}/{made['id']}").json()["state"] == "revoked"
    with tenant_scope(acme.tenant.id):
        entry = Entry.objects.get(action="api_key.revoked")
    assert (entry.object_id, entry.after) == (made["id"], None)


def test_the_last_key_that_may_manage_keys_is_kept_unless_that_is_said(acme: Customer, api: Api) -> None:
    client = api(acme)
    last = own_id(client)
    client.post(KEYS, {"name": "no manager", "scopes": ["keys:read", "runs:read"]})
    refused = client.delete(f"{KEYS}/{last}")
    assert (refused.status_code, refused.json()["code"]) == (409, "LAST_ADMIN_KEY")
    assert "allow_last=true" in refused.json()["detail"]
    assert client.get("/api/v1/me").status_code == 200
    answer = client.delete(f"{KEYS}/{last}?allow_last=true")
    assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
    assert client.get("/api/v1/me").status_code == 401
    with tenant_scope(acme.tenant.id):
        assert Entry.objects.get(action="api_key.revoked").after == {"was_last_admin_key": True}
    admin = session_client(make_member(acme.tenant, "ada", role="admin"))
    assert admin.post(KEYS, {"name": "again", "scopes": ["keys:write"]}).status_code == 201, "an admin is a way back"


@pytest.mark.parametrize("gone", ["revoked_at", "expires_at"])
def test_of_two_that_may_manage_keys_either_goes_and_then_not_the_other(acme: Customer, api: Api, gone: str) -> None:
    client = api(acme)
    second = create_api_key(tenant=acme.tenant, name="second").api_key
    with tenant_scope(acme.tenant.id):
        ApiKey.objects.filter(id=second.id).update(**{gone: utc_now()})
    assert client.delete(f"{KEYS}/{own_id(client)}").status_code == 409, "one that has ended manages nothing"
    create_api_key(tenant=acme.tenant, name="third")
    assert client.delete(f"{KEYS}/{own_id(client)}").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_an_ended_secret_is_refused_by_another_process_within_seconds(
    acme: Customer, api: Api, server: ServerProcess
) -> None:
    made = api(acme).post(KEYS, {"name": "n8n", "scopes": ["runs:read"]}).json()
    new = api(acme).post(f"{KEYS}/{made['id']}/rotate").json()
    with server.caller(made["secret"]) as old, server.caller(new["secret"]) as young:
        assert old.get("/api/v1/runs").status_code == young.get("/api/v1/runs").status_code == 200
        api(acme).post(f"{KEYS}/{made['id']}/end-old-secret")
        # It goes on asking all the while: being used does not keep a secret alive.
        assert eventually(lambda: old.get("/api/v1/runs").status_code == 401, seconds=60)
        assert young.get("/api/v1/runs").status_code == 200
        api(acme).delete(f"{KEYS}/{made['id']}")
        assert eventually(lambda: young.get("/api/v1/runs").status_code == 401, seconds=60)
