import signal
from uuid import UUID

from runs.commands import command_run
from runs.models import SignalKind
from tenants.models import Tenant
from tests.support.engine import event_types, events_of, get_run, queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.worker import running_worker


def lose_a_call(acme: Tenant, server: CountingServer, on_unknown: str) -> UUID:
    """A run whose worker was killed while it called; nobody knows what came of the call."""
    server.route("POST", "/pay", [Answer(body={"paid": 1}, delay_seconds=20), Answer(body={"paid": 2})])
    pay = step("pay", "http_action", url=f"{server.url}/pay", on_unknown=on_unknown)
    run_id = queue_run(acme, segment(step("first"), pay, step("last")))
    with running_worker("worker-1") as worker:
        wait_for(lambda: server.count() == 1)
        worker.kill()
    return run_id


def test_a_person_who_resumes_has_the_call_made_again(acme: Tenant, server: CountingServer) -> None:
    run_id = lose_a_call(acme, server, "ask")
    with running_host():
        wait_for(lambda: get_run(run_id).status == "stalled")
        error = get_run(run_id).error
        assert (error["code"], error["step_id"], error["activation"]) == ("OUTCOME_UNKNOWN", "pay", 1)
        assert "pay#1" in error["message"]
        assert events_of(run_id)[-1].payload["code"] == "OUTCOME_UNKNOWN"
        assert server.count() == 1
        command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.RESUME, reason="asked the bank")
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output == {"paid": 2}
    first, second = server.calls
    assert first.idempotency_key == second.idempotency_key
    resumed = next(event for event in events_of(run_id) if event.type == "segment.resumed")
    assert resumed.payload == {"reason": "asked the bank", "actor": "user:1"}
    retrying = next(event for event in events_of(run_id) if event.type == "step.retrying")
    assert (retrying.seq, retrying.payload["reason"]) == (resumed.seq + 1, "owner_lost")


def test_a_person_who_cancels_ends_it(acme: Tenant, server: CountingServer) -> None:
    run_id = lose_a_call(acme, server, "ask")
    with running_host():
        wait_for(lambda: get_run(run_id).status == "stalled")
        command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.CANCEL)
        assert wait_until_over(run_id) == ["cancelled"]
    assert server.count() == 1
    skipped = next(event for event in events_of(run_id) if event.type == "step.skipped")
    assert skipped.payload["effect"] == "unknown"


def test_who_is_asked_again_is_asked_about_the_new_call_only(acme: Tenant, server: CountingServer) -> None:
    run_id = lose_a_call(acme, server, "ask")
    server.route("POST", "/pay", [Answer(delay_seconds=20), Answer(body={"paid": 3})])
    with running_worker("worker-2") as worker:
        wait_for(lambda: get_run(run_id).status == "stalled")
        command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.RESUME)
        wait_for(lambda: server.count() == 2)
        worker.kill()
    with running_host():
        wait_for(lambda: get_run(run_id).status == "stalled")
        command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.RESUME)
        assert wait_until_over(run_id) == ["completed"]
    assert event_types(run_id).count("segment.paused") == 2
    assert server.count() == 3


def test_a_pause_beside_the_question_is_not_lost(acme: Tenant, server: CountingServer) -> None:
    run_id = lose_a_call(acme, server, "ask")
    command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.PAUSE)
    with running_host():
        wait_for(lambda: get_run(run_id).status == "paused")
        command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.RESUME)
        wait_for(lambda: get_run(run_id).status == "stalled")
    assert server.count() == 1, "to take back a pause is no answer to a question nobody was asked"


def test_a_call_that_must_not_be_repeated_is_not_after_a_worker_was_stopped(
    acme: Tenant, server: CountingServer
) -> None:
    server.route("POST", "/pay", Answer(body={"paid": 1}, delay_seconds=20))
    pay = step("pay", "http_action", url=f"{server.url}/pay", on_unknown="fail")
    run_id = queue_run(acme, segment(pay))
    with running_worker("worker-1", WORKER_GRACE_SECONDS="1") as worker:
        wait_for(lambda: server.count() == 1)
        worker.send(signal.SIGTERM)
        wait_for(lambda: get_run(run_id).owner is None)
        worker.stop()
    with running_host():
        assert wait_until_over(run_id) == ["failed"]
    assert get_run(run_id).error["code"] == "OWNER_LOST"
    assert server.count() == 1
