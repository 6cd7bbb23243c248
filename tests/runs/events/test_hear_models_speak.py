"""What a model says is seen while it says it, by whoever follows the run, and is kept nowhere."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from kernel.ids import new_id
from runs.deltas import MOST_PENDING, Delta, Deltas, read_deltas, write_deltas
from runs.steps.registry import registry
from tests.conftest import Customer
from tests.support import step_types
from tests.support.engine import events_of, get_run, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.server import ServerProcess
from tests.support.streams import event_stream, until_closed, websocket

PIECES = ["Dear ", "customer, ", "goodness ", "\u00e9\u4e2d\n", "bye"]


@pytest.fixture(autouse=True)
def engine_settings(settings: Any) -> Iterator[None]:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, step_types.APP]
    registry.cache_clear()
    yield
    registry.cache_clear()


def speaking(pieces: list[str], pause_seconds: float = 0.1, **config: Any) -> dict[str, Any]:
    step = {
        "step_id": "speak",
        "type": "probe",
        "name": "speak",
        "config": {"says": pieces, "pause_seconds": pause_seconds, **config},
    }
    return {"version": "1.0", "segment_id": "speech", "entrypoint": "speak", "steps": [step], "edges": []}


def text_of(deltas: list[dict[str, Any]]) -> str:
    text = ""
    for delta in deltas:
        assert delta["payload"]["offset"] == len(text), "no gap, in order"
        text += delta["payload"]["text"]
    return text


@pytest.mark.django_db(transaction=True)
def test_it_is_heard_over_server_sent_events_without_an_id(acme: Customer, server: ServerProcess) -> None:
    run_id = queue_run(acme.tenant, speaking(PIECES))
    with event_stream(server, acme.key, f"/runs/{run_id}/events?after=0") as events, running_host():
        sent = list(events)
    deltas = [one for one in sent if one.data["event_type"] == "step.delta"]
    assert len(deltas) > 1, "it came in pieces"
    assert {one.id for one in deltas} == {""}
    assert text_of([one.data for one in deltas]) == "".join(PIECES)
    assert {
        (one.data["run_id"], one.data["step_id"], one.data["activation"], one.data["attempt"]) for one in deltas
    } == {(str(run_id), "speak", 1, 1)}
    kinds = [one.data["event_type"] for one in sent]
    assert kinds.index("step.started") < kinds.index("step.delta") < kinds.index("step.completed")
    assert kinds[-1] == "segment.completed"


@pytest.mark.django_db(transaction=True)
def test_it_is_heard_over_a_websocket_without_a_cursor(acme: Customer, server: ServerProcess) -> None:
    run_id = queue_run(acme.tenant, speaking(PIECES))
    with websocket(server, f"/ws/v1/runs/{run_id}/", key=acme.key) as socket, running_host():
        found, code = until_closed(socket)
    deltas = [one for one in found if one["event_type"] == "step.delta"]
    assert text_of(deltas) == "".join(PIECES)
    assert all("cursor" not in one and "seq" not in one for one in deltas)
    assert code == 1000


@pytest.mark.django_db(transaction=True)
def test_it_is_kept_nowhere_and_who_comes_later_hears_none(acme: Customer, server: ServerProcess) -> None:
    run_id = queue_run(acme.tenant, speaking(PIECES, 0.0))
    with running_host():
        wait_until_over(run_id)
    assert "Dear" not in json.dumps([event.payload for event in events_of(run_id)])
    with event_stream(server, acme.key, f"/runs/{run_id}/events?after=0") as events:
        assert "step.delta" not in {one.data["event_type"] for one in events}


@pytest.mark.django_db(transaction=True)
def test_a_failed_attempt_s_text_has_its_own_attempt(acme: Customer, server: ServerProcess) -> None:
    document = speaking(["again"], 0.1, fail="NOT_NOW", retryable=True)
    document["steps"][0]["retry"] = {"max_attempts": 2, "initial_seconds": 0.1}
    run_id = queue_run(acme.tenant, document)
    with event_stream(server, acme.key, f"/runs/{run_id}/events?after=0") as events, running_host():
        deltas = [one.data for one in events if one.data["event_type"] == "step.delta"]
    assert [(one["attempt"], one["payload"]["offset"]) for one in deltas] == [(1, 0), (2, 0)]


@pytest.mark.django_db(transaction=True)
def test_a_flood_of_pieces_neither_slows_the_run_nor_grows_the_host(acme: Customer) -> None:
    run_id = queue_run(acme.tenant, speaking(["x" * 100], 0.0, repeats=20_000))
    with running_host() as host:
        assert wait_until_over(run_id) == ["completed"]
        assert host._around.deltas._waiting <= MOST_PENDING
    run = get_run(run_id)
    assert (run.ended_at - run.started_at).total_seconds() < 10


async def test_without_redis_pieces_are_dropped_and_telling_never_fails(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    deltas, run_id = Deltas(), new_id()
    for number in range(100):
        deltas.tell(Delta(run_id, "speak", 1, 1, 2, number, "x"))
    await asyncio.sleep(0.3)
    assert deltas.dropped == 1, "what came together was one piece"
    for number in range(30):
        deltas.tell(Delta(run_id, "speak", 1, 1, 2, number * 100_000, "x" * 100_000))
    assert deltas._waiting <= MOST_PENDING
    await deltas.stop()


def test_a_message_that_is_none_of_ours_says_nothing() -> None:
    delta = Delta(new_id(), "speak", 1, 2, 3, 4, "text")
    assert read_deltas(write_deltas([delta])) == [delta]
    assert read_deltas(b"{") == []
    assert read_deltas(b'[["x"]]') == []
