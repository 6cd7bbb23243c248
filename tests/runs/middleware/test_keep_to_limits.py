"""A connection's calls a minute are its tenant's, however many workers make them; what is over waits durably."""

import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from limits import RateLimitItemPerSecond

from kernel.clock import utc_now
from runs.middleware import rate_limit
from tenants.models import Tenant
from tests.support.engine import events_of, get_run, queue_run, queue_runs, statuses, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step

LIMIT = 5


def calling(server: CountingServer, path: str, *, connection: str | None = "crm") -> dict[str, Any]:
    return segment(step("call", "outsider", url=f"{server.url}{path}", connection=connection, per_minute=LIMIT))


def rest(run_ids: list[UUID], **wanted: int) -> None:
    def found() -> bool:
        now = list(statuses(run_ids).values())
        return {status: now.count(status) for status in set(now)} == wanted

    wait_for(found, what=str(wanted))


def waits_until(run_ids: list[UUID]) -> list[datetime]:
    waiting = [run.waiting_for for run in map(get_run, run_ids) if run.status == "waiting"]
    assert {(waits["kind"], waits["ref"]) for (waits,) in waiting} == {("rate_limit", "call#1")}
    return sorted(datetime.fromisoformat(waits["until"]) for (waits,) in waiting)


def test_calls_over_the_limit_of_two_hosts_together_wait_for_their_turn(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/*", Answer(200))
    run_ids = queue_runs(acme, calling(server, "/a"), LIMIT + 3)
    with running_host(), running_host():
        rest(run_ids, completed=LIMIT, waiting=3)
    assert server.count() == LIMIT
    until = waits_until(run_ids)
    first_call = utc_now() - timedelta(seconds=time.monotonic() - server.calls[0].at)
    assert abs(until[0] - first_call - timedelta(minutes=1)) < timedelta(seconds=2), "the first call is a minute old"
    assert timedelta(seconds=10) < until[-1] - until[0] < timedelta(seconds=26), "not all at the same time"


def test_another_tenant_and_another_connection_have_limits_of_their_own(
    acme: Tenant, globex: Tenant, server: CountingServer
) -> None:
    server.route("POST", "/*", Answer(200))
    run_ids = queue_runs(acme, calling(server, "/a"), LIMIT + 1)
    with running_host():
        rest(run_ids, completed=LIMIT, waiting=1)
        others = queue_runs(globex, calling(server, "/b"), LIMIT)
        others += queue_runs(acme, calling(server, "/c", connection="erp"), LIMIT)
        others += queue_runs(acme, calling(server, "/d", connection=None), LIMIT + 1)
        assert set(wait_until_over(*others)) == {"completed"}


def test_who_waited_goes_on_when_there_is_room_and_it_cost_no_attempt(
    acme: Tenant, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute has two seconds here; a call may reach its host half a second after it was let go."""
    monkeypatch.setattr(rate_limit, "_limit", lambda amount: RateLimitItemPerSecond(amount, 2))
    server.route("POST", "/*", Answer(200))
    run_ids = queue_runs(acme, calling(server, "/a"), 2 * LIMIT)
    with running_host():
        assert set(wait_until_over(*run_ids)) == {"completed"}
    at = sorted(call.at for call in server.calls)
    assert all(later - earlier > 1.5 for earlier, later in zip(at, at[LIMIT:], strict=False))
    retries = [event for run_id in run_ids for event in events_of(run_id) if event.type == "step.retrying"]
    assert len(retries) >= LIMIT
    assert {(event.payload["reason"], event.payload["consumed"]) for event in retries} == {("rate_limit", False)}


def test_a_call_that_waits_for_room_says_nothing_about_its_host(
    acme: Tenant, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.route("POST", "/*", Answer(200))
    run_ids = queue_runs(acme, calling(server, "/a"), LIMIT + 40)
    with running_host():
        rest(run_ids, completed=LIMIT, waiting=40)
        free = queue_run(acme, calling(server, "/b", connection="erp"))
        assert wait_until_over(free) == ["completed"]
