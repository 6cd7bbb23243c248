import asyncio
import time
from typing import Any

import redis

from runs.bus.doorbell import SIGNALS_CHANNEL
from runs.core.events import EventType
from runs.engine.journal.writer import Writer
from runs.engine.run import run_endings
from tenants.models import Tenant
from tests.support.engine import (
    event_types,
    events_of,
    get_run,
    in_thread,
    queue_run,
    queue_runs,
    send_cancel,
    set_limits,
    signals_of,
    wait_for,
    wait_until_over,
)
from tests.support.host import running_host
from tests.support.journals import claim, open_journal, register_host
from tests.support.segments import segment, step

PARKED = {"max_attempts": 2}


def is_in_flight(run_id: Any) -> bool:
    return event_types(run_id)[-1:] == ["step.started slow"]


def test_attempts_in_flight_are_cancelled_at_once(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=30)))
    with running_host():
        wait_for(lambda: is_in_flight(run_id))
        began = time.monotonic()
        send_cancel(run_id, reason="changed my mind", poke=True)
        assert wait_until_over(run_id) == ["cancelled"]
    assert time.monotonic() - began < 5
    skipped, ended = events_of(run_id)[-2:]
    assert (skipped.type, skipped.payload) == ("step.skipped", {"reason": "cancelled", "effect": "unknown"})
    assert (ended.type, ended.payload) == ("segment.cancelled", {"reason": "changed my mind"})
    assert [signal.applied_seq for signal in signals_of(run_id)] == [ended.seq]
    assert get_run(run_id).signals_pending is False


def test_the_poke_is_faster_than_the_heartbeat(acme: Tenant, settings: Any) -> None:
    settings.WORKER_HEARTBEAT_SECONDS = 30
    settings.WORKER_LEASE_SECONDS = 60
    run_id = queue_run(acme, segment(step("slow", seconds=30)))
    with running_host():
        wait_for(lambda: is_in_flight(run_id))
        with redis.Redis.from_url(settings.REDIS_URL) as valkey:
            wait_for(
                lambda: valkey.pubsub_numsub(SIGNALS_CHANNEL)[0][1] == 1, what="it comes up beside the first claim"
            )
        send_cancel(run_id, poke=True)
        assert wait_until_over(run_id, seconds=20) == ["cancelled"]


def test_a_lost_poke_costs_one_heartbeat(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=30)))
    with running_host():
        wait_for(lambda: is_in_flight(run_id))
        send_cancel(run_id, poke=False)
        assert wait_until_over(run_id) == ["cancelled"]


def test_a_queued_run_is_cancelled_by_a_claim_that_executes_nothing(acme: Tenant) -> None:
    set_limits(acme, concurrent_runs=0)
    run_id = queue_run(acme, segment(step("slow")))
    other_id = queue_run(acme, segment(step("slow")))
    send_cancel(run_id)
    with running_host():
        assert wait_until_over(run_id) == ["cancelled"]
    assert event_types(run_id) == ["segment.started", "segment.cancelled"]
    assert get_run(other_id).status == "queued", "the cap holds for everything but the command"


def test_a_parked_run_is_cancelled(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", fail="BUSY", retryable=True, retry_after=60, retry=PARKED)))
    with running_host():
        wait_for(lambda: get_run(run_id).status == "waiting")
        send_cancel(run_id)
        assert wait_until_over(run_id) == ["cancelled"]
    skipped = events_of(run_id)[-2]
    assert (skipped.type, skipped.payload["effect"]) == ("step.skipped", "none")


def test_all_commands_in_the_inbox_are_taken_by_the_one_end(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=30)))
    with running_host():
        wait_for(lambda: is_in_flight(run_id))
        for reason in ("first", "second", "third"):
            send_cancel(run_id, reason=reason)
        assert wait_until_over(run_id) == ["cancelled"]
    ended = events_of(run_id)[-1]
    assert ended.payload == {"reason": "first"}
    assert {signal.applied_seq for signal in signals_of(run_id)} == {ended.seq}
    assert event_types(run_id).count("segment.cancelled") == 1


def test_a_command_accepted_before_the_end_is_committed_wins(acme: Tenant) -> None:
    """The window is forced: the command is written after the host decided that the run is complete."""
    run_id = queue_run(acme, segment(step("one")))
    worker_id = register_host()

    async def end(*, signalled: bool) -> bool:
        (claimed,) = claim(worker_id)
        journal = open_journal(claimed)
        journal.append(EventType.SEGMENT_STARTED, {"input": None})
        closing = run_endings.completed(journal, {"done": True})
        if signalled:
            await in_thread(send_cancel, claimed.run_id)
        writer = Writer()
        writer.start()
        is_closed = await writer.close(journal, closing)
        if not is_closed:
            (signal,) = [signal.id for signal in await in_thread(signals_of, claimed.run_id)]
            assert await writer.close(journal, run_endings.cancelled(journal, reason="enough", signal_ids=[signal]))
        await writer.stop()
        return is_closed

    assert asyncio.run(end(signalled=True)) is False
    assert get_run(run_id).status == "cancelled"
    assert event_types(run_id) == ["segment.started", "segment.cancelled"]
    calm = queue_run(acme, segment(step("one")))
    assert asyncio.run(end(signalled=False)) is True
    assert event_types(calm) == ["segment.started", "segment.completed"]


def test_commands_racing_with_the_end_leave_one_consistent_journal(acme: Tenant) -> None:
    run_ids = queue_runs(acme, segment(*(step(f"s{n}") for n in range(5))), 60)
    with running_host():
        for run_id in run_ids:
            if get_run(run_id).status in {"queued", "running"}:
                send_cancel(run_id)
        ends = wait_until_over(*run_ids)
    print(f"{ends.count('cancelled')} cancelled, {ends.count('completed')} completed")
    assert "cancelled" in ends
    for run_id, end in zip(run_ids, ends, strict=True):
        events = events_of(run_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        over = [event.type for event in events if event.type in {"segment.completed", "segment.cancelled"}]
        assert over == [f"segment.{end}"]
        assert events[-1].type == over[0]
        assert all(signal.applied_seq == events[-1].seq for signal in signals_of(run_id))
