"""`manage.py demo_tenants`: two tenants, an administrator, and the file that says how to sign in."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from foundation.scope import unscoped
from tenants.errors import KeyRefused
from tenants.models import ApiKey, Identity, Membership, Tenant, User
from tenants.selectors import find_caller
from tenants.services import revoke_api_key
from tenants.types import SCOPES

pytestmark = pytest.mark.django_db


def make(output: Path, *, base_url: str = "http://127.0.0.1:8000", **more: str) -> dict[str, Any]:
    call_command("demo_tenants", base_url=base_url, output=output, **more)
    access: dict[str, Any] = json.loads(output.read_text())
    return access


def live_keys(slug: str) -> int:
    with unscoped("looking at what was written"):
        return ApiKey.objects.filter(tenant__slug=slug, revoked_at__isnull=True).count()


def test_the_file_opens_every_door(tmp_path: Path, client: Client) -> None:
    access = make(tmp_path / "deep" / "demo.json")
    assert list(access) == [
        *("base_url", "tenant", "api_key", "second_tenant", "second_api_key", "reviewer", "people", "admin"),
    ]
    with unscoped("looking at what was written"):
        for person in access["people"]:
            member = Membership.objects.get(user__email=person["email"], tenant__slug=person["tenant"])
            assert (member.role, member.groups) == (person["role"], person["groups"])
            assert not member.user.has_usable_password()
    assert access["reviewer"]["email"] == access["people"][0]["email"]
    assert access["base_url"] == "http://127.0.0.1:8000"
    for tenant, key in [("tenant", "api_key"), ("second_tenant", "second_api_key")]:
        caller = find_caller(key_text=access[key])
        assert caller.tenant.slug == access[tenant]
        assert set(caller.scopes) == set(SCOPES)
    assert {access["tenant"], access["second_tenant"]} == {"acme", "globex"}
    assert client.login(**access["admin"])
    assert client.get("/admin/").status_code == 200


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    output = tmp_path / "demo.json"
    output.write_text("{}")
    output.chmod(0o644)
    make(output)
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [output]


def test_repeating_keeps_what_works(tmp_path: Path) -> None:
    first = make(tmp_path / "demo.json")
    again = make(tmp_path / "demo.json", base_url="http://127.0.0.1:9000")
    assert again == {**first, "base_url": "http://127.0.0.1:9000"}
    assert (live_keys("acme"), live_keys("globex")) == (1, 1)
    assert Tenant.objects.count() == 2
    assert User.objects.filter(is_staff=True).count() == 1


@pytest.mark.parametrize("left", [None, "", "[]", "no json", '{"api_key": 7, "admin": "x"}'])
def test_a_lost_or_broken_file_is_made_anew_and_keys_do_not_pile_up(tmp_path: Path, left: str | None) -> None:
    output = tmp_path / "demo.json"
    first = make(output)
    if left is None:
        output.unlink()
    else:
        output.write_text(left)
    again = make(output)
    with pytest.raises(KeyRefused):
        find_caller(key_text=first["api_key"])
    assert find_caller(key_text=again["api_key"]).tenant.slug == "acme"
    assert (live_keys("acme"), live_keys("globex")) == (1, 1)
    assert User.objects.get(username="admin").check_password(again["admin"]["password"])


def test_a_revoked_key_and_a_changed_password_are_replaced(tmp_path: Path) -> None:
    output = tmp_path / "demo.json"
    first = make(output)
    caller = find_caller(key_text=first["api_key"])
    revoke_api_key(tenant=caller.tenant, api_key_id=caller.api_key.id)
    admin = User.objects.get(username="admin")
    admin.set_password("something else entirely")
    admin.save()
    again = make(output)
    assert find_caller(key_text=again["api_key"]).tenant == caller.tenant
    assert again["second_api_key"] == first["second_api_key"]
    admin.refresh_from_db()
    assert admin.check_password(again["admin"]["password"])


def test_two_files_do_not_take_each_other_s_keys(tmp_path: Path) -> None:
    one, other = make(tmp_path / "one.json"), make(tmp_path / "other.json")
    assert one["api_key"] != other["api_key"]
    assert make(tmp_path / "one.json")["api_key"] == one["api_key"]
    assert make(tmp_path / "other.json")["api_key"] == other["api_key"]


def test_accounts_of_the_sign_in_for_development_move_to_where_it_listens_now(tmp_path: Path) -> None:
    here = "http://127.0.0.1:{}/development"
    make(tmp_path / "demo.json", development_issuer=here.format(4001))
    rita = User.objects.get(email="rita@acme.example")
    for issuer in (here.format(4001), "http://127.0.0.1:4001/realm", "https://login.example/development"):
        Identity.objects.create(user=rita, issuer=issuer, subject="rita@acme.example")
    make(tmp_path / "demo.json", development_issuer=here.format(4002))
    known = [*Identity.objects.order_by("issuer").values_list("issuer", flat=True)]
    assert known == ["http://127.0.0.1:4001/realm", here.format(4002), "https://login.example/development"]
    make(tmp_path / "demo.json")
    assert [*Identity.objects.order_by("issuer").values_list("issuer", flat=True)] == known


def test_outside_of_development_it_is_refused_and_nothing_is_made(tmp_path: Path, settings: Settings) -> None:
    make(tmp_path / "allowed.json")
    made = Tenant.objects.count()
    settings.DEVELOPMENT = False
    with pytest.raises(CommandError, match="LLMTEAM_DEVELOPMENT=1"):
        make(tmp_path / "refused.json")
    assert not (tmp_path / "refused.json").exists()
    assert Tenant.objects.count() == made
