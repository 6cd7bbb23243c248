"""Bytes that tenants keep: counted as they are written, recounted, and the end of what may be started."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from foundation.scope import unscoped
from runs.lifecycle.storage_recount import recount_storage
from runs.models import BASE_SOURCE, Run, StoragePart
from tenants.models import Tenant
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.engine import queue_run, set_limits, wait_until_over
from tests.support.host import running_host
from tests.support.process_ends import eventually

Api = Callable[[Customer], APIClient]
SIZE = 1_000
INPUT = "x" * (SIZE - 2)


def start(client: APIClient, value: Any = INPUT) -> Any:
    return client.post("/api/v1/runs", {"segment": steps_in_a_row("input"), "input": value})


def told(client: APIClient) -> dict[str, Any]:
    rows = client.get("/api/v1/tenant/limits").json()["data"]
    return next(row for row in rows if row["limit"] == "storage_bytes")


def kept(tenant: Tenant) -> int:
    """What the tables hold, reckoned from each value."""
    values = (
        "select payload::text from runs_runevent where tenant_id = %(tenant)s "
        "union all select input::text from runs_run where tenant_id = %(tenant)s and input is not null"
    )
    with unscoped("reckoning"), connection.cursor() as cursor:
        cursor.execute(values, {"tenant": tenant.id})
        return sum(len(text.encode()) for (text,) in cursor.fetchall())


def parts(tenant: Tenant) -> dict[Any, int]:
    with unscoped("looking"):
        return dict(StoragePart.objects.filter(tenant=tenant).values_list("source", "bytes"))


@pytest.mark.django_db
def test_starts_end_at_the_bytes_that_may_be_kept_and_a_refusal_says_how_things_stand(
    acme: Customer, globex: Customer, api: Api
) -> None:
    client = api(acme)
    set_limits(acme.tenant, storage_bytes=3 * SIZE)
    assert [start(client).status_code for _ in range(2)] == [202, 202]
    assert (told(client)["used"], told(client)["cap"], told(client)["unit"]) == (f"{2 * SIZE}", f"{3 * SIZE}", "bytes")
    above = start(client, INPUT + "x")
    assert (above.status_code, above.json()["code"]) == (402, "LIMIT_USED_UP")
    facts = {name: above.json()[name] for name in ("limit", "used", "cap", "unit", "resets_at")}
    assert facts == {
        "limit": "storage_bytes", "used": 2 * SIZE, "cap": 3 * SIZE, "unit": "bytes", "resets_at": None,
    }  # fmt: skip
    assert "when data is deleted" in above.json()["detail"]
    assert "operator" in above.json()["raised_by"]
    assert start(client).status_code == 202, "what fits exactly"
    assert start(client, "").status_code == 402, "full is full"
    assert start(api(globex)).status_code == 202
    set_limits(acme.tenant, storage_bytes=None)
    assert start(client).status_code == 202


@pytest.mark.django_db
def test_a_replay_brings_its_input_and_what_it_copies(acme: Customer, api: Api) -> None:
    client = api(acme)
    run_id = start(client).json()["run_id"]
    set_limits(acme.tenant, storage_bytes=2 * SIZE)
    assert client.post(f"/api/v1/runs/{run_id}/replay", {}).status_code == 202
    assert client.post(f"/api/v1/runs/{run_id}/replay", {}).status_code == 402


@pytest.mark.django_db
def test_what_is_removed_is_room_again_after_the_recount(acme: Customer, api: Api) -> None:
    client = api(acme)
    set_limits(acme.tenant, storage_bytes=2 * SIZE)
    assert [start(client).status_code for _ in range(3)] == [202, 202, 402]
    with unscoped("retention"):
        Run.objects.filter(tenant=acme.tenant).order_by("id").first().delete()  # type: ignore[union-attr]  # two are there
        StoragePart.objects.create(tenant=acme.tenant, source=BASE_SOURCE, bytes=SIZE)
    recount_storage()
    assert parts(acme.tenant)[BASE_SOURCE] == SIZE


@pytest.mark.django_db(transaction=True)
def test_journals_are_counted_by_their_host_and_exactly_by_the_recount(acme: Customer, globex: Customer) -> None:
    with running_host():
        ids = [queue_run(acme.tenant, steps_in_a_row("input", "input"), input=INPUT) for _ in range(5)]
        wait_until_over(*ids, seconds=60)
        with unscoped("reckoning"):
            journals = sum(Run.objects.filter(tenant=acme.tenant).values_list("journal_bytes", flat=True))
        assert eventually(lambda: sum(parts(acme.tenant).values()) == journals, seconds=10), "also while nothing runs"
        (source,) = parts(acme.tenant)
        recount_storage()
        assert parts(acme.tenant) == {BASE_SOURCE: kept(acme.tenant)}, "inputs of an earlier release are measured"
        assert sum(parts(globex.tenant).values()) == 0
        more = queue_run(acme.tenant, steps_in_a_row("input"), input=None)
        wait_until_over(more, seconds=60)
        assert eventually(lambda: sum(parts(acme.tenant).values()) == kept(acme.tenant), seconds=10)
        assert set(parts(acme.tenant)) == {BASE_SOURCE, source}, "a row for each host"
    with unscoped("a process was killed before it wrote"):
        StoragePart.objects.filter(tenant=acme.tenant, source=source).update(bytes=1)
    recount_storage()
    recount_storage()
    assert sum(parts(acme.tenant).values()) == kept(acme.tenant)
