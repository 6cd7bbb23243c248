from typing import Any
from uuid import UUID

import pytest

from runs.engine.host import host as host_module
from runs.models import RunEvent
from tenants.models import Tenant
from tests.support.engine import event_types, events_of, queue_run, queue_runs, statuses, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step

LOSSES = 3


@pytest.fixture(autouse=True)
def busy_host(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WORKER_CAPACITY = 4
    monkeypatch.setattr(host_module, "SUSPECT_PATIENCE_SECONDS", 0.5)


def queue_neighbours(tenant: Tenant) -> list[UUID]:
    """More than the host has room for, so that it is never idle."""
    return queue_runs(tenant, segment(step("short", seconds=0.3)), 60)


def event(run_id: UUID, kind: str, step_id: str) -> RunEvent:
    return next(one for one in events_of(run_id) if (one.type, one.step_id) == (kind, step_id))


def test_a_busy_host_makes_room_for_a_run_that_may_kill_it_and_runs_nothing_beside_it(acme: Tenant) -> None:
    neighbours = queue_neighbours(acme)
    with running_host() as host:
        wait_for(lambda: len(host.runners) == 4)
        suspect = queue_run(acme, segment(step("dangerous", seconds=0.6)), losses=LOSSES)
        wait_until_over(suspect, seconds=4)
        assert "queued" in set(statuses(neighbours).values()), "the host was idle by then: nothing is shown"
        assert set(wait_until_over(*neighbours)) == {"completed"}
    began = event(suspect, "step.started", "dangerous").created_at
    ended = event(suspect, "step.completed", "dangerous").created_at
    for run_id in neighbours:
        types = event_types(run_id)
        assert types.count("step.started short") == 1, "making room costs nobody an attempt"
        first, last = (event(run_id, kind, "short").created_at for kind in ("step.started", "step.completed"))
        assert last <= began or first >= ended, "something was executed beside it"


def test_others_go_on_beside_it_once_it_has_got_on(acme: Tenant) -> None:
    neighbours = queue_neighbours(acme)
    with running_host() as host:
        wait_for(lambda: len(host.runners) == 4)
        suspect = queue_run(acme, segment(step("first"), step("second", seconds=3)), losses=LOSSES)
        wait_for(lambda: "step.started second" in event_types(suspect))
        waiting = [run_id for run_id in neighbours if statuses([run_id])[run_id] == "queued"]
        assert waiting, "the host was idle by then: nothing is shown"
        assert wait_until_over(waiting[0], seconds=2.5) == ["completed"]
        assert "step.completed second" not in event_types(suspect)


def test_an_attempt_that_takes_longer_than_the_grace_does_not_keep_it_waiting(acme: Tenant, settings: Any) -> None:
    settings.WORKER_GRACE_SECONDS = 0.5
    long = queue_run(acme, segment(step("long", seconds=4)))
    with running_host():
        wait_for(lambda: "step.started long" in event_types(long))
        suspect = queue_run(acme, segment(step("dangerous")), losses=LOSSES)
        wait_until_over(suspect, seconds=3)
        assert "step.completed long" not in event_types(long)
        assert wait_until_over(long) == ["completed"]
    assert event_types(long).count("step.started long") == 1
