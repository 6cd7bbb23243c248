"""What a model says is seen while it says it, by whoever follows the run, and is kept nowhere."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kernel.ids import new_id
from runs.bus.deltas import MAX_PENDING, Delta, read_deltas, write_deltas
from tests.conftest import Customer
from tests.support.engine import events_of, get_run, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.host_settings import with_step_types
from tests.support.server import ServerProcess, running_server
from tests.support.streams import event_stream, message, until_closed, websocket
from tests.support.valkeys import own_valkey

PIECES = ["Dear ", "customer, ", "goodness ", "\u00e9\u4e2d\n", "bye"]


@pytest.fixture(scope="module", autouse=True)
def engine_settings() -> Iterator[None]:
    with with_step_types():
        yield


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
def test_who_comes_again_goes_on_without_what_was_said_before(acme: Customer, server: ServerProcess) -> None:
    run_id = queue_run(acme.tenant, speaking([f"{number:03d}" for number in range(30)]))
    path = f"/runs/{run_id}/events?after=0"
    with running_host():
        with event_stream(server, acme.key, path) as events:
            first = events.take(5)
        last_id = [one.id for one in first if one.id][-1]
        with event_stream(server, acme.key, path, **{"Last-Event-ID": last_id}) as events:
            second = list(events)
    heard = [one.data["payload"]["offset"] for one in first if one.data["event_type"] == "step.delta"]
    again = [one.data["payload"]["offset"] for one in second if one.data["event_type"] == "step.delta"]
    assert heard
    assert again
    assert min(again) > max(heard)
    stored = [one.data["event_type"] for one in second if one.data["event_type"] != "step.delta"]
    assert stored == ["step.completed", "data.produced", "segment.completed"]


@pytest.mark.django_db(transaction=True)
def test_a_stream_of_all_runs_has_none(acme: Customer, server: ServerProcess) -> None:
    with websocket(server, "/ws/v1/events/", key=acme.key) as everything:
        run_id = queue_run(acme.tenant, speaking(PIECES))
        with websocket(server, f"/ws/v1/runs/{run_id}/", key=acme.key) as one, running_host():
            assert "step.delta" in {record["event_type"] for record in until_closed(one)[0]}
            seen = [message(everything)["event_type"]]
            while seen[-1] != "segment.completed":
                seen.append(message(everything)["event_type"])
    assert "step.started" in seen
    assert "step.delta" not in seen


@pytest.mark.django_db(transaction=True)
def test_another_run_s_followers_hear_none(acme: Customer, globex: Customer, server: ServerProcess) -> None:
    run_id, other_id = queue_run(acme.tenant, speaking(PIECES)), queue_run(globex.tenant, speaking([], 0.0, seconds=1))
    with (
        websocket(server, f"/ws/v1/runs/{run_id}/", key=acme.key) as socket,
        websocket(server, f"/ws/v1/runs/{other_id}/", key=globex.key) as other,
        running_host(),
    ):
        assert "step.delta" in {record["event_type"] for record in until_closed(socket)[0]}
        assert "step.delta" not in {record["event_type"] for record in until_closed(other)[0]}


@pytest.mark.django_db(transaction=True)
def test_a_second_answer_of_an_attempt_is_a_text_of_its_own(acme: Customer, server: ServerProcess) -> None:
    said = ["another_text", "Half an", "another_text", "another_text", "Full one"]
    run_id = queue_run(acme.tenant, speaking(said))
    with event_stream(server, acme.key, f"/runs/{run_id}/events?after=0") as events, running_host():
        heard = [one.data["payload"] for one in events if one.data["event_type"] == "step.delta"]
    assert heard == [
        {"answer": 1, "offset": 0, "text": "Half an"},
        {"answer": 2, "offset": 0, "text": "Full one"},
    ]


@pytest.mark.django_db(transaction=True)
def test_what_is_no_text_is_heard_as_a_question_mark_and_hinders_nobody(acme: Customer, server: ServerProcess) -> None:
    run_id = queue_run(acme.tenant, speaking(["half_a_pair", "fine"]))
    with event_stream(server, acme.key, f"/runs/{run_id}/events?after=0") as events, running_host():
        deltas = [one.data for one in events if one.data["event_type"] == "step.delta"]
    assert text_of(deltas) == "?fine"


@pytest.mark.django_db(transaction=True)
def test_with_redis_gone_amid_the_text_the_run_and_its_stream_end_all_the_same(acme: Customer, settings: Any) -> None:
    with own_valkey() as valkey, running_server(REDIS_URL=valkey.url) as server:
        settings.REDIS_URL = valkey.url
        run_id = queue_run(acme.tenant, speaking([f"{number:03d}" for number in range(30)]))
        with event_stream(server, acme.key, f"/runs/{run_id}/events?after=0") as events, running_host():
            kinds: list[str] = []
            for one in events:
                kinds.append(one.data["event_type"])
                if kinds.count("step.delta") == 3 and kinds[-1] == "step.delta":
                    valkey.stop()
    assert kinds.count("step.delta") < 30
    assert [kind for kind in kinds if kind != "step.delta"] == [
        *("segment.started", "step.started", "step.completed", "data.produced", "segment.completed")
    ]


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
        assert host._around.deltas._waiting <= MAX_PENDING
    run = get_run(run_id)
    assert (run.ended_at - run.started_at).total_seconds() < 10


def test_a_message_that_is_none_of_ours_says_nothing() -> None:
    delta = Delta(new_id(), "speak", 1, 2, 1, 3, 4, "text")
    assert read_deltas(write_deltas([delta])) == [delta]
    assert read_deltas(b"{") == []
    for text in (b"7", b"[7]", b'[["x"]]', b"[[1, 2, 3, 4, 5, 6, 7, 8]]", b"\xff"):
        assert read_deltas(text) == []
