"""Deliveries of more tenants than a worker has places: each has its turn, by weight."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.engine.store import deliveries, delivery_claims
from runs.engine.store.connection import Database, connect, transaction
from runs.engine.store.deliveries import SettledDelivery
from runs.models import Delivery, DeliveryStatus
from tenants.models import Tenant
from tests.support.engine import make_tenant, queue_run
from tests.support.segments import segment, step

DOCUMENT = segment(step("one", "transform", expression="input"))
EACH = 60


def make_due(tenant: Tenant) -> None:
    """Deliveries of one run of a tenant, all to one URL's host, but in no line behind each other."""
    run_id = queue_run(tenant, DOCUMENT)
    began = utc_now() - timedelta(seconds=60)
    facts: dict[str, Any] = {"tenant": tenant, "run_id": run_id, "type": "segment.resumed", "url_hash": ""}
    facts |= {"host": f"{tenant.slug}.example:443", "next_at": began}
    with unscoped("rows for a test"):
        Delivery.objects.bulk_create(Delivery(seq=seq, **facts) for seq in range(1, EACH + 1))


def sent_by(connection: Database, *, room: int, busy: Mapping[tuple[UUID, str], int] | None = None) -> list[UUID]:
    """The tenants whose deliveries one look takes; all are delivered at once."""
    with transaction(connection):
        claim = delivery_claims.claim(connection, busy=busy or {}, room=room, per_target=10, lease_seconds=30)
    with unscoped("tests look everywhere"):
        rows = list(Delivery.objects.filter(id__in=claim.taken))
    deliveries.settle(connection, [settled(row) for row in rows])
    return [row.tenant_id for row in rows]


def settled(row: Delivery) -> SettledDelivery:
    return SettledDelivery(row.id, row.attempts, DeliveryStatus.DELIVERED, None, utc_now().timestamp(), 1, 200, "", "")


def test_no_tenant_waits_because_of_its_place_in_the_index(acme: Tenant) -> None:
    tenants = [acme, *(make_tenant(f"tenant-{number}") for number in range(11))]
    for tenant in tenants:
        make_due(tenant)
    with connect("test") as connection:
        sent = Counter(tenant_id for _ in range(40) for tenant_id in sent_by(connection, room=4))
    assert sent.total() == 160
    assert set(sent) == {tenant.id for tenant in tenants}, "each had a turn"
    assert max(sent.values()) < 40, "nobody had one every time"


def test_a_weight_counts_where_there_are_fewer_places_than_tenants(acme: Tenant, globex: Tenant) -> None:
    globex.weight = 20
    globex.save()
    make_due(acme)
    make_due(globex)
    with connect("test") as connection:
        sent = Counter(tenant_id for _ in range(40) for tenant_id in sent_by(connection, room=1))
    assert sent[globex.id] > 30, "20 of 21 on average; fewer than 31 of 40 once in a hundred million"


def test_whose_deliveries_are_under_way_comes_last(acme: Tenant, globex: Tenant) -> None:
    make_due(acme)
    make_due(globex)
    under_way = {(acme.id, "acme.example:443"): 3}
    with connect("test") as connection:
        assert set(sent_by(connection, room=3, busy=under_way)) == {globex.id}
        both = sent_by(connection, room=8, busy=under_way)
        assert both.count(globex.id) > both.count(acme.id) > 0
