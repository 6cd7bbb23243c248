"""What a callback is told of each event: whole where it fits, never too large. Pure."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.api.serializers import MAX_METADATA_BYTES
from runs.callbacks.payload import EVENTS, MAX_BYTES, TASKS, DeliveredFact, write_body

RUN_ID = UUID("01a20c5a-212d-770f-9098-94209542c47a")
AT = datetime(2026, 11, 24, 7, 0, 0, 12_000, UTC)
ADDRESS = f"https://llmteam.test/api/v1/runs/{RUN_ID}"


def body(event_type: str, payload: Any, **more: Any) -> dict[str, Any]:
    fact = {"client_reference": "", "metadata": {}, **more}
    text = write_body(
        DeliveredFact(
            RUN_ID,
            "greet",
            fact["client_reference"],
            fact["metadata"],
            event_type,
            AT,
            payload,
            ADDRESS.rpartition("/")[0],
            fact.get("step_id"),
            fact.get("activation"),
        )
    )
    assert len(text.encode()) < MAX_BYTES
    told: dict[str, Any] = json.loads(text)
    assert {"type", "timestamp", "run_id", "segment_id", "status", "client_reference"} <= told.keys()
    assert (told["type"], told["timestamp"]) == (event_type, "2026-11-24T07:00:00.012000Z")
    return told


@pytest.mark.parametrize(
    ("event_type", "payload", "status"),
    [
        ("segment.started", {"input": "x" * 30_000}, "running"),
        ("segment.completed", {"output": 1}, "completed"),
        ("segment.failed", {"error": {"code": "X", "message": "m"}}, "failed"),
        ("segment.failed", {"error": {"code": "RUN_TIMED_OUT", "message": "m"}}, "timed_out"),
        ("segment.cancelled", {"reason": "enough"}, "cancelled"),
        ("segment.paused", {"reason": "lunch", "actor": "key:1"}, "paused"),
        ("segment.paused", {"reason": "stalled", "code": "OWNERS_LOST", "message": "five workers"}, "stalled"),
        ("segment.resumed", {"reason": "", "actor": "key:1"}, "running"),
    ],
)
def test_the_status_is_where_the_event_leaves_the_run(event_type: str, payload: Any, status: str) -> None:
    assert body(event_type, payload)["status"] == status


def test_reasons_are_told_and_who_gave_them_is_not() -> None:
    paused = body("segment.paused", {"reason": "lunch", "actor": "user:42"})
    assert paused["reason"] == "lunch"
    assert "user:42" not in json.dumps(paused)
    assert body("segment.paused", {"reason": "stalled", "message": "five workers"})["reason"] == "five workers"


def test_an_output_of_null_is_told_as_such() -> None:
    assert body("segment.completed", {"output": None})["output"] is None


def test_warnings_are_told_beside_the_output_and_only_where_there_are_any() -> None:
    warnings = [{"code": "OUTPUT_MISFIT", "message": "Not a number.", "pointer": "/output/n"}]
    assert body("segment.completed", {"output": {"n": "x"}, "warnings": warnings})["warnings"] == warnings
    assert "warnings" not in body("segment.completed", {"output": {"n": 1}})


def test_an_output_too_large_gives_way_to_its_address() -> None:
    fits = body("segment.completed", {"output": "x" * 15_000})
    assert fits["output"] == "x" * 15_000
    assert "output_url" not in fits
    for payload in ({"output": "x" * 25_000}, None):
        told = body("segment.completed", payload, metadata={"a": 1})
        assert told["output_url"] == ADDRESS
        assert told["metadata"] == {"a": 1}
        assert "output" not in told


def test_of_an_error_too_large_is_kept_what_names_it() -> None:
    error = {"code": "X", "message": "m" * 600, "step_id": "a", "activation": 2, "attempts": 3, "details": "d" * 25_000}
    told = body("segment.failed", {"error": error})
    assert told["error"] == {"code": "X", "message": "m" * 500, "step_id": "a", "activation": 2, "attempts": 3}
    assert told["output_url"] == ADDRESS
    assert body("segment.failed", {"error": {**error, "details": "d"}})["error"]["details"] == "d"
    assert body("segment.failed", None)["error"]["code"] == "ERROR_TOO_LARGE"


@pytest.mark.parametrize("event_type", TASKS)
def test_a_task_is_told_with_its_step_and_where_it_leaves_the_run(event_type: str) -> None:
    told = body(event_type, {"task_id": "t", "title": "Pay?"}, step_id="ask", activation=2)
    assert (told["step_id"], told["activation"], told["task"]) == ("ask", 2, {"task_id": "t", "title": "Pay?"})
    assert told["status"] == ("running" if event_type == "human.task_completed" else "waiting")


def test_of_a_long_comment_the_end_is_left_out_and_the_decision_stays() -> None:
    metadata = {"m": "y" * (MAX_METADATA_BYTES - 100)}
    task = {"task_id": "t", "decision": "approved", "comment": "\u0434" * 10_000}
    short = {**task, "comment": "\u0434" * 500}
    assert body("human.task_completed", task)["task"] == short
    told = body("human.task_completed", {**task, "comment": "c" * 5_000}, metadata=metadata)
    assert (told["task"], told.get("metadata")) == ({**task, "comment": "c" * 500}, metadata)
    told = body("human.task_completed", {**task, "asked": "a" * 5_000}, metadata=metadata)
    assert (told["task"], told["output_url"]) == ({**short, "asked": "a" * 5_000}, ADDRESS)
    assert body("human.task_completed", {**task, "asked": "a" * 25_000})["task"] == {"task_id": "t"}


def test_metadata_of_any_allowed_size_is_told_beside_an_address() -> None:
    told = body("segment.completed", {"output": "x" * 25_000}, metadata={"m": "y" * (MAX_METADATA_BYTES - 100)})
    assert len(told["metadata"]["m"]) == MAX_METADATA_BYTES - 100


@given(
    event_type=st.sampled_from(EVENTS),
    reference=st.text(max_size=255),
    filler=st.integers(0, 30_000),
    character=st.sampled_from(["x", "é", "\x01", "\U0001f600"]),
)
def test_no_body_is_ever_too_large(event_type: str, reference: str, filler: int, character: str) -> None:
    reason = character * min(filler, 500)
    payload = {
        "output": character * filler,
        "reason": reason,
        "task_id": "t",
        "comment": character * filler,
        "asked": character * (filler // 2),
        "error": {"code": "X", "message": character * filler, "details": {}},
    }
    metadata = {"m": "z" * (MAX_METADATA_BYTES - 10)}
    body(event_type, payload, client_reference=reference, metadata=metadata)


def test_of_a_wait_it_is_told_which_step_for_what_and_where_to_call() -> None:
    wait = {"kind": "call", "until": "2026-11-26T07:00:00+00:00", "place": "0", "resume_url": "https://llmteam.test/r"}
    told = body("step.waiting", wait, step_id="hold", activation=2, metadata={"a": 1})
    assert (told["status"], told["step_id"], told["activation"], told["wait"]) == ("waiting", "hold", 2, wait)
    assert told["metadata"] == {"a": 1}
