"""A host that is down is called a few times, then left alone, then asked once whether it is back."""

import time
from collections import Counter
from typing import Any
from uuid import UUID

from foundation.scope import unscoped
from runs.models import Run
from tenants.models import Tenant
from tests.support.engine import get_run, queue_run, queue_runs, statuses, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step

ANSWER = 5.0
"""Seconds of a slow answer: longer than any delay of this machine."""
STEPS = 200
MOST_CALLS = 20
SLOW = 0.3
"""Longer than it takes to see whether a second call slips through beside the first."""


def calling(server: CountingServer, path: str = "/", **more: Any) -> dict[str, Any]:
    return segment(step("call", "outsider", url=f"{server.url}{path}", **more))


def deferred(run_ids: list[UUID]) -> int:
    with unscoped("tests look everywhere"):
        found = Run.objects.filter(id__in=run_ids, events__type="step.retrying").distinct().values_list("id", flat=True)
        return len(found)


def ends(run_ids: list[UUID]) -> Counter[str]:
    return Counter(statuses(run_ids).values())


def test_a_dead_host_is_called_at_most_twenty_times_by_two_hundred_steps(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/", Answer(500, delay_seconds=0.05))
    run_ids = queue_runs(acme, calling(server), STEPS)
    with running_host(), running_host():
        wait_for(lambda: deferred(run_ids) + ends(run_ids)["failed"] == STEPS)
        calls = server.count("/")
        assert 10 <= calls <= MOST_CALLS
        wait_for(lambda: ends(run_ids) == {"failed": calls, "waiting": STEPS - calls})
    (waits,) = next(run for run in map(get_run, run_ids) if run.status == "waiting").waiting_for
    assert (waits["kind"], waits["ref"]) == ("circuit", "call#1")
    assert server.count("/") == calls


def test_without_the_breaker_every_step_calls_it(acme: Tenant, server: CountingServer, settings: Any) -> None:
    settings.STEP_MIDDLEWARE = [path for path in settings.STEP_MIDDLEWARE if "circuit" not in path]
    server.route("POST", "/", Answer(500))
    run_ids = queue_runs(acme, calling(server), 60)
    with running_host():
        assert set(wait_until_over(*run_ids)) == {"failed"}
    assert server.count("/") == 60


def test_when_it_may_be_back_one_call_of_all_hosts_finds_out(
    acme: Tenant, server: CountingServer, settings: Any
) -> None:
    settings.CIRCUIT_COOLDOWN_SECONDS = 1
    server.route("POST", "/", Answer(500, delay_seconds=SLOW))
    run_ids = queue_runs(acme, calling(server), STEPS)
    with running_host(), running_host():
        wait_for(lambda: deferred(run_ids) + ends(run_ids)["failed"] == STEPS)
        before = server.count("/")
        assert before <= MOST_CALLS
        wait_for(lambda: server.count("/") > before)
        time.sleep(SLOW + 1)  # the probe fails, and the breaker stays open for two seconds from then on
        assert server.count("/") == before + 1
        server.route("POST", "/", Answer(200, delay_seconds=SLOW))
        assert set(wait_until_over(*run_ids)) == {"completed", "failed"}
    assert ends(run_ids) == {"failed": before + 1, "completed": STEPS - before - 1}
    probe, *after = sorted(call.at for call in server.calls)[before + 1 :]
    assert len(after) == STEPS - before - 2
    assert min(after) - probe >= SLOW, "somebody went beside the probe"


def test_a_host_that_does_not_even_listen_is_called_no_more_either(acme: Tenant) -> None:
    with CountingServer() as gone:
        document = calling(gone)
    run_ids = queue_runs(acme, document, STEPS)
    with running_host():
        wait_for(lambda: deferred(run_ids) + ends(run_ids)["failed"] == STEPS)
        assert 10 <= ends(run_ids)["failed"] <= MOST_CALLS


def test_other_hosts_and_tenants_do_not_notice(
    acme: Tenant, globex: Tenant, server: CountingServer, other_server: CountingServer
) -> None:
    server.route("POST", "/dead", Answer(500))
    server.route("POST", "/well", Answer(200))
    other_server.route("POST", "/well", Answer(200))
    run_ids = queue_runs(acme, calling(server, "/dead"), 30)
    with running_host():
        wait_for(lambda: deferred(run_ids) + ends(run_ids)["failed"] == 30)
        late = queue_run(acme, calling(server, "/well"))
        others = [
            *queue_runs(globex, calling(server, "/well"), 50),
            *queue_runs(acme, calling(other_server, "/well"), 50),
        ]
        assert set(wait_until_over(*others)) == {"completed"}
        wait_for(lambda: get_run(late).status == "waiting")
    assert server.count("/well") == 50


def test_refusals_of_a_host_are_no_failures_of_it(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/", Answer(404))
    run_ids = queue_runs(acme, calling(server), 60)
    with running_host():
        assert set(wait_until_over(*run_ids)) == {"failed"}
    assert server.count("/") == 60


def test_a_run_waits_no_longer_than_its_time(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/", Answer(500))
    with running_host():
        wait_until_over(*queue_runs(acme, calling(server), 10))
        run_id = queue_run(acme, calling(server), timeout_seconds=2)
        assert wait_until_over(run_id) == ["timed_out"]
    assert server.count("/") == 10


def test_three_hundred_steps_with_a_slow_host_nobody_knows_take_little_longer_than_two_calls(
    acme: Tenant, server: CountingServer
) -> None:
    server.route("POST", "/", Answer(200, delay_seconds=0.5))
    run_ids = queue_runs(acme, calling(server), 300)
    with running_host():
        assert set(wait_until_over(*run_ids)) == {"completed"}
    at = sorted(call.at for call in server.calls)
    assert at[16] - at[0] >= 0.4, "the first sixteen find out"
    assert at[-1] - at[16] <= 4, "sixteen at a time would take nine seconds"
    server.route("POST", "/", Answer(200, delay_seconds=ANSWER))
    run_ids = queue_runs(acme, calling(server), 100)
    with running_host():
        assert set(wait_until_over(*run_ids)) == {"completed"}
    known = sorted(call.at for call in server.calls)[300:]
    assert known[-1] - known[0] < ANSWER, "it is known by now, and nobody waited for an answer"


def test_a_host_that_answers_slowly_by_nature_is_waited_for_no_longer_than_half_a_second(
    acme: Tenant, globex: Tenant, server: CountingServer
) -> None:
    server.route("POST", "/ready", Answer(200))
    server.route("POST", "/", Answer(200, delay_seconds=ANSWER))
    with running_host():
        # Whatever a first call costs once is paid by another tenant, whose circuit is another.
        assert wait_until_over(queue_run(globex, calling(server, "/ready"))) == ["completed"]
        run_ids = queue_runs(acme, calling(server, answers_slowly=True), 100)
        assert set(wait_until_over(*run_ids)) == {"completed"}
    at = sorted(call.at for call in server.calls if call.path == "/")
    assert at[16] - at[0] >= 0.3
    assert at[-1] - at[0] < ANSWER, "nobody waited for an answer"


def test_it_is_spared_all_the_same_when_it_is_dead(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/", Answer(500))
    run_ids = queue_runs(acme, calling(server, answers_slowly=True), STEPS)
    with running_host(), running_host():
        wait_for(lambda: deferred(run_ids) + ends(run_ids)["failed"] == STEPS)
        assert 10 <= server.count("/") <= MOST_CALLS


def test_a_cancelled_probe_leaves_its_place_to_the_next(acme: Tenant, server: CountingServer, settings: Any) -> None:
    settings.CIRCUIT_COOLDOWN_SECONDS = 0.5
    server.route("POST", "/", Answer(500))
    with running_host():
        wait_until_over(*queue_runs(acme, calling(server), 10))
        time.sleep(0.5)
        server.route("POST", "/", Answer(200, delay_seconds=3))
        probe = queue_run(acme, calling(server), timeout_seconds=1)
        wait_for(lambda: server.count("/") == 11)
        assert wait_until_over(probe) == ["timed_out"]
        server.route("POST", "/", Answer(500, delay_seconds=SLOW))
        run_ids = queue_runs(acme, calling(server), 20)
        wait_for(lambda: deferred(run_ids) + ends(run_ids)["failed"] == 20)
        assert server.count("/") == 12, "a probe again, and only that"
