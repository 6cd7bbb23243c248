"""Following one run, as server-sent events and over a WebSocket, through a real server."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kernel.ids import new_id
from tests.conftest import Customer
from tests.support.best_tries import quick_once
from tests.support.definitions import steps_in_a_row
from tests.support.live_runs import LiveRun
from tests.support.process_ends import eventually
from tests.support.server import ServerProcess
from tests.support.streams import EventReader, event_stream, message, until_closed, websocket
from tests.support.worker import running_worker

pytestmark = pytest.mark.django_db(transaction=True)
Records = list[dict[str, Any]]


def by_sse(server: ServerProcess, key: str, run_id: object, after: int) -> Records:
    with event_stream(server, key, f"/runs/{run_id}/events?after={after}") as events:
        assert events.response.status_code == 200, events.response.read()
        return [sent.data for sent in events]


def by_websocket(server: ServerProcess, key: str, run_id: object, after: int) -> Records:
    with websocket(server, f"/ws/v1/runs/{run_id}/?after={after}", key=key) as socket:
        found, code = until_closed(socket)
    assert code == 1000
    for record in found:
        record.pop("cursor")
    return found


both = pytest.mark.parametrize("read", [by_sse, by_websocket])
Read = Callable[[ServerProcess, str, object, int], Records]


@both
def test_the_records_are_those_of_the_pages_from_any_seq_to_the_terminal_event(
    acme: Customer, server: ServerProcess, read: Read
) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started")
    run.steps(130)
    run.write("segment.completed")
    with server.caller(acme.key) as caller:
        pages: Records = []
        url = f"/api/v1/runs/{run.id}/events?limit=250"
        while url:
            page = caller.get(url).json()
            pages += page["data"]
            url = page["next_url"]
    assert len(pages) == 1 + 130 * 3 + 1
    for after in (0, 1, 3, 100, 101, 250, run.seq - 1):
        assert read(server, acme.key, run.id, after) == [record for record in pages if record["seq"] > after]


@both
def test_what_comes_while_it_is_followed_comes_once_in_order_and_ends_the_stream(
    acme: Customer, server: ServerProcess, read: Read
) -> None:
    run = LiveRun(acme.tenant)

    def live() -> None:
        for _ in range(30):
            run.steps(1)
            time.sleep(0.02)
        run.write("segment.failed")

    run.write("segment.started")
    found: list[Records] = []
    readers = [
        threading.Thread(target=lambda: found.append(read(server, acme.key, run.id, 0)), daemon=True) for _ in range(6)
    ]
    for reader in readers:
        reader.start()
    time.sleep(0.5)
    live()
    for reader in readers:
        reader.join(20)
    assert len(found) == 6
    for records in found:
        assert [record["seq"] for record in records if record["event_type"] != "data.produced"] == [*range(1, 63)]
        assert len({record["event_id"] for record in records}) == len(records) == 62 + 30
        assert records[-1]["event_type"] == "segment.failed"


def test_a_real_run_is_heard_of_at_once(acme: Customer, server: ServerProcess) -> None:
    with running_worker(), server.caller(acme.key) as caller:
        body = {"segment": steps_in_a_row("input + 1", "input * 2"), "input": 20}
        caller.post("/api/v1/runs?wait=20", json=body)

        def follow() -> None:
            run = caller.post("/api/v1/runs", json=body).json()
            assert by_sse(server, acme.key, run["run_id"], 0)[-1]["event_type"] == "segment.completed"

        def wait() -> None:
            assert caller.post("/api/v1/runs?wait=20", json=body).status_code == 200

        quick_once(follow, seconds=1.5)  # a poll alone would take up to two seconds
        quick_once(wait, seconds=0.5)


def test_only_the_last_record_of_an_event_has_the_id(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "step.started", "step.completed", "segment.completed")
    with event_stream(server, acme.key, f"/runs/{run.id}/events") as events:
        assert events.response.headers["Content-Type"] == "text/event-stream"
        sent = list(events)
    assert [(item.id, item.data["event_type"]) for item in sent] == [
        ("1", "segment.started"),
        ("2", "step.started"),
        ("", "step.completed"),
        ("3", "data.produced"),
        ("4", "segment.completed"),
    ]


def test_the_header_of_a_browser_that_comes_again_wins_over_the_address(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "step.started", "step.completed", "segment.completed")
    with event_stream(server, acme.key, f"/runs/{run.id}/events?after=0", **{"Last-Event-ID": "3"}) as events:
        assert [sent.id for sent in events] == ["4"]
    with event_stream(server, acme.key, f"/runs/{run.id}/events", **{"Last-Event-ID": "4"}) as events:
        assert events.response.status_code == 204, "so that it stops coming"
    with event_stream(server, acme.key, f"/runs/{run.id}/events", **{"Last-Event-ID": "four"}) as events:
        assert events.response.status_code == 422
        events.response.read()
        assert events.response.json()["code"] == "INVALID_CURSOR"


def test_a_stream_has_an_address_of_its_own_whatever_the_caller_accepts(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "step.started", "segment.completed")
    with server.caller(acme.key, Accept="*/*") as caller:
        answer = caller.get(f"/api/v1/runs/{run.id}/events/stream?after=1", headers={"Last-Event-ID": "2"})
        assert answer.headers["content-type"] == "text/event-stream"
        assert [sent.data["event_type"] for sent in EventReader(answer)] == ["segment.completed"]
        assert caller.get(f"/api/v1/runs/{run.id}/events/stream?after=3").status_code == 204
        assert caller.get(f"/api/v1/runs/{run.id}/events/stream?limit=1").status_code == 422
        head = caller.head(f"/api/v1/runs/{run.id}/events/stream")
        assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")


def test_a_stream_takes_no_limit(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "segment.completed")
    with server.caller(acme.key) as caller:
        assert caller.get(f"/api/v1/runs/{run.id}/events?limit=1").status_code == 200
    with event_stream(server, acme.key, f"/runs/{run.id}/events?limit=1") as events:
        assert events.response.status_code == 422


def test_a_silent_stream_says_so_every_ten_seconds(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started")
    began = time.monotonic()
    with (
        websocket(server, f"/ws/v1/runs/{run.id}/", key=acme.key) as socket,
        event_stream(server, acme.key, f"/runs/{run.id}/events") as events,
        ThreadPoolExecutor(1) as thread,
    ):
        reading = thread.submit(list, events)
        assert message(socket)["seq"] == 1
        ping = message(socket)
        assert (ping["event_type"], ping["cursor"]) == ("ping", "1")
        assert 9 < time.monotonic() - began < 15
        assert eventually(lambda: bool(events.comments), seconds=15)
        run.write("segment.completed")
        assert [sent.data["event_type"] for sent in reading.result(20)] == ["segment.started", "segment.completed"]
        assert events.comments == ["ping"]
        assert message(socket)["event_type"] == "segment.completed"


def test_a_stream_opened_for_the_future_waits_for_it(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started")
    with websocket(server, f"/ws/v1/runs/{run.id}/?after=2", key=acme.key) as socket:
        run.write("step.started", "step.completed", "segment.completed")
        found, code = until_closed(socket)
    assert [record["seq"] for record in found] == [3, 3, 4]
    assert [record["cursor"] for record in found] == [None, "3", "4"]
    assert code == 1000


def test_what_another_tenant_has_is_as_unknown_as_what_never_was(
    acme: Customer, globex: Customer, server: ServerProcess
) -> None:
    run = LiveRun(globex.tenant)
    run.write("segment.started", "segment.completed")
    assert len(by_websocket(server, globex.key, run.id, 0)) == 2

    def over_websocket(run_id: object) -> tuple[Records, int]:
        with websocket(server, f"/ws/v1/runs/{run_id}/", key=acme.key) as socket:
            return until_closed(socket)

    def over_http(run_id: object) -> tuple[int, dict[str, Any]]:
        with event_stream(server, acme.key, f"/runs/{run_id}/events") as events:
            body = _read(events)
            body.pop("request_id")
            return events.response.status_code, body

    never = new_id()
    (told,), code = over_websocket(run.id)
    assert (told["code"], code) == ("RUN_NOT_FOUND", 4404)
    assert ([told], code) == over_websocket(never)
    assert over_http(run.id) == over_http(never)
    assert over_http(run.id)[0] == 404


def _read(events: EventReader) -> dict[str, Any]:
    events.response.read()
    body: dict[str, Any] = events.response.json()
    return body
