"""An inactive tenant stands still: nothing is claimed, calls in flight end, times stand; active again, it goes on."""

from uuid import UUID

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.commands import command_run
from runs.models import Run, SignalKind
from tenants.models import Tenant
from tests.support.callbacks import set_due, start_with_callback, wait_for_attempts, wait_for_status
from tests.support.engine import event_types, get_run, queue_run, queue_runs, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step

QUICK = segment(step("only", "transform", expression="input"))


def set_active(tenant: Tenant, is_active: bool) -> None:
    with unscoped("as an operator does in the console"):
        Tenant.objects.filter(id=tenant.id).update(is_active=is_active)


def owned(tenant: Tenant) -> int:
    with unscoped("tests look everywhere"):
        return Run.objects.filter(tenant=tenant, owner__isnull=False).count()


def recorded(tenant: Tenant) -> dict[UUID, int]:
    with unscoped("tests look everywhere"):
        return dict(Run.objects.filter(tenant=tenant).values_list("id", "last_seq"))


def let_hosts_claim(globex: Tenant) -> None:
    """Return when hosts have claimed and ended what came behind everything of ``acme``."""
    assert wait_until_over(*queue_runs(globex, QUICK, 5)) == ["completed"] * 5
    assert wait_until_over(*queue_runs(globex, QUICK, 5)) == ["completed"] * 5


def test_nothing_of_it_is_claimed_whatever_it_waits_for(acme: Tenant, globex: Tenant) -> None:
    again = step("call", fail="BUSY", retryable=True, retry_after=6, retry={"max_attempts": 2})
    with running_host():
        parked = queue_run(acme, segment(again))
        wait_for(lambda: get_run(parked).status == "waiting" and get_run(parked).owner is None)
    set_active(acme, False)
    queued = queue_run(acme, QUICK)
    cancelled = queue_run(acme, QUICK)
    command_run(tenant=acme, actor="user:1", run_id=cancelled, command=SignalKind.CANCEL)
    stuck = queue_run(acme, QUICK, step_types=["nobody.has.this"])
    with unscoped("the retry is due"):
        Run.objects.filter(id=parked).update(wake_at=utc_now())
    before = recorded(acme)
    with running_host():
        let_hosts_claim(globex)
        assert (recorded(acme), owned(acme)) == (before, 0)
        set_active(acme, True)
        assert wait_until_over(queued, cancelled, parked) == ["completed", "cancelled", "failed"]
    assert get_run(stuck).status == "queued", "nobody may have it"


def test_a_call_in_flight_ends_and_nothing_more_begins(acme: Tenant, globex: Tenant, server: CountingServer) -> None:
    server.route("GET", "/slow", Answer(body={"ok": True}, delay_seconds=2))
    server.route("GET", "/next", Answer(body={"ok": True}))
    calls = [step(name, "http_action", url=f"{server.url}/{name}", method="GET") for name in ("slow", "next")]
    with running_host():
        run_id = queue_run(acme, segment(*calls), timeout_seconds=8)
        wait_for(lambda: len(server.calls) == 1)
        set_active(acme, False)
        wait_for(lambda: "step.completed slow" in event_types(run_id) and get_run(run_id).owner is None)
        left = get_run(run_id).seconds_left
        let_hosts_claim(globex)
        assert event_types(run_id)[-1] == "step.completed slow"
        assert [call.path for call in server.calls] == ["/slow"]
        assert left == get_run(run_id).seconds_left, "its timeout stands"
        set_active(acme, True)
        assert wait_until_over(run_id) == ["completed"]
    assert [call.path for call in server.calls] == ["/slow", "/next"]
    assert left is not None
    assert 2 < left < 8


def test_runs_that_are_executed_meanwhile_stop_within_a_heartbeat(acme: Tenant, globex: Tenant) -> None:
    many = segment(*(step(f"s{number}", seconds=0.1) for number in range(60)))
    run_ids = queue_runs(acme, many, 30)
    with running_host():
        wait_for(lambda: owned(acme) == 30 and all(seq > 10 for seq in recorded(acme).values()), seconds=30)
        set_active(acme, False)
        wait_for(lambda: owned(acme) == 0)
        stopped = recorded(acme)
        assert all(10 < seq < 120 for seq in stopped.values()), "in the middle of all of them"
        let_hosts_claim(globex)
        assert recorded(acme) == stopped
        set_active(acme, True)
        assert wait_until_over(*run_ids, seconds=60) == ["completed"] * 30
    assert {get_run(run_id).losses for run_id in run_ids} == {0}


def test_its_callbacks_wait(acme: Tenant, globex: Tenant, server: CountingServer) -> None:
    server.route("POST", "/*", Answer(status=503))
    with running_host():
        run_id = start_with_callback(acme, f"{server.url}/acme", document=QUICK)
        wait_for_attempts(run_id, 1)
        server.route("POST", "/*", Answer(status=204))
        set_active(acme, False)
        set_due(run_id)
        for _ in range(2):
            wait_for_status(start_with_callback(globex, f"{server.url}/globex", document=QUICK), "delivered")
        assert [call.path for call in server.calls] == ["/acme", "/globex", "/globex"]
        set_active(acme, True)
        wait_for_status(run_id, "delivered")
