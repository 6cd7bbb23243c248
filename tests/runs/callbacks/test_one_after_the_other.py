"""Deliveries to one URL go one after the other, whoever sends them; those to other URLs do not wait for them."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID

import pytest

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.callbacks.sealing import Address, hash_url
from runs.callbacks.services import clear_notifications, set_notifications
from runs.engine.store import deliveries, delivery_claims
from runs.engine.store.connection import connect, transaction
from runs.engine.store.deliveries import SettledDelivery
from runs.engine.store.delivery_claims import DeliveryClaim
from runs.models import Delivery, DeliveryStatus
from tenants.models import Tenant
from tests.support.callbacks import (
    RUNS_URL,
    deliveries_of,
    log_of,
    set_many_due,
    start_with_callback,
    wait_for_status,
)
from tests.support.engine import wait_for
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer, RecordedRequest

ALL_EVENTS = ["segment.started", "segment.completed"]


class Gate:
    """A receiver that counts how many calls it has at once, and answers none before it may."""

    def __init__(self, *, is_open: bool) -> None:
        self.may_answer = threading.Event()
        self.now = self.most = 0
        self._lock = threading.Lock()
        if is_open:
            self.may_answer.set()

    def __call__(self, _request: RecordedRequest) -> Answer:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.may_answer.wait(10)
        with self._lock:
            self.now -= 1
        return Answer(200)


class Looker:
    """What a host's deliverer does in the database, a statement at a time."""

    def __init__(self, name: str) -> None:
        self.connection = connect(name)

    def looking(self) -> AbstractContextManager[None]:
        """A transaction, committed behind the block."""
        return transaction(self.connection)

    def take(self) -> DeliveryClaim:
        """Claim, inside the transaction that is open."""
        return delivery_claims.claim(self.connection, busy={}, room=50, per_target=10, lease_seconds=60)

    def settle(self, *settled: SettledDelivery) -> list[SettledDelivery]:
        return deliveries.settle(self.connection, settled)

    def count_unlocked(self) -> int:
        """Count the pending that nobody holds."""
        asked = "select 1 from runs_delivery where status = 'pending' for update skip locked"
        return len(self.connection.execute(asked).fetchall())


@pytest.fixture
def lookers() -> Iterator[tuple[Looker, Looker]]:
    both = Looker("one"), Looker("other")
    yield both
    for looker in both:
        looker.connection.close()


def arrived(delivery_id: UUID) -> SettledDelivery:
    return SettledDelivery(delivery_id, 1, DeliveryStatus.DELIVERED, None, utc_now().timestamp(), 1, 200, "", "")


def queued_of(run_id: UUID) -> list[bool]:
    return [delivery.is_queued for delivery in deliveries_of(run_id)]


def test_ten_runs_that_end_together_are_told_one_at_a_time(acme: Tenant, receiver: CountingServer) -> None:
    gate = Gate(is_open=False)
    receiver.route("POST", "/hook", gate)
    with running_host(), running_host():
        run_ids = [start_with_callback(acme, f"{receiver.url}/hook") for _ in range(10)]
        wait_for(lambda: all(deliveries_of(run_id) for run_id in run_ids))
        wait_for(lambda: sum(sum(queued_of(run_id)) for run_id in run_ids) == 9, what="nine wait for the first")
        gate.may_answer.set()
        for run_id in run_ids:
            wait_for_status(run_id, "delivered")
    assert receiver.count() == 10
    assert gate.most == 1


def test_a_slow_receiver_delays_no_other_url_of_its_host(acme: Tenant, receiver: CountingServer) -> None:
    slow = Gate(is_open=False)
    receiver.route("POST", "/slow", slow)
    receiver.route("POST", "/quick", Answer(200))
    with running_host():
        waiting = start_with_callback(acme, f"{receiver.url}/slow")
        wait_for(lambda: slow.now == 1)
        set_many_due(waiting, 100)
        quick = start_with_callback(acme, f"{receiver.url}/quick")
        wait_for_status(quick, "delivered")
        assert slow.now == slow.most == 1
        with unscoped("the rest is not waited for"):
            Delivery.objects.filter(run_id=waiting, is_claimed=False).delete()
        slow.may_answer.set()


def test_one_run_s_events_come_in_their_order(acme: Tenant, receiver: CountingServer) -> None:
    gate = Gate(is_open=False)
    receiver.route("POST", "/hook", gate)
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook", events=ALL_EVENTS)
        wait_for(lambda: len(deliveries_of(run_id)) == 2)
        gate.may_answer.set()
        wait_for_status(run_id, "delivered", "delivered")
    assert [call.json()["type"] for call in receiver.calls] == ALL_EVENTS


def test_what_fails_lets_the_next_go_first(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", [Answer(503, headers={"Retry-After": "600"}), Answer(200)])
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook", events=ALL_EVENTS)
        wait_for_status(run_id, "pending", "delivered")
    assert [one.status_code for one in log_of(run_id)] == [503, 200]


def test_two_hosts_that_look_together_take_one(
    acme: Tenant, receiver: CountingServer, lookers: tuple[Looker, Looker]
) -> None:
    one, other = lookers
    run_id = start_with_callback(acme, f"{receiver.url}/hook")
    set_many_due(run_id, 60)
    with one.looking(), other.looking():
        first = one.take()
        assert other.count_unlocked() == 10, "the other host finds some that the first has not looked at"
        second = other.take()
    with other.looking():
        third = other.take()
    assert [len(claim.taken) for claim in (first, second, third)] == [1, 0, 0]
    assert sum(queued_of(run_id)) == 59


def test_a_queue_goes_on_though_it_grew_while_its_first_arrived(
    acme: Tenant, receiver: CountingServer, lookers: tuple[Looker, Looker]
) -> None:
    one, other = lookers
    run_id = start_with_callback(acme, f"{receiver.url}/hook")
    set_many_due(run_id, 2)
    with one.looking():
        (first,) = one.take().taken
    with unscoped("as if the second came now"):
        Delivery.objects.filter(is_queued=True).update(is_queued=False)
    with other.looking():
        assert other.take().has_queued
        left = one.settle(arrived(first))
        assert [item.delivery_id for item in left] == [first], "the other host was looking"
    assert one.settle(*left) == []
    with one.looking():
        (second,) = one.take().taken
    assert second != first


def test_a_host_that_is_gone_holds_its_url_no_longer_than_its_lease(
    acme: Tenant, receiver: CountingServer, lookers: tuple[Looker, Looker]
) -> None:
    gone, heir = lookers
    set_many_due(start_with_callback(acme, f"{receiver.url}/hook"), 3)
    with gone.looking():
        (lost,) = gone.take().taken
    with heir.looking():
        assert not heir.take().taken
    with unscoped("a test sets the clock"):
        Delivery.objects.filter(id=lost).update(next_at=utc_now() - timedelta(seconds=1))
    with heir.looking():
        claim = heir.take()
    assert list(claim.taken) == list(claim.lost) == [lost]


def test_what_has_no_hash_goes_by_itself(
    acme: Tenant, receiver: CountingServer, lookers: tuple[Looker, Looker]
) -> None:
    """What a release before this one left behind."""
    set_many_due(start_with_callback(acme, f"{receiver.url}/hook"), 3)
    with unscoped("rows for a test"):
        Delivery.objects.update(url_hash="")
    with lookers[0].looking():
        assert len(lookers[0].take().taken) == 3


@pytest.mark.parametrize("is_cleared", [False, True])
def test_a_tenant_s_url_that_changes_leaves_no_queue_behind(
    acme: Tenant, receiver: CountingServer, lookers: tuple[Looker, Looker], is_cleared: bool
) -> None:
    """The first of a queue is told the tenant, what is behind it a run's caller at the same URL."""
    url = f"{receiver.url}/hook"
    run_id = start_with_callback(acme, url)
    set_tenant_url(acme, url)
    set_many_due(run_id, 3)
    with unscoped("rows for a test"):
        Delivery.objects.filter(seq=1_000).update(target="tenant")
        Delivery.objects.exclude(seq=1_000).update(is_queued=True)
    if is_cleared:
        clear_notifications(tenant=acme, actor="test")
    else:
        set_tenant_url(acme, f"{url}2")
    with lookers[0].looking():
        taken = lookers[0].take().taken
    with unscoped("tests look everywhere"):
        hashes = Delivery.objects.filter(id__in=taken).order_by("seq").values_list("url_hash", flat=True)
        assert list(hashes) == [hash_url(acme.id, address) for address in ([] if is_cleared else [f"{url}2"]) + [url]]


def set_tenant_url(tenant: Tenant, url: str) -> None:
    set_notifications(tenant=tenant, actor="test", address=Address(url), runs_url=RUNS_URL)
