import random
from collections.abc import Hashable, Iterator
from uuid import UUID

import pytest

from foundation.scope import unscoped
from kernel.turns.turn_order import TurnOrder
from runs.engine.store.claims import CLAIM_LOCK, claim_runs
from runs.engine.store.connection import connect
from runs.engine.store.shares import MIN_TENANTS, ClaimingHost, MemoryRoom
from runs.models import Run
from tenants.models import LimitOverride, Tenant
from tests.support.engine import get_run, make_tenant, queue_run, queue_runs, send_cancel
from tests.support.fair_shares import Crowd, max_min
from tests.support.journals import claim, register_host
from tests.support.segments import segment, step

DOCUMENT = segment(step("one"))


def taken_by(worker_id: UUID, *, room: int) -> list[UUID]:
    """The tenants of the runs that one claim takes."""
    return [claimed.tenant_id for claimed in claim(worker_id, room=room)]


def end_all_of(tenant: Tenant, count: int) -> None:
    with unscoped("tests look everywhere"):
        ids = list(Run.objects.filter(tenant=tenant, owner__isnull=False).values_list("id", flat=True)[:count])
        Run.objects.filter(id__in=ids).update(owner=None, status="completed")


@pytest.fixture
def crowd(transactional_db: None) -> Iterator[Crowd]:
    crowd = Crowd(60, capacity=1_200)
    yield crowd
    crowd.close()


def test_room_goes_to_who_owns_least_until_all_own_as_much(acme: Tenant, globex: Tenant) -> None:
    queue_runs(acme, DOCUMENT, 20)
    worker_id = register_host()
    assert taken_by(worker_id, room=6) == [acme.id] * 6
    queue_runs(globex, DOCUMENT, 20)
    assert taken_by(worker_id, room=4) == [globex.id] * 4
    both = taken_by(worker_id, room=6)
    assert (both.count(acme.id), both.count(globex.id)) == (2, 4)


def test_what_runs_on_another_host_counts(acme: Tenant, globex: Tenant) -> None:
    queue_runs(acme, DOCUMENT, 20)
    assert taken_by(register_host(), room=5) == [acme.id] * 5
    queue_runs(globex, DOCUMENT, 20)
    assert taken_by(register_host(), room=5) == [globex.id] * 5


def test_a_weight_counts_at_the_next_claim(acme: Tenant, globex: Tenant) -> None:
    acme.weight, globex.weight = 3, 1
    acme.save()
    queue_runs(acme, DOCUMENT, 40)
    queue_runs(globex, DOCUMENT, 40)
    worker_id = register_host()
    both = taken_by(worker_id, room=8)
    assert (both.count(acme.id), both.count(globex.id)) == (6, 2)
    acme.weight = 0.5
    acme.save()
    both = taken_by(worker_id, room=10)
    assert (both.count(acme.id), both.count(globex.id)) == (0, 10)


class CountingOrder(TurnOrder):
    """Order that counts how often it is asked for a place."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def place_of(self, owner: Hashable) -> tuple[float, int]:
        """Count, and tell the place."""
        self.asked += 1
        return super().place_of(owner)


def test_a_claim_looks_up_the_place_of_each_tenant_once(transactional_db: None) -> None:
    for number in range(8):
        queue_runs(make_tenant(f"t{number}"), DOCUMENT, number + 1)
    order = CountingOrder()
    with connect("test") as connection:
        claimed = claim_runs(connection, host=ClaimingHost(register_host(), order=order), room=30).runs
    assert len(claimed) == 30
    assert order.asked <= 2 * 8, "once to choose, once to note who was served"


def test_no_tenant_owns_more_than_its_part_of_a_host_while_another_exists(acme: Tenant) -> None:
    queue_runs(acme, DOCUMENT, 40)
    hosts = [ClaimingHost(register_host(), most_of_one=9) for _ in range(3)]
    with connect("test") as connection:
        alone = claim_runs(connection, host=hosts[0], room=10)
        assert len(alone.runs) == 10
        globex = make_tenant("globex", is_active=False)
        assert len(claim_runs(connection, host=hosts[1], room=10).runs) == 10, "one that is inactive needs no room"
        globex.is_active = True
        globex.save()
        assert len(claim_runs(connection, host=hosts[2], room=10).runs) == 9
        assert claim_runs(connection, host=hosts[2], room=1).runs == []
        newcomer = queue_run(globex, DOCUMENT)
        assert [one.run_id for one in claim_runs(connection, host=hosts[2], room=1).runs] == [newcomer]


def test_with_fewer_slots_than_tenants_whoever_was_served_longest_ago_comes_first(acme: Tenant) -> None:
    tenants = [acme, *(make_tenant(f"tenant-{number}") for number in range(6))]
    for tenant in tenants:
        queue_runs(tenant, DOCUMENT, 10)
    newcomer = make_tenant("newcomer")
    host = ClaimingHost(register_host())
    served: list[UUID] = []
    with connect("test") as connection:
        for number in range(16):
            if number == 8:
                queue_runs(newcomer, DOCUMENT, 10)
            (one,) = claim_runs(connection, host=host, room=1).runs
            served.append(one.tenant_id)
            with unscoped("tests look everywhere"):
                Run.objects.filter(id=one.run_id).update(owner=None, status="completed")
    assert len(set(served[:7])) == 7
    assert served[7] == served[0]
    assert newcomer.id in served[8:16]
    assert sorted(map(served[8:16].count, [one.id for one in [*tenants, newcomer]])) == [1] * 8


def test_tenants_with_nothing_that_this_host_can_execute_stand_in_nobodys_way(acme: Tenant) -> None:
    for number in range(20):
        queue_run(make_tenant(f"tenant-{number}"), DOCUMENT, step_types=["unknown@1"])
    mine = queue_runs(acme, DOCUMENT, 3)
    assert [claimed.run_id for claimed in claim(register_host(), room=2)] == mine[:2]


def test_while_another_host_claims_only_commands_are_applied(acme: Tenant) -> None:
    queued, cancelled = queue_runs(acme, DOCUMENT, 2)
    send_cancel(cancelled)
    host = ClaimingHost(register_host())
    with connect("test") as connection, connect("test") as other:
        with other.transaction():
            other.execute("select pg_advisory_xact_lock(%s, 0)", [CLAIM_LOCK])
            refused = claim_runs(connection, host=host, room=5)
            assert ([one.run_id for one in refused.runs], refused.is_refused) == ([cancelled], True)
        taken = claim_runs(connection, host=host, room=5)
    assert ([one.run_id for one in taken.runs], taken.is_refused) == ([queued], False)
    assert get_run(queued).owner == host.worker_id


@pytest.fixture
def long(acme: Tenant, globex: Tenant) -> dict[UUID, list[UUID]]:
    """Runs of two tenants, each of which takes some 200,000 bytes when it is claimed."""
    return {one.id: queue_runs(one, DOCUMENT, 4, input="é" * 50_000) for one in (acme, globex)}


def claim_within(sure: int, size: int) -> list[UUID]:
    host = ClaimingHost(register_host(), memory=MemoryRoom(sure, size))
    with connect("test") as connection:
        return [one.run_id for one in claim_runs(connection, host=host, room=100).runs]


def test_more_runs_than_fit_whatever_they_bring_are_claimed_as_far_as_memory_goes(long: dict[UUID, list[UUID]]) -> None:
    """What is in the database compressed counts as it is; everybody's first run comes before anybody's second."""
    first = {runs[0] for runs in long.values()}
    assert set(claim_within(1, 450_000)) == first
    assert len(claim_within(2, 1)) == 2, "so many fit in any case"
    assert len(claim_within(1, 1)) == 1
    assert len(claim_within(1, 10_000_000)) == 3


def test_many_short_runs_are_claimed_at_once_and_a_long_one_behind_them_waits(acme: Tenant) -> None:
    short = queue_runs(acme, DOCUMENT, 50, input={"n": 1}, priority=5)
    queue_run(acme, DOCUMENT, input="é" * 50_000)
    assert set(claim_within(1, 50_000)) == set(short)


def test_a_journal_counts_as_what_is_brought_along(acme: Tenant) -> None:
    queue_runs(acme, DOCUMENT, 4, input="x" * 50_000, last_seq=5, journal_bytes=1_000)
    assert len(claim_within(1, 3_500)) == 3


def power_law(tenants: list[UUID], *, first: int) -> dict[UUID, int]:
    return {tenant: max(1, int(first / number**1.1)) for number, tenant in enumerate(tenants, 1)}


def hold_against_max_min(
    crowd: Crowd, weights: dict[UUID, float], floors: dict[UUID, int], due: dict[UUID, int]
) -> None:
    """Nobody is further from its share than 5 %, or one run; runs that were executing already stay."""
    tenants, owned = crowd.tenants, crowd.owned()
    shares = max_min(
        crowd.capacity,
        [weights[one] for one in tenants],
        [floors.get(one, 0) for one in tenants],
        [floors.get(one, 0) + due[one] for one in tenants],
    )
    assert owned.total() == min(crowd.capacity, round(sum(shares)))
    far = {
        one: (owned[one], share)
        for one, share in zip(tenants, shares, strict=True)
        if abs(owned[one] - share) > max(1.0, 0.05 * share)
    }
    assert not far


def test_shares_of_a_power_law_backlog_are_max_min_also_right_after_weights_change(crowd: Crowd) -> None:
    chance = random.Random(14)
    due = power_law(chance.sample(crowd.tenants, len(crowd.tenants)), first=3_000)
    weights: dict[UUID, float] = dict.fromkeys(crowd.tenants, 1)
    crowd.queue(due)
    floors: dict[UUID, int] = {}
    for _ in range(3):
        crowd.claim()
        hold_against_max_min(crowd, weights, floors, due)
        claimed = crowd.owned()
        due = {one: due[one] + floors.get(one, 0) - claimed[one] for one in crowd.tenants}
        weights |= {one: chance.choice([0.5, 1, 2, 4]) for one in chance.sample(crowd.tenants, 30)}
        crowd.weigh(weights)
        crowd.end_every(3)
        floors = dict(crowd.owned())


def test_many_tenants_that_may_have_nothing_more_stand_in_nobodys_way(crowd: Crowd, acme: Tenant) -> None:
    """More than a claim looks at first, and all of them own less than the one that can be given something."""
    capped = [make_tenant(f"capped-{number}") for number in range(MIN_TENANTS + 6)]
    with unscoped("tests look everywhere"):
        LimitOverride.objects.bulk_create(LimitOverride(tenant=one, limit="concurrent_runs", value=0) for one in capped)
    crowd.queue(dict.fromkeys([tenant.id for tenant in capped], 2))
    crowd.queue({acme.id: 3})
    worker_id = register_host()
    assert taken_by(worker_id, room=1) == [acme.id]
    assert taken_by(worker_id, room=1) == [acme.id]
