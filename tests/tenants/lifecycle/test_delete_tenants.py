"""A deleted tenant leaves no row anywhere but in the audit, and no other tenant is changed by it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from psycopg import sql
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.models import Run, RunStatus
from tenants.lifecycle import removal
from tenants.lifecycle.deletion import confirm_deletion, request_deletion, withdraw_deletion
from tenants.lifecycle.exports import request_export, write_exports
from tenants.lifecycle.removal import advance_removals
from tenants.models import Membership, Tenant, User
from tests.conftest import Customer
from tests.support.audit_entries import shown
from tests.support.console import a_run, a_world, an_event
from tests.support.definitions import steps_in_a_row
from tests.support.engine import get_run, queue_run, queue_runs, wait_for
from tests.support.host import running_host
from tests.support.segments import segment, step

Api = Callable[[Customer], APIClient]
LATER = segment(step("later", "wait", mode="delay", seconds=3600))
Rows = dict[str, list[str]]
AUDIT = {"audit_entry", "audit_personalvalue", "audit_unsealedentry"}


def request(tenant: Tenant) -> None:
    request_deletion(tenant_id=tenant.id, reason="They left.", actor="user:1")


def confirm(tenant: Tenant) -> None:
    confirm_deletion(tenant_id=tenant.id, actor="user:1")


def later(seconds: float = 11) -> None:
    """Have time go by for every removal under way."""
    with unscoped("time goes by"):
        for tenant in Tenant.objects.exclude(removal_stage_at=None):
            tenant.removal_stage_at -= timedelta(seconds=seconds)
            tenant.save(update_fields=["removal_stage_at"])


def remove(tenant: Tenant) -> None:
    """Take a removal to its end, without a host: nobody else ends its runs or gives them back."""
    request(tenant)
    confirm(tenant)
    for _ in range(4):
        advance_removals()
        later(seconds=601)
    assert not exists(tenant)


def exists(tenant: Tenant) -> bool:
    with unscoped("tests look at everything"):
        return Tenant.objects.filter(id=tenant.id).exists()


def stage(tenant: Tenant) -> str:
    with unscoped("tests look at everything"):
        return Tenant.objects.get(id=tenant.id).removal_stage


def all_tables() -> Rows:
    """Every row of every table, as text."""
    with unscoped("tests look at everything"), connection.cursor() as cursor:
        cursor.execute("reset role")
        cursor.execute("select table_name from information_schema.tables where table_schema = 'public' order by 1")
        names = [name for (name,) in cursor.fetchall()]
        rows: Rows = {}
        for name in names:
            cursor.execute(sql.SQL("select t::text from {} t order by 1").format(sql.Identifier(name)))
            rows[name] = [row for (row,) in cursor.fetchall()]
        return rows


def entries(action: str) -> list[Entry]:
    with unscoped("tests look at everything"):
        return list(Entry.objects.filter(action=action).order_by("id"))


@pytest.mark.django_db(transaction=True)
def test_nothing_of_it_is_left_but_the_audit_and_nobody_else_is_changed(globex: Customer) -> None:
    a_world(globex.tenant, name="greet-globex")
    before = all_tables()
    from tests.conftest import make_customer  # noqa: PLC0415 - made behind the first look

    acme = make_customer("acme", "Acme")
    world = a_world(acme.tenant)
    over = a_run(world.revision, status=RunStatus.COMPLETED, ended_at=utc_now())
    an_event(over, type_="segment.started", payload={})
    request_export(tenant=acme.tenant, actor="user:1")
    write_exports()
    with_acme = all_tables()
    assert sum(len(with_acme[name]) > len(before[name]) for name in before) > 20, "it has rows nearly everywhere"
    remove(acme.tenant)
    after = all_tables()
    assert {name for name in after if after[name] != before[name]} - {"runs_worker"} == AUDIT
    assert set(with_acme["audit_entry"]) < set(after["audit_entry"]), "what it did stays"
    with connection.cursor() as cursor:
        cursor.execute("select table_name from information_schema.columns where column_name = 'tenant_id'")
        of_tenants = {name for (name,) in cursor.fetchall()}
    assert len(of_tenants) > 25
    ids = (str(acme.tenant.id), str(world.run.id))
    assert not [row for name in after if name not in AUDIT for row in after[name] if any(one in row for one in ids)]


@pytest.mark.django_db(transaction=True)
def test_a_removal_that_is_killed_at_each_of_its_steps_goes_on(
    acme: Customer, globex: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_world(acme.tenant)
    a_world(globex.tenant, name="greet-globex")
    queue_runs(acme.tenant, segment(step("only", "transform", expression="input")), 5)
    others = [row for row in all_tables()["runs_run"] if str(globex.tenant.id) in row]
    monkeypatch.setattr(removal, "BATCH_ROWS", 1)
    monkeypatch.setattr("runs.lifecycle.removal.BATCH_RUNS", 2)
    request(acme.tenant)
    confirm(acme.tenant)
    real, calls, left = removal.remove_rows, [], []

    def dies_at_every_third(*args: Any) -> int:
        calls.append(real(*args))
        if len(calls) % 3 == 0:
            raise KeyboardInterrupt
        return calls[-1]

    monkeypatch.setattr(removal, "remove_rows", dies_at_every_third)
    while exists(acme.tenant):
        try:
            advance_removals()
        except KeyboardInterrupt:
            left.append(sum(len(rows) for name, rows in all_tables().items() if name != "audit_entry"))
        later(seconds=601)
        assert len(left) < 100
    assert len(left) > 8, "it was killed that often"
    assert left == sorted(left, reverse=True), "what was removed stays removed"
    assert [row for row in all_tables()["runs_run"] if str(globex.tenant.id) in row] == others
    assert len(entries("tenant.deleted")) == 1


@pytest.mark.django_db(transaction=True)
def test_live_runs_are_cancelled_first_and_only_then_is_it_closed(acme: Customer, globex: Customer, api: Api) -> None:
    with running_host():
        live, other = queue_run(acme.tenant, LATER), queue_run(globex.tenant, LATER)
        for run_id in (live, other):
            wait_for(lambda run_id=run_id: get_run(run_id).status == "waiting")
        request(acme.tenant)
        advance_removals()
        assert stage(acme.tenant) == "", "its grace period is not over"
        confirm(acme.tenant)
        advance_removals()
        assert stage(acme.tenant) == "cancelling"
        assert api(acme).get(f"/api/v1/runs/{live}").status_code == 200, "not closed yet"
        wait_for(lambda: get_run(live).status == "cancelled")
        advance_removals()
        assert stage(acme.tenant) == "closing"
        assert api(acme).get(f"/api/v1/runs/{live}").status_code == 401
        later()
        wait_for(lambda: advance_removals() > 0 or not exists(acme.tenant))
        assert not exists(acme.tenant)
        assert get_run(other).status == "waiting"


def test_runs_that_no_host_has_ended_in_time_are_told_of(acme: Customer, globex: Customer) -> None:
    run_id = queue_run(acme.tenant, LATER)
    queue_run(globex.tenant, LATER)
    remove(acme.tenant)
    (entry,) = entries("run.ended")
    assert (entry.object_id, entry.tenant_id, entry.outcome) == (str(run_id), acme.tenant.id, "removed")
    assert entry.after == {"status": "removed", "last_seq": 0, "journal": ""}


def test_until_it_is_due_it_starts_nothing_reads_and_can_be_kept(acme: Customer, api: Api, settings: Any) -> None:
    settings.DELETION_GRACE_DAYS = 7
    body = {"segment": steps_in_a_row("input")}
    assert api(acme).post("/api/v1/runs", body).status_code == 202
    request(acme.tenant)
    refused = api(acme).post("/api/v1/runs", body)
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (
        409, "TENANT_SUSPENDED", "to_be_deleted",
    )  # fmt: skip
    assert api(acme).get("/api/v1/me").json()["tenant"]["state"] == "to_be_deleted"
    assert api(acme).post("/api/v1/tenant/export").status_code == 202
    assert advance_removals() == 0
    assert stage(acme.tenant) == ""
    withdraw_deletion(tenant_id=acme.tenant.id, actor="user:1")
    assert api(acme).post("/api/v1/runs", body).status_code == 202
    request(acme.tenant)
    with unscoped("seven days go by"):
        Tenant.objects.filter(id=acme.tenant.id).update(deletion_due_at=utc_now())
    advance_removals()
    assert stage(acme.tenant) == "cancelling", "time confirms it as well"


def test_the_command_wants_two_acts_and_the_installation_s_log_tells_of_each(acme: Customer) -> None:
    with pytest.raises(CommandError, match="Nobody has asked"):
        call_command("delete_tenant", "acme", now=True)
    with pytest.raises(CommandError, match="Nobody has asked"):
        call_command("delete_tenant", "acme", withdraw=True)
    call_command("delete_tenant", "acme", reason="They left.")
    call_command("delete_tenant", "acme", now=True)
    advance_removals()
    with pytest.raises(CommandError, match="has begun"):
        call_command("delete_tenant", "acme", withdraw=True)
    for _ in range(3):
        later(seconds=601)
        advance_removals()
    told = ["deletion_requested", "deletion_confirmed", "removal", "removal", "removal", "deleted"]
    with unscoped("tests look at everything"):
        found = list(Entry.objects.filter(tenant=None, object_id=str(acme.tenant.id)).order_by("id"))
    assert [entry.action for entry in found] == [f"tenant.{word}" for word in told]
    assert {entry.after["slug"] for entry in found} == {"acme"}
    assert shown(found[0], found[0].after)["reason"] == "They left."
    assert found[4].after["rows"]["tenants.ApiKey"] == 1


def test_its_people_go_but_those_of_other_tenants_and_operators_stay(acme: Customer, globex: Customer) -> None:
    with unscoped("rows for a test"):
        people = {
            name: User.objects.create(username=name, is_staff=name == "staff") for name in ("own", "both", "staff")
        }
        for user in people.values():
            Membership.objects.create(tenant=acme.tenant, user=user)
        Membership.objects.create(tenant=globex.tenant, user=people["both"])
    remove(acme.tenant)
    assert set(User.objects.values_list("username", flat=True)) == {"both", "staff"}


def test_what_redis_has_of_it_is_forgotten(acme: Customer, globex: Customer, settings: Any) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    keys = [f"llmteam:test:{{{one.tenant.id}}}:x" for one in (acme, globex)]
    for key in keys:
        client.set(key, 1)
    remove(acme.tenant)
    assert [client.exists(key) for key in keys] == [0, 1]
    client.delete(*keys)


def test_the_console_still_shows_the_entries_of_a_tenant_that_is_gone(
    client: Client, acme: Customer, globex: Customer
) -> None:
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    remove(acme.tenant)
    with unscoped("tests look at everything"):
        entry = Entry.objects.filter(tenant_id=acme.tenant.id).first()
        assert entry is not None
    page = client.get(reverse("admin:audit_entry_changelist"))
    assert page.status_code == 200
    assert "tenant.deleted" in page.text
    assert client.get(reverse("admin:audit_entry_change", args=[entry.id])).status_code == 200


def test_the_console_wants_the_short_name_of_one(client: Client, acme: Customer, globex: Customer) -> None:
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    request(acme.tenant)
    form = {"action": "confirm_deletions", "_selected_action": [str(acme.tenant.id)], "confirmed": "1"}
    for name in ("", "globex", "ACME"):
        assert client.post(reverse("admin:tenants_tenant_changelist"), {**form, "short_name": name}).status_code == 200
        assert not entries("tenant.deletion_confirmed")
    assert client.post(reverse("admin:tenants_tenant_changelist"), {**form, "short_name": "acme"}).status_code == 302
    assert len(entries("tenant.deletion_confirmed")) == 1
    with unscoped("tests look at everything"):
        assert not Run.objects.exists()
