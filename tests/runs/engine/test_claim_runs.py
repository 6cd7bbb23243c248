import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.engine.errors import HostLost
from runs.models import Run, Worker
from tenants.models import Tenant
from tests.support.engine import (
    get_run,
    make_revision,
    make_tenant,
    queue_run,
    queue_runs,
    send_cancel,
    set_limits,
    wait_for,
    wait_until_over,
)
from tests.support.host import running_host
from tests.support.journals import claim, register_host
from tests.support.segments import segment, step

DOCUMENT = segment(step("one"))


def claim_ids(worker_id: UUID, *, room: int = 100) -> list[UUID]:
    return [claimed.run_id for claimed in claim(worker_id, room=room)]


def tenants_of(run_ids: list[UUID]) -> list[UUID]:
    with unscoped("tests look everywhere"):
        owners = dict(Run.objects.values_list("id", "tenant_id"))
    return [owners[run_id] for run_id in run_ids]


def test_a_claim_owns_the_run_under_a_new_epoch(acme: Tenant) -> None:
    run_id = queue_run(acme, DOCUMENT, timeout_seconds=50)
    worker_id = register_host()
    (claimed,) = claim(worker_id)
    with unscoped("tests look everywhere"):
        run = Run.objects.get(id=run_id)
    assert (claimed.run_id, claimed.epoch, run.epoch, run.owner) == (run_id, 1, 1, worker_id)
    assert (run.status, run.wake_at) == ("running", None)
    assert run.started_at is not None
    assert run.deadline_at is not None
    assert run.deadline_at - run.started_at == timedelta(seconds=50)
    assert claim_ids(worker_id) == []


def test_nothing_is_claimed_before_its_time(acme: Tenant) -> None:
    later = queue_run(acme, DOCUMENT, wake_at=utc_now() + timedelta(seconds=60))
    now = queue_run(acme, DOCUMENT)
    assert claim_ids(register_host()) == [now]
    assert later != now


def test_parked_runs_that_woke_and_queued_ones_go_by_priority_and_age_together(acme: Tenant) -> None:
    woken = {"status": "waiting", "wake_at": utc_now() - timedelta(seconds=1)}
    old = queue_run(acme, DOCUMENT, **woken)
    queued = queue_run(acme, DOCUMENT)
    young = queue_run(acme, DOCUMENT, **woken)
    urgent = queue_run(acme, DOCUMENT, priority=5, **woken)
    queue_run(acme, DOCUMENT, status="waiting", wake_at=utc_now() + timedelta(seconds=60))
    worker_id = register_host()
    assert [claim_ids(worker_id, room=1) for _ in range(5)] == [[urgent], [old], [queued], [young], []]


def test_parked_runs_count_against_the_cap_once_they_woke(acme: Tenant) -> None:
    set_limits(acme, concurrent_runs=3)
    queue_runs(acme, DOCUMENT, 2)
    queue_runs(acme, DOCUMENT, 5, status="waiting", wake_at=utc_now() - timedelta(seconds=1))
    worker_id = register_host()
    assert sum(len(claim_ids(worker_id)) for _ in range(3)) == 3


def test_priority_comes_before_age(acme: Tenant) -> None:
    old, young, urgent = queue_run(acme, DOCUMENT), queue_run(acme, DOCUMENT), queue_run(acme, DOCUMENT, priority=5)
    worker_id = register_host()
    assert [claim_ids(worker_id, room=1) for _ in range(3)] == [[urgent], [old], [young]]


def test_tenants_take_turns_however_long_their_queues_are(acme: Tenant, globex: Tenant) -> None:
    queue_runs(acme, DOCUMENT, 50)
    queue_runs(globex, DOCUMENT, 5)
    worker_id = register_host()
    first = tenants_of(claim_ids(worker_id, room=6))
    assert (first.count(acme.id), first.count(globex.id)) == (3, 3)
    second = tenants_of(claim_ids(worker_id, room=6))
    assert second.count(globex.id) == 2
    assert second.count(acme.id) >= 3


def test_nobody_gets_above_its_cap(acme: Tenant, globex: Tenant) -> None:
    set_limits(acme, concurrent_runs=3)
    queue_runs(acme, DOCUMENT, 10)
    queue_runs(globex, DOCUMENT, 10)
    worker_id = register_host()
    claimed = [run_id for _ in range(5) for run_id in claim_ids(worker_id)]
    owners = tenants_of(claimed)
    assert (owners.count(acme.id), owners.count(globex.id)) == (3, 10)


def test_a_command_ignores_the_cap_and_the_room(acme: Tenant) -> None:
    set_limits(acme, concurrent_runs=1)
    run_ids = queue_runs(acme, DOCUMENT, 3)
    worker_id = register_host()
    assert claim_ids(worker_id) == [run_ids[0]]
    send_cancel(run_ids[2])
    assert claim_ids(worker_id, room=0) == [run_ids[2]]


def test_hosts_that_claim_at_once_share_the_runs_and_keep_the_cap(acme: Tenant, globex: Tenant) -> None:
    set_limits(acme, concurrent_runs=37)
    queue_runs(acme, DOCUMENT, 100)
    queue_runs(globex, DOCUMENT, 100)
    worker_ids = [register_host(), register_host(), register_host()]

    def scramble(worker_id: UUID) -> list[UUID]:
        got: list[UUID] = []
        for _ in range(40):
            got += [claimed.run_id for claimed in claim(worker_id, room=7)]
        return got

    with ThreadPoolExecutor(3) as threads:
        shares = list(threads.map(scramble, worker_ids))
    assert sum(bool(share) for share in shares) >= 2, "there was no race"
    everything = [run_id for share in shares for run_id in share]
    assert len(everything) == len(set(everything)), "a run was claimed twice"
    owners = tenants_of(everything)
    assert (owners.count(acme.id), owners.count(globex.id)) == (37, 100)


def test_a_host_whose_lease_is_over_claims_nothing(acme: Tenant) -> None:
    queue_runs(acme, DOCUMENT, 2)
    worker_id = register_host()
    assert len(claim_ids(worker_id, room=1)) == 1
    Worker.objects.filter(id=worker_id).update(lease_until=utc_now() - timedelta(seconds=1))
    with pytest.raises(HostLost):
        claim_ids(worker_id)
    Worker.objects.filter(id=worker_id).delete()
    with pytest.raises(HostLost):
        claim_ids(worker_id)


def test_a_run_with_many_losses_is_claimed_alone(acme: Tenant) -> None:
    suspects = queue_runs(acme, DOCUMENT, 2, losses=3)
    plain = queue_run(acme, DOCUMENT, losses=2)
    worker_id = register_host()
    assert claim_ids(worker_id) == [plain]
    alone = claim(worker_id, suspects=True)
    assert [claimed.run_id for claimed in alone] == suspects[:1]


def test_a_run_with_many_losses_needs_no_slot_of_a_tenant_that_may_run_something(acme: Tenant) -> None:
    set_limits(acme, concurrent_runs=1)
    plain, another = queue_runs(acme, DOCUMENT, 2)
    suspect = queue_run(acme, DOCUMENT, losses=3)
    worker_id = register_host()
    assert claim_ids(worker_id) == [plain]
    assert claim_ids(worker_id) == [], "the only slot is taken"
    set_limits(acme, concurrent_runs=0)
    assert claim(worker_id, suspects=True) == []
    set_limits(acme, concurrent_runs=1)
    assert [claimed.run_id for claimed in claim(worker_id, suspects=True)] == [suspect]
    assert get_run(another).owner is None


def test_a_freed_slot_is_taken_at_once(acme: Tenant, settings: Any) -> None:
    settings.SWEEP_SECONDS = 30
    set_limits(acme, concurrent_runs=2)
    run_ids = queue_runs(acme, segment(step("one", seconds=0.05)), 12)
    with running_host():
        assert set(wait_until_over(*run_ids, seconds=5)) == {"completed"}


def test_a_host_that_rests_between_claims_stops_at_once(acme: Tenant, settings: Any, monkeypatch: Any) -> None:
    settings.SWEEP_SECONDS = 600
    monkeypatch.setattr("runs.engine.host.host.REST", 1_000_000.0)
    monkeypatch.setattr("runs.engine.host.host.MOST_REST_SECONDS", 0.5)
    with running_host() as host:
        wait_for(lambda: host.worker_id is not None)
        for _ in range(20):
            host.poke()
            time.sleep(0.03)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_long_queue_does_not_slow_claims_down(acme: Tenant) -> None:
    others = [make_tenant(f"tenant-{n}") for n in range(20)]
    for tenant in [acme, *others]:
        set_limits(tenant, concurrent_runs=100_000)
    worker_id = register_host()

    def rate() -> float:
        queue_runs(acme, DOCUMENT, 100)
        began = time.monotonic()
        claimed = sum(len(claim_ids(worker_id, room=5)) for _ in range(20))
        assert claimed == 100
        return claimed / (time.monotonic() - began)

    rate()
    short = rate()
    for tenant in others:
        fill(tenant, queued=10_000, over=10_000)
    long = rate()
    print(f"{short:.0f} claims/s with a short queue, {long:.0f} with 400,000 rows")
    assert long > short * 0.5


def fill(tenant: Tenant, *, queued: int, over: int) -> None:
    revision = make_revision(tenant, DOCUMENT)
    with unscoped("a test fills the table"), connection.cursor() as cursor:
        for count, status in ((queued, "queued"), (over, "completed")):
            cursor.execute(
                """
                insert into runs_run (id, tenant_id, revision_id, segment_id, client_reference, metadata, semantics,
                  priority, timeout_seconds, status, waiting_for, activations, active, last_seq, journal_bytes, digest,
                  epoch, wake_at, losses, signals_pending, created_at)
                select gen_random_uuid(), %(tenant)s, %(revision)s, 's', '', '{}', 1, 0, 300, %(status)s, '[]',
                  0, 0, 0, 0, '', 0, case when %(status)s = 'queued' then now() end, 0, false, now()
                from generate_series(1, %(count)s)
                """,
                {"tenant": tenant.id, "revision": revision.id, "status": status, "count": count},
            )
