"""Redis only wakes: flushed, stopped or never there, streams and waits go on."""

import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import pytest
import redis

from tests.conftest import Customer
from tests.support.best_tries import quick_once
from tests.support.live_runs import LiveRun
from tests.support.server import ServerProcess, running_server
from tests.support.streams import event_stream, message, until_closed, websocket
from tests.support.valkeys import own_valkey

pytestmark = pytest.mark.django_db(transaction=True)
POLL_AND_A_BIT = 2.5


@pytest.fixture(scope="module")
def alone(django_db_setup: None) -> Iterator[ServerProcess]:
    """A server that never has Redis."""
    with running_server(REDIS_URL="redis://127.0.0.1:1/0") as server:
        yield server


def test_streams_and_waits_go_on_while_redis_is_flushed_stopped_and_back(acme: Customer) -> None:
    with own_valkey() as valkey, running_server(REDIS_URL=valkey.url) as server:
        run = LiveRun(acme.tenant)
        run.write("segment.started")
        with (
            websocket(server, f"/ws/v1/runs/{run.id}/", key=acme.key) as socket,
            event_stream(server, acme.key, f"/runs/{run.id}/events") as events,
            websocket(server, "/ws/v1/events/", key=acme.key) as tenant_wide,
        ):
            records = iter(events)
            assert message(socket)["seq"] == next(records).data["seq"] == 1

            def hear(*, told: bool) -> None:
                run.write("step.started")
                if told:
                    run.tell(valkey.url)
                assert message(socket)["seq"] == next(records).data["seq"] == message(tenant_wide)["seq"] == run.seq

            def heard_within(seconds: float, *, told: bool) -> None:
                quick_once(partial(hear, told=told), seconds=seconds)

            heard_within(1.0, told=True)
            heard_within(POLL_AND_A_BIT, told=False)
            with redis.Redis.from_url(valkey.url) as client:
                client.flushall()
            heard_within(1.0, told=True)
            valkey.stop()
            heard_within(POLL_AND_A_BIT, told=False)
            heard_within(POLL_AND_A_BIT, told=False)
            valkey.revive()
            heard_within(1.0, told=True)
            valkey.stop()
            run.write("segment.completed")
            found, code = until_closed(socket)
            assert (found[-1]["event_type"], code) == ("segment.completed", 1000)
            assert [sent.data["event_type"] for sent in records] == ["segment.completed"]


def test_who_waits_is_answered_soon_after_the_end_without_redis(acme: Customer, alone: ServerProcess) -> None:
    with alone.caller(acme.key) as caller:
        run = LiveRun(acme.tenant)
        run.write("segment.started")
        ending = run.write_later(2, "segment.completed")
        answer = caller.get(f"/api/v1/runs/{run.id}?wait=20")
        back = time.time()
        assert (answer.status_code, answer.json()["status"]) == (200, "completed")
        ending.join()
        assert back - datetime.fromisoformat(answer.json()["ended_at"]).timestamp() < POLL_AND_A_BIT


def test_a_ticket_needs_no_redis(acme: Customer, alone: ServerProcess) -> None:
    with alone.caller(acme.key) as caller:
        run = LiveRun(acme.tenant)
        run.write("segment.started", "segment.completed")
        ticket = caller.post("/api/v1/ws-tickets").json()["ticket"]
        with websocket(alone, f"/ws/v1/runs/{run.id}/?ticket={ticket}") as socket:
            assert len(until_closed(socket)[0]) == 2
