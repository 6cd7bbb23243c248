"""A line for each attempt that reached out, by which one finds it again, and nothing of what it was about."""

import logging

import pytest

from tenants.models import Tenant
from tests.support.engine import queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step

CANARY = "canary-7f3a"
FIELDS = ("run", "step", "step_type", "activation", "attempt", "outcome")


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    return [
        tuple(getattr(record, field) for field in FIELDS)
        for record in caplog.records
        if record.name == "llmteam.attempts"
    ]


def test_each_attempt_that_reached_out_is_a_line(
    acme: Tenant, server: CountingServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.route("POST", "/*", [Answer(500, body=CANARY), Answer(200, body=CANARY)])
    retry = {"max_attempts": 2, "initial_seconds": 0.01}
    document = segment(
        step("first", "transform", expression="input"),
        step("call", "outsider", url=f"{server.url}/{CANARY}", retry=retry),
        step("bad", fail="AS_TOLD"),
    )
    with running_host():
        run_id = queue_run(acme, document, input={"secret": CANARY})
        wait_until_over(run_id)
    run = str(run_id)
    assert lines(caplog) == [
        (run, "call", "outsider", 1, 1, "HOST_FAILED"),
        (run, "call", "outsider", 1, 2, "completed"),
        (run, "bad", "probe", 1, 1, "AS_TOLD"),
    ]
    assert f"run {run} step call#1 (outsider) attempt 2: completed, " in caplog.text
    assert CANARY not in caplog.text


def test_pure_steps_are_lines_for_those_who_debug(acme: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="llmteam.attempts")
    document = segment(step("first", "transform", expression="input"), step("boom", result_of="crash"))
    with running_host():
        wait_until_over(queue_run(acme, document))
    assert [line[1:] for line in lines(caplog)] == [
        ("first", "transform", 1, 1, "completed"),
        ("boom", "probe", 1, 1, "crashed"),
    ]


def test_nothing_is_written_where_nobody_wants_to_read(acme: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with running_host():
        wait_until_over(queue_run(acme, segment(step("one"))))
    assert lines(caplog) == []
