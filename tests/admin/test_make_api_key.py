"""An API key made in the console: its secret is seen once, and never again anywhere."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.errors import KeyRefused
from tenants.models import ApiKey
from tenants.selectors import find_caller
from tenants.services import create_api_key
from tests.conftest import Customer

ADD = "/admin/tenants/apikey/add/"


def asked(customer: Customer, **fields: object) -> dict[str, object]:
    return {"tenant": str(customer.tenant.pk), "name": "n8n", "scopes": ["runs:read", "runs:write"], **fields}


def test_the_key_is_shown_and_works(console: Client, acme: Customer) -> None:
    answer = console.post(ADD, asked(acme))
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    text = answer.context["key_text"]
    assert text in answer.text
    caller = find_caller(key_text=text)
    assert caller.tenant == acme.tenant
    assert caller.api_key.name == "n8n"
    assert caller.api_key.scopes == ["runs:read", "runs:write"]


def test_the_secret_is_never_shown_again_nor_kept(console: Client, acme: Customer) -> None:
    answer = console.post(ADD, asked(acme))
    text = answer.context["key_text"]
    secret = text.split("_")[2]
    with unscoped("looking at what was written"):
        key = ApiKey.objects.get(name="n8n")
        assert secret not in str(list(ApiKey.objects.values()))
        assert secret not in str(list(Entry.objects.values()))
        assert secret not in str(list(LogEntry.objects.values()))
    assert secret not in str(answer.cookies) + str(dict(console.session))
    shown = [
        reverse("admin:tenants_apikey_change", args=[key.pk]),
        reverse("admin:tenants_apikey_history", args=[key.pk]),
        reverse("admin:tenants_apikey_changelist"),
        reverse("admin:index"),
    ]
    for address in shown:
        page = console.get(address)
        assert page.status_code == 200
        assert secret not in page.text
        assert key.secret_hash.hex() not in page.text


def test_a_key_cannot_be_edited(console: Client, acme: Customer) -> None:
    console.post(ADD, asked(acme))
    with unscoped("looking at what was written"):
        key = ApiKey.objects.get(name="n8n")
    address = reverse("admin:tenants_apikey_change", args=[key.pk])
    assert console.post(address, asked(acme, name="mine", secret_hash="00", public_id="mine")).status_code == 403
    with unscoped("looking at what was written"):
        same = ApiKey.objects.get(pk=key.pk)
    assert (same.name, same.public_id, same.secret_hash) == (key.name, key.public_id, key.secret_hash)


def test_the_audit_tells_of_it_in_the_tenant_s_history(console: Client, acme: Customer) -> None:
    console.post(ADD, asked(acme))
    with unscoped("looking at what was written"):
        entry = Entry.objects.get(action="api_key.created", actor__startswith="user:")
        made = ApiKey.objects.get(name="n8n")
    assert entry.tenant_id == acme.tenant.pk
    assert entry.after == {"name": "n8n", "scopes": ["runs:read", "runs:write"], "public_id": made.public_id}


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"tenant": ""},
        {"name": ""},
        {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
    ],
    ids=["no scope", "unknown scope", "no tenant", "no name", "over already"],
)
def test_what_is_wrong_is_said_and_nothing_is_made(console: Client, acme: Customer, wrong: dict[str, object]) -> None:
    answer = console.post(ADD, asked(acme, **wrong))
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    with unscoped("looking at what was written"):
        assert not ApiKey.objects.filter(name="n8n").exists()


def test_an_expiry_is_kept(console: Client, acme: Customer) -> None:
    answer = console.post(ADD, asked(acme, expires_at_0="2099-12-31", expires_at_1="12:00"))
    assert (
        find_caller(key_text=answer.context["key_text"]).api_key.expires_at.isoformat() == "2099-12-31T12:00:00+00:00"
    )


def test_the_list_tells_live_expired_and_revoked_keys_apart(console: Client, acme: Customer) -> None:
    with unscoped("rows for a test"):
        live = ApiKey.objects.get()
        for name, field in [("old", "expires_at"), ("gone", "revoked_at")]:
            key = create_api_key(tenant=acme.tenant, name=name).api_key
            ApiKey.objects.filter(pk=key.pk).update(**{field: utc_now()})
        rows = {key.name: admin.site._registry[ApiKey].state(key) for key in ApiKey.objects.all()}  # type: ignore[attr-defined]  # ours has it
    assert rows == {live.name: "live", "old": "expired", "gone": "revoked"}


def test_a_revoked_key_is_refused_at_once(console: Client, acme: Customer) -> None:
    text = console.post(ADD, asked(acme)).context["key_text"]
    key = find_caller(key_text=text).api_key
    confirmed = {"action": "revoke_keys", "_selected_action": [str(key.pk)], "confirmed": "1"}
    console.post(reverse("admin:tenants_apikey_changelist"), confirmed)
    with pytest.raises(KeyRefused):
        find_caller(key_text=text)
