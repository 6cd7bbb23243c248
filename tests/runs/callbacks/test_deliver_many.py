"""Many deliveries at once: bounded, in turn, in nobody's way."""

import threading
import time
from collections import Counter
from contextlib import ExitStack
from uuid import UUID

import pytest

from foundation.scope import unscoped
from runs.engine.delivery.deliverer import AT_ONCE, PER_TARGET
from runs.models import Delivery
from tenants.models import Tenant
from tests.support.best_tries import least_of
from tests.support.callbacks import (
    DOCUMENT,
    deliveries_of,
    log_of,
    set_many_due,
    start_with_callback,
    wait_for_status,
)
from tests.support.engine import get_run, queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer, RecordedRequest

MANY = 1_000
MOST_OF_ONE = 33
"""Of the 50 places of a worker, while nobody else holds any."""


def undelivered(run_id: UUID) -> int:
    return sum(one.status != "delivered" for one in deliveries_of(run_id))


@pytest.mark.soak
def test_a_thousand_due_at_once_do_not_keep_runs_waiting(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(200, delay_seconds=0.01))
    told = start_with_callback(acme, f"{receiver.url}/hook", events=["segment.started"])
    with running_host():
        wait_for_status(told, "delivered")
        wait_until_over(told)
        set_many_due(told, MANY, urls=AT_ONCE)
        wait_for(lambda: receiver.count() > 50)
        began = time.monotonic()
        others = [start_with_callback(acme, f"{receiver.url}/hook", is_quick=True) for _ in range(5)]
        wait_until_over(*others)
        taken = time.monotonic() - began
        assert undelivered(told) > 0, "deliveries were still under way"
        wait_for(lambda: not undelivered(told), seconds=60)
    assert taken < 2
    assert Counter(call.headers["webhook-id"] for call in receiver.calls).most_common(1)[0][1] == 1


def test_a_target_that_hangs_keeps_no_other_waiting(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(200))
    with CountingServer() as hanging, running_host():
        hanging.route("POST", "/hook", Answer(200, delay_seconds=3))
        stuck = start_with_callback(acme, f"{hanging.url}/hook", events=["segment.started"])
        wait_for(lambda: hanging.count() == 1)
        set_many_due(stuck, AT_ONCE * 2, urls=AT_ONCE)
        wait_for(lambda: hanging.count() == PER_TARGET)
        other = start_with_callback(acme, f"{receiver.url}/hook")
        wait_for_status(other, "delivered")
        assert hanging.count() <= PER_TARGET
        assert log_of(other)[0].at
        with unscoped("the rest is not waited for"):
            Delivery.objects.filter(run_id=stuck, is_claimed=False).delete()


def test_one_tenant_s_slow_receivers_never_take_all_places(
    acme: Tenant, globex: Tenant, receiver: CountingServer
) -> None:
    """As many places as there are would be taken at six targets of one tenant; another's callback goes meanwhile."""
    receiver.route("POST", "/hook", Answer(200))
    may_answer = threading.Event()

    def hang(_request: RecordedRequest) -> Answer:
        may_answer.wait(30)
        return Answer(200)

    with ExitStack() as open_servers:
        hanging = [open_servers.enter_context(CountingServer()) for _ in range(AT_ONCE // PER_TARGET + 1)]
        open_servers.callback(may_answer.set)
        stuck = []
        with running_host():
            for server in hanging:
                server.route("POST", "/hook", hang)
                stuck.append(start_with_callback(acme, f"{server.url}/hook", events=["segment.started"]))
            wait_for(lambda: all(server.count() == 1 for server in hanging))
            for run_id in stuck:
                set_many_due(run_id, PER_TARGET * 2, urls=PER_TARGET * 2)
            wait_for(lambda: sum(server.count() for server in hanging) == MOST_OF_ONE)
            for _ in range(3):
                wait_for_status(start_with_callback(globex, f"{receiver.url}/hook"), "delivered")
            assert sum(server.count() for server in hanging) == MOST_OF_ONE, "none has ended"
            with unscoped("the rest is not waited for"):
                Delivery.objects.filter(run_id__in=stuck, is_claimed=False).delete()
            may_answer.set()


def test_the_end_of_a_run_is_told_at_once(acme: Tenant, receiver: CountingServer) -> None:
    """Rung by the commit, not found by a sweep."""
    receiver.route("POST", "/hook", Answer(200))

    def seconds() -> float:
        run_id = start_with_callback(acme, f"{receiver.url}/hook")
        wait_for_status(run_id, "delivered")
        ended = get_run(run_id).ended_at
        assert ended is not None
        return (log_of(run_id)[0].at - ended).total_seconds()

    with running_host():
        median = least_of(lambda: sorted(seconds() for _ in range(5))[2], below=0.2)
    print(f"seconds from the end of a run to its delivery, the median of five: {median}")


def test_runs_without_a_callback_leave_nothing_to_deliver(acme: Tenant) -> None:
    with running_host():
        wait_until_over(queue_run(acme, DOCUMENT))
    with unscoped("tests look everywhere"):
        assert not Delivery.objects.exists()
