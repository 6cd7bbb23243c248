"""Events are handed out from the journal: in order, exactly once, to those that ask for them."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from audit.sealing.sealer import seal_entries
from audit.services import record
from foundation.scope import tenant_scope, unscoped
from runs.engine.delivery import handing_out
from runs.engine.delivery.event_feed import EventFeed
from runs.engine.delivery.handing_out import HandOut, hand_out
from runs.engine.store import hand_outs
from runs.engine.store.connection import Database, connect, transaction
from runs.models import DeliveryAttempt, RunEvent, WebhookFeed
from tenants.models import Tenant
from tests.support.engine import queue_run
from tests.support.segments import segment, step
from tests.support.webhooks import ENDPOINTS, client_for, deliveries_to, endpoint_row, make_endpoint, statuses_of

URL = "https://hooks.example.com/all"


@pytest.fixture
def database(transactional_db: None) -> Iterator[Database]:
    with connect("tests") as connection:
        yield connection


def a_run(tenant: Tenant, segment_id: str = "orders") -> UUID:
    return queue_run(tenant, {**segment(step("one", "transform", expression="input")), "segment_id": segment_id})


def tell(tenant: Tenant, run_id: UUID, *kinds: str, payload: dict[str, Any] | None = None) -> None:
    """Have a run's journal say so, in a transaction of its own."""
    with unscoped("rows for a test"):
        seq = RunEvent.objects.filter(run_id=run_id).count()
        RunEvent.objects.bulk_create(
            RunEvent(tenant=tenant, run_id=run_id, seq=seq + number, type=kind, payload=payload or {})
            for number, kind in enumerate(kinds, 1)
        )


def bodies_of(endpoint: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(delivery.body) for delivery in deliveries_to(endpoint["id"])]


def types_of(endpoint: dict[str, Any]) -> list[str]:
    return [body["type"] for body in bodies_of(endpoint)]


def test_each_endpoint_is_told_what_it_asks_for(acme: Tenant, globex: Tenant, database: Database) -> None:
    client = client_for(acme)
    every = make_endpoint(client, URL, event_types=["segment.*", "step.*"])
    ends = make_endpoint(client, URL)
    severe = make_endpoint(client, URL, event_types=["segment.*", "step.*"], severity="error")
    orders = make_endpoint(client, URL, event_types=["step.completed"], segments=["orders"])
    thin = make_endpoint(client, URL, event_types=["step.completed"], thin=True)
    others = make_endpoint(client_for(globex), URL, event_types=["segment.*"])
    order, bill = a_run(acme), a_run(acme, "bills")
    tell(acme, order, "segment.started", "step.completed", "segment.completed", payload={"output": 7, "ports": {}})
    tell(acme, bill, "step.completed", "segment.failed", payload={"ports": {}, "error": {"code": "A", "message": "b"}})
    handed = hand_out(database, acme.id)
    assert types_of(every) == [
        *("segment.started", "step.completed", "segment.completed"),
        *("step.completed", "segment.failed"),
    ]
    assert types_of(ends) == ["segment.completed", "segment.failed"]
    assert types_of(severe) == ["segment.failed"]
    assert [body["run_id"] for body in bodies_of(orders)] == [str(order)]
    assert {frozenset(body) for body in bodies_of(thin)} == {
        frozenset(["type", "timestamp", "run_id", "output_url", "endpoint_id", "sequence", "previous_sequence", "seq"])
    }
    assert [(body["sequence"], body["previous_sequence"], body["seq"]) for body in bodies_of(thin)] == [
        (1, 0, 2),
        (2, 1, 1),
    ]
    assert (types_of(others), handed) == ([], HandOut(11))
    assert hand_out(database, acme.id) == HandOut(0), "once each"


def test_a_pass_that_is_cut_short_has_handed_out_nothing(
    acme: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = make_endpoint(client_for(acme), URL, event_types=["segment.*"])
    tell(acme, a_run(acme), "segment.started", "segment.cancelled")
    with monkeypatch.context() as patch:
        patch.setattr(hand_outs, "move_feed", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hand_out(database, acme.id)
    assert types_of(endpoint) == []
    hand_out(database, acme.id)
    assert types_of(endpoint) == ["segment.started", "segment.cancelled"]


def test_a_tenant_is_left_to_the_host_that_hands_out(acme: Tenant, database: Database) -> None:
    make_endpoint(client_for(acme), URL, event_types=["segment.*"])
    tell(acme, a_run(acme), "segment.started")
    with connect("another host") as other, transaction(other):
        assert hand_outs.lock_feed(other, acme.id) is not None
        assert hand_out(database, acme.id) == HandOut(0)
    assert hand_out(database, acme.id) == HandOut(1)


def test_what_is_written_late_is_waited_for_and_never_passed_over(acme: Tenant, database: Database) -> None:
    endpoint = make_endpoint(client_for(acme), URL, event_types=["segment.*"])
    late, early = a_run(acme), a_run(acme)
    insert = "insert into runs_runevent (run_id, seq, tenant_id, type, payload) values (%s, 1, %s, %s, '{}')"
    with connect("a slow writer") as slow:
        with transaction(slow):
            slow.execute(insert, [late, acme.id, "segment.started"])
            tell(acme, early, "segment.cancelled")
            assert hand_out(database, acme.id) == HandOut(0, is_held_back=True)
        assert hand_out(database, acme.id) == HandOut(2)
    assert [body["run_id"] for body in bodies_of(endpoint)] == [str(late), str(early)]


def test_many_events_are_handed_out_in_parts(acme: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_out, "MAX_EVENTS", 2)
    endpoint = make_endpoint(client_for(acme), URL, event_types=["segment.*"])
    kinds = ["segment.started", "segment.paused", "segment.resumed", "segment.paused", "segment.cancelled"]
    tell(acme, a_run(acme), *kinds)
    results = [hand_out(database, acme.id) for _ in range(3)]
    assert results == [HandOut(2, has_more=True), HandOut(2, has_more=True), HandOut(1)]
    assert types_of(endpoint) == kinds


def test_what_is_too_much_for_an_endpoint_is_kept_with_a_reason_and_read_by_cursor(
    acme: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_out, "MAX_WAITING", 2)
    client = client_for(acme)
    endpoint = make_endpoint(client, URL, event_types=["segment.*"])
    tell(acme, a_run(acme), "segment.started", "segment.paused", "segment.resumed")
    hand_out(database, acme.id)
    assert statuses_of(endpoint["id"]) == ["pending", "pending", "blocked"]
    with unscoped("tests look everywhere"):
        (note,) = DeliveryAttempt.objects.filter(delivery__endpoint_id=endpoint["id"])
    assert note.error_code == "ENDPOINT_FULL"
    address = f"{ENDPOINTS}/{endpoint['id']}/events"
    first = client.get(address, {"after": 0, "limit": 2}).json()
    assert ([one["sequence"] for one in first["data"]], first["next_after"]) == ([1, 2], 2)
    rest = client.get(address, {"after": 2}).json()
    assert [(one["sequence"], one["status"], one["body"]["type"]) for one in rest["data"]] == [
        (3, "blocked", "segment.resumed")
    ]
    assert rest["next_after"] is None


def test_licences_and_checkpoints_of_the_audit_are_told_too(acme: Tenant, database: Database) -> None:
    endpoint = make_endpoint(client_for(acme), URL, event_types=["tenant.*", "audit.checkpoint"])
    seal_entries()
    with tenant_scope(acme.id):
        record("tenant.licence_expiring", acme, actor="system", after={"step": "7_days"})
    seal_entries()
    hand_out(database, acme.id)
    seal_entries()
    hand_out(database, acme.id)
    licence, checkpoint = bodies_of(endpoint)
    assert (licence["type"], licence["licence"], licence["sequence"]) == (
        "tenant.licence_expiring",
        {"step": "7_days"},
        1,
    )
    assert checkpoint["checkpoint"].startswith(checkpoint["log"])
    with tenant_scope(acme.id):
        record("tenant.licence_ended", acme, actor="system", after={})
    seal_entries()
    hand_out(database, acme.id)
    assert types_of(endpoint)[2:] == ["tenant.licence_ended"], "a checkpoint at most once a minute"
    with unscoped("a test sets the clock"):
        WebhookFeed.objects.update(checkpoint_at=None)
    hand_out(database, acme.id)
    assert types_of(endpoint)[3:] == ["audit.checkpoint"]


def test_tenants_without_endpoints_cost_a_look_into_a_set(acme: Tenant, globex: Tenant, database: Database) -> None:
    endpoint = make_endpoint(client_for(acme), URL)
    run_id = a_run(globex)
    tell(globex, run_id, "segment.started", "segment.cancelled")
    with transaction(database):
        assert [feed.tenant_id for feed in hand_outs.read_feeds(database)] == [acme.id]
    asked: list[object] = []

    async def ask(question: object) -> Any:
        asked.append(question)

    feed = EventFeed(ask, lambda: None)  # type: ignore[arg-type]  # it is never asked
    feed.note(globex.id)
    assert asked == []
    assert hand_out(database, globex.id) == HandOut(0)
    client_for(acme).delete(f"{ENDPOINTS}/{endpoint['id']}")
    with transaction(database):
        assert hand_outs.read_feeds(database) == []
    assert endpoint_row(endpoint["id"]).deleted_at is not None
