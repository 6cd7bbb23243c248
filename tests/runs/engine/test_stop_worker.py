import asyncio
import signal
import time

from runs.engine.host.host import Host
from runs.models import Worker
from tenants.models import Tenant
from tests.support.engine import event_types, events_of, get_run, queue_run, queue_runs, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.worker import running_worker


def test_attempts_in_flight_finish_and_the_run_is_handed_over(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/x", Answer(body={"ok": True}, delay_seconds=2))
    calls = [step(f"call_{n}", "http_action", url=f"{server.url}/x") for n in range(2)]
    run_ids = queue_runs(acme, segment(*calls), 5)
    with running_worker("worker-1") as worker:
        wait_for(lambda: server.count() >= 5)
        assert worker.stop() < 5
        assert server.count() == 5, "nothing new was started"
        assert not Worker.objects.exists(), "it said good-bye"
        for run_id in run_ids:
            run = get_run(run_id)
            assert event_types(run_id)[-1] == "step.completed call_0"
            assert (run.owner, run.status) == (None, "running")
            assert run.wake_at is not None
            assert run.losses == 0
    with running_host():
        assert set(wait_until_over(*run_ids)) == {"completed"}
    assert server.count() == 10
    assert set(server.keys().values()) == {1}


def test_what_outlasts_the_grace_is_tried_again_at_no_cost(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=60)))
    with running_worker("worker-1", WORKER_GRACE_SECONDS="1") as worker:
        wait_for(lambda: event_types(run_id)[-1:] == ["step.started slow"])
        began = time.monotonic()
        worker.send(signal.SIGTERM)
        wait_for(lambda: event_types(run_id)[-1:] == ["step.retrying slow"])
        assert time.monotonic() - began >= 1
        worker.stop()
    retrying = events_of(run_id)[-1]
    assert (retrying.payload["reason"], retrying.payload["consumed"]) == ("shutdown", False)
    assert get_run(run_id).owner is None
    with running_host():
        wait_for(lambda: event_types(run_id)[-1] == "step.started slow")
        assert [event.attempt for event in events_of(run_id) if event.type == "step.started"] == [1, 2]


def test_a_worker_without_a_broker_executes_and_stops(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("one")))
    with running_worker("worker-1", REDIS_URL="redis://127.0.0.1:1/0") as worker:
        assert wait_until_over(run_id) == ["completed"]
        assert worker.stop() < 10


def test_a_host_that_is_told_to_stop_before_it_serves_ends_at_once(acme: Tenant) -> None:
    host = Host("test host")
    host.stop()
    asyncio.run(asyncio.wait_for(host.serve(), timeout=20))
    assert not Worker.objects.exists()
