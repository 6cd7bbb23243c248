import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from foundation.scope import unscoped
from runs.core.events import EventType
from runs.models import Run
from tenants.models import Tenant
from tests.support.engine import event_types, events_of, get_run, queue_run, queue_runs, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer, RecordedRequest
from tests.support.segments import segment, step


def payloads(run_id: Any, event_type: str) -> list[dict[str, Any]]:
    return [event.payload for event in events_of(run_id) if event.type == event_type]


def test_a_chain_runs_to_its_output(acme: Tenant) -> None:
    document = segment(
        step("first", "transform", expression="input.n + 1"),
        step("call", "probe"),
        step("last", "transform", mapping={"total": "input * 10"}),
    )
    run_id = queue_run(acme, document, input={"n": 1})
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    run = get_run(run_id)
    assert run.output == {"total": 20}
    assert event_types(run_id) == [
        "segment.started",
        "step.started first",
        "step.completed first",
        "step.started call",
        "step.completed call",
        "step.started last",
        "step.completed last",
        "segment.completed",
    ]
    assert [event.seq for event in events_of(run_id)] == list(range(1, 9))
    assert (run.last_seq, run.activations, run.active, run.owner, run.wake_at) == (8, 3, 0, None, None)
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.ended_at >= run.started_at


def test_two_parallel_calls_are_under_way_at_the_same_time(acme: Tenant, server: CountingServer) -> None:
    both = threading.Barrier(2)

    def answer(_request: RecordedRequest) -> Answer:
        both.wait(10)
        return Answer(body={"ok": True})

    server.route("GET", "/slow", answer)
    document = segment(
        step("split", "parallel_split", branches=2),
        step("left", "http_action", url=f"{server.url}/slow", method="GET"),
        step("right", "http_action", url=f"{server.url}/slow", method="GET"),
        step("join", "parallel_join"),
        edges=[
            {"from": "split", "from_port": "branch_1", "to": "left"},
            {"from": "split", "from_port": "branch_2", "to": "right"},
            {"from": "left", "to": "join"},
            {"from": "right", "to": "join"},
        ],
    )
    run_id = queue_run(acme, document)
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output == [{"ok": True}, {"ok": True}]
    assert server.count("/slow") == 2


@pytest.mark.parametrize("type_id", ["probe", "pure_probe"])
def test_a_refused_value_fails_its_step_alone(acme: Tenant, type_id: str) -> None:
    good = queue_run(acme, segment(step("one", type_id)))
    too_large = queue_run(acme, segment(step("one", type_id, result_of="large")))
    nul = queue_run(acme, segment(step("one", type_id, result_of="nul")))
    nan = queue_run(acme, segment(step("one", type_id, result_of="nan")))
    crash = queue_run(acme, segment(step("one", type_id, result_of="crash")))
    with running_host():
        run_ids = [good, too_large, nul, nan, crash]
        assert wait_until_over(*run_ids) == ["completed", "failed", "failed", "failed", "failed"]
    codes = [get_run(run_id).error["code"] for run_id in run_ids[1:]]
    assert codes == ["VALUE_TOO_LARGE", "VALUE_REFUSED", "VALUE_REFUSED", "STEP_CRASHED"]
    error = get_run(crash).error
    assert error["step_id"] == "one"
    assert "secret" not in str(error), "the text of an unforeseen exception stays in the log"


def test_integers_beyond_2_to_the_53_are_kept_as_text(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("one", "probe", result_of="big")))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output == {"big": "9007199254740993"}


def test_a_failure_that_may_pass_is_tried_again_and_journalled(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/x", [Answer(503), Answer(503, headers={"Retry-After": "1"}), Answer(body={"ok": True})])
    retry = {"max_attempts": 3, "initial_seconds": 0.05}
    run_id = queue_run(acme, segment(step("call", "http_action", url=f"{server.url}/x", retry=retry)))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    retrying = payloads(run_id, "step.retrying")
    assert [(event["reason"], event["consumed"], event["error"]["attempts"]) for event in retrying] == [
        ("failed", True, 1),
        ("failed", True, 2),
    ]
    assert [event.attempt for event in events_of(run_id) if event.type == "step.started"] == [1, 2, 3]
    assert list(server.keys().values()) == [3], "all three with one key"
    early = next(event for event in events_of(run_id) if event.type == "step.retrying")
    assert datetime.fromisoformat(early.payload["retry_at"]) - early.created_at < timedelta(seconds=0.5)
    _, second, third = server.calls
    assert third.at - second.at >= 0.9, "Retry-After is honoured"


def test_the_last_failure_fails_the_run_and_names_the_step(acme: Tenant) -> None:
    retry = {"max_attempts": 2, "initial_seconds": 0.01}
    run_id = queue_run(acme, segment(step("call", fail="NOPE", retryable=True, retry=retry)))
    with running_host():
        assert wait_until_over(run_id) == ["failed"]
    error = get_run(run_id).error
    assert (error["code"], error["step_id"], error["activation"], error["attempts"]) == ("NOPE", "call", 1, 2)
    assert payloads(run_id, "segment.failed") == [{"error": error}]


def test_an_attempt_over_its_time_fails(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=30, timeout_seconds=0.2)))
    with running_host():
        assert wait_until_over(run_id) == ["failed"]
    assert get_run(run_id).error["code"] == "STEP_TIMED_OUT"


def test_a_run_over_its_time_ends_as_timed_out(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=30)), timeout_seconds=0.5)
    with running_host():
        assert wait_until_over(run_id) == ["timed_out"]
    assert get_run(run_id).error["code"] == "RUN_TIMED_OUT"
    assert "0.5 s" in get_run(run_id).error["message"]
    assert event_types(run_id)[-2:] == ["step.skipped slow", "segment.failed"]
    assert payloads(run_id, "step.skipped") == [{"reason": "timed_out", "effect": "unknown"}]


def test_a_step_type_nobody_has_stalls_the_run_with_its_reason(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("one", "probe")))
    with unscoped("a test takes a step type away"):
        revision = Run.objects.get(id=run_id).revision
        revision.definition = segment(step("one", "long_gone"))
        revision.save(update_fields=["definition"])
    with running_host():
        wait_for(lambda: get_run(run_id).status == "stalled")
    assert event_types(run_id) == ["segment.started", "segment.paused"]
    assert payloads(run_id, "segment.paused")[0]["code"] == "STEP_TYPE_UNAVAILABLE"


def test_pure_work_of_one_run_does_not_keep_others_waiting(acme: Tenant) -> None:
    busy = [step(f"s{n}", "pure_probe", blocking_seconds=0.01) for n in range(150)]
    long_run = queue_run(acme, segment(*busy))
    short_runs = queue_runs(acme, segment(step("one")), 3)
    with running_host():
        wait_until_over(*short_runs)
        assert get_run(long_run).status == "running"
        assert wait_until_over(long_run) == ["completed"]


def test_a_run_whose_value_postgres_refuses_fails_alone(acme: Tenant) -> None:
    victim = queue_run(acme, segment(step("slow", seconds=0.5), step("next")))
    others = queue_runs(acme, segment(step("slow", seconds=0.5), step("next")), 200)
    with running_host() as host:
        wait_for(lambda: event_types(victim)[-1:] == ["step.started slow"])
        journal = host.runners[victim]._journal

        def spoil() -> None:
            journal.append(EventType.ACTION_STARTED, {"n": 1}, step_id="slow", activation=1, attempt=1)
            journal.rows[-1] = (*journal.rows[-1][:-1], "{no json")

        host._call(spoil)
        assert wait_until_over(victim, *others) == ["failed", *["completed"] * 200]
    assert get_run(victim).error["code"] == "VALUE_REFUSED"
    events = events_of(victim)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].type == "segment.failed"


def test_a_handler_knows_when_its_time_is_over(acme: Tenant) -> None:
    of_step = queue_run(acme, segment(step("one", result_of="seconds_left", timeout_seconds=7)))
    of_run = queue_run(acme, segment(step("one", result_of="seconds_left", timeout_seconds=7)), timeout_seconds=3)
    with running_host():
        wait_until_over(of_step, of_run)
    assert 6 < get_run(of_step).output <= 7
    assert 2 < get_run(of_run).output <= 3


ROUND = [{"from": "j", "to": "c"}, {"from": "c", "from_port": "true", "to": "j"}]
PORTS = {"input": ["left", "right"], "output": ["true", "false"]}
AROUND = [
    {"from": "h", "to": "c", "to_port": "left"},
    {"from": "h", "to": "c", "to_port": "right"},
    {"from": "c", "from_port": "true", "to": "c", "to_port": "left"},
]


@pytest.mark.parametrize(
    ("steps", "edges"),
    [
        ([step("j", "parallel_join"), step("c", "condition", expression="true")], ROUND),
        ([step("h", "transform"), step("c", "condition", expression="true", ports=PORTS)], AROUND),
    ],
    ids=["a join", "two input ports"],
)
def test_values_that_gatherings_nest_ever_deeper_fail_their_step(
    acme: Tenant, steps: list[dict[str, Any]], edges: list[dict[str, str]]
) -> None:
    run_ids = [queue_run(acme, segment(*steps, edges=edges, max_activations=most)) for most in (40, 1_000)]
    with running_host():
        assert wait_until_over(*run_ids) == ["failed", "failed"]
    shallow, deep = (get_run(run_id).error for run_id in run_ids)
    assert shallow["code"] == "ACTIVATION_LIMIT"
    assert (deep["code"], deep["message"]) == ("VALUE_REFUSED", "The nesting is deeper than 64.")
