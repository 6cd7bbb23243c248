import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from foundation.scope import unscoped
from runs.commands import command_run
from runs.engine.store import workers
from runs.engine.store.connection import connect
from runs.models import Run, SignalKind, Worker
from runs.steps.registry import registry
from tenants.models import Tenant
from tests.support.engine import event_types, events_of, get_run, queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step

PATIENCE = 1.5


@pytest.fixture(autouse=True)
def patience(settings: Any) -> None:
    settings.STEP_TYPE_PATIENCE_SECONDS = PATIENCE


@contextmanager
def worker_with(*step_types: str) -> Iterator[None]:
    """Another worker, alive, that has these types; it executes nothing."""
    worker_id = UUID(int=7)
    with connect("test") as connection:
        workers.register(
            connection, worker_id=worker_id, name="other", lease_seconds=60, step_types=["probe@1", *step_types]
        )
        yield
        workers.unregister(connection, worker_id=worker_id)


def needs(tenant: Tenant, *step_types: str) -> UUID:
    return queue_run(tenant, segment(step("one")), step_types=sorted(["probe@1", *step_types]))


def is_stalled(run_id: UUID) -> bool:
    return get_run(run_id).status == "stalled"


def install(run_id: UUID) -> None:
    """As if a worker with the missing types had come: what is missing is needed no more."""
    with unscoped("stands in for a new worker"):
        Run.objects.filter(id=run_id).update(step_types=["probe@1"])


def test_a_worker_says_what_it_has(acme: Tenant) -> None:
    with running_host() as host:
        wait_for(lambda: host.worker_id is not None)
        worker = Worker.objects.get(id=host.worker_id)
    assert worker.step_types == list(registry().offers)
    assert {"transform@1", "http_action@1", "probe@1"} <= set(worker.step_types)


def test_a_run_waits_for_a_worker_that_has_its_types(acme: Tenant) -> None:
    run_id, other = needs(acme, "ghost@1"), needs(acme)
    with worker_with("ghost@1"), running_host():
        assert wait_until_over(other) == ["completed"]
        time.sleep(PATIENCE + 1)
        run = get_run(run_id)
        assert (run.status, run.owner, run.last_seq) == ("queued", None, 0)


def test_without_one_it_is_stalled_and_can_be_resumed(acme: Tenant) -> None:
    run_id, other = needs(acme, "ghost@1"), needs(acme)
    with running_host():
        began = time.monotonic()
        assert wait_until_over(other) == ["completed"]
        wait_for(lambda: is_stalled(run_id))
        assert time.monotonic() - began > PATIENCE * 0.6
        error = get_run(run_id).error
        assert error["code"] == "STEP_TYPE_UNAVAILABLE"
        assert "ghost@1" in error["message"]
        assert event_types(run_id) == ["segment.started", "segment.paused"]
        command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.RESUME)
        wait_for(lambda: len(events_of(run_id)) == 4, what="still nobody has it")
        wait_for(lambda: is_stalled(run_id))
        install(run_id)
        command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.RESUME)
        assert wait_until_over(run_id) == ["completed"]
    assert [event.seq for event in events_of(run_id)] == list(range(1, len(events_of(run_id)) + 1))
    assert event_types(run_id)[-4:] == [
        "segment.resumed",
        "step.started one",
        "step.completed one",
        "segment.completed",
    ]


def test_another_major_version_is_another_type(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("one")), step_types=["probe@2"])
    with running_host():
        wait_for(lambda: is_stalled(run_id))
    assert "probe@2" in get_run(run_id).error["message"]


def test_it_is_cancelled_at_once_and_paused_at_once(acme: Tenant, settings: Any) -> None:
    settings.STEP_TYPE_PATIENCE_SECONDS = 600
    unknown = segment(step("one", "ghost"))
    cancelled, paused = (queue_run(acme, unknown, step_types=["ghost@1"]) for _ in range(2))
    command_run(tenant=acme, actor="user:1", run_id=cancelled, command=SignalKind.CANCEL)
    command_run(tenant=acme, actor="user:1", run_id=paused, command=SignalKind.PAUSE)
    with running_host():
        assert wait_until_over(cancelled) == ["cancelled"]
        wait_for(lambda: get_run(paused).status == "paused")
    assert event_types(cancelled) == ["segment.started", "segment.cancelled"]
    assert event_types(paused) == ["segment.started", "segment.paused"]


def test_the_stalled_are_few_at_a_time_and_neighbours_finish(acme: Tenant, globex: Tenant) -> None:
    stuck = [needs(acme, f"ghost_{n % 3}@1") for n in range(30)]
    fine = [needs(globex) for _ in range(30)]
    with running_host():
        assert set(wait_until_over(*fine)) == {"completed"}
        wait_for(lambda: all(is_stalled(run_id) for run_id in stuck))
