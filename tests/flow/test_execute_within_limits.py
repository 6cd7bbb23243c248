"""A tenant's bounds hold when everything comes at once: starts of a day, and runs executed at the same time."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.conftest import Customer
from tests.support.engine import set_limits
from tests.support.segments import segment, step
from tests.support.server import running_server
from tests.support.step_types import APP
from tests.support.worker import running_worker

STARTS, A_DAY, AT_ONCE = 200, 50, 10
CALLERS = 32
NAP_SECONDS = 0.4
"""Twice in each run, so that those that are accepted are there before the first have ended."""
DOCUMENT = segment(
    step("nap", seconds=NAP_SECONDS, result_of="process"),
    step("again", seconds=NAP_SECONDS),
    step("where", "transform", expression="steps.nap.output"),
)


def executed(caller: httpx.Client, run_id: str) -> tuple[datetime, datetime]:
    """When a run began to be executed and when it ended, by its journal."""
    events: list[dict[str, Any]] = caller.get(f"/api/v1/runs/{run_id}/events?limit=100").json()["data"]
    assert (events[0]["event_type"], events[-1]["event_type"]) == ("segment.started", "segment.completed")
    return datetime.fromisoformat(events[0]["timestamp"]), datetime.fromisoformat(events[-1]["timestamp"])


def most_at_once(spans: list[tuple[datetime, datetime]]) -> int:
    """The largest number of spans that overlap; one that begins when another ends counts beside it."""
    changes = sorted([(began, 0) for began, _ in spans] + [(ended, 1) for _, ended in spans])
    level = most = 0
    for _, is_end in changes:
        level += -1 if is_end else 1
        most = max(most, level)
    return most


@pytest.mark.django_db(transaction=True)
@pytest.mark.soak
def test_of_200_starts_at_once_50_are_accepted_and_never_more_than_10_executed(acme: Customer) -> None:
    set_limits(acme.tenant, runs_per_day=A_DAY, concurrent_runs=AT_ONCE)
    with running_server(EXTRA_APPS=APP) as server, running_worker("worker-1"), running_worker("worker-2"):

        def start(_: int) -> httpx.Response:
            with server.caller(acme.key) as caller:
                return caller.post("/api/v1/runs", json={"segment": DOCUMENT, "input": {}})

        with ThreadPoolExecutor(CALLERS) as threads:
            answers = list(threads.map(start, range(STARTS)))
        assert Counter(answer.status_code for answer in answers) == {202: A_DAY, 402: STARTS - A_DAY}
        with server.caller(acme.key) as caller:
            run_ids = [answer.json()["run_id"] for answer in answers if answer.status_code == 202]
            over = [caller.get(f"/api/v1/runs/{run_id}?wait=30&until=over").json() for run_id in run_ids]
            spans = [executed(caller, run_id) for run_id in run_ids]
    assert {run["status"] for run in over} == {"completed"}
    assert len({run["output"] for run in over}) == 2, "both workers were to claim"
    assert most_at_once(spans) == AT_ONCE
