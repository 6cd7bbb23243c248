"""A host that dies between the receiver's answer and its own note of it: the delivery comes again, as the same one."""

import threading

from tenants.models import Tenant
from tests.support.callbacks import delivery_of, log_of, start_with_callback, wait_for_status
from tests.support.engine import wait_for
from tests.support.http_server import Answer, CountingServer, RecordedRequest
from tests.support.worker import WorkerProcess, running_worker


def test_a_delivery_whose_host_was_killed_comes_again_with_the_same_id(acme: Tenant, receiver: CountingServer) -> None:
    victim = WorkerProcess("victim", CALLBACK_TIMEOUT_SECONDS="1")
    arrived, may_answer = threading.Event(), threading.Event()

    def accept(_request: RecordedRequest) -> Answer:
        if not arrived.is_set():
            arrived.set()
            may_answer.wait(10)
        return Answer(200)

    receiver.route("POST", "/hook", accept)
    victim.start()
    run_id = start_with_callback(acme, f"{receiver.url}/hook")
    assert arrived.wait(10)
    victim.kill()
    may_answer.set()
    assert delivery_of(run_id).is_claimed, "nobody noted what became of it"
    with running_worker("heir", CALLBACK_TIMEOUT_SECONDS="1"):
        wait_for_status(run_id, "delivered", seconds=15)
    first, second = receiver.calls
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert [(one.number, one.error_code, one.status_code) for one in log_of(run_id)] == [
        (1, "HOST_LOST", None),
        (2, "", 200),
    ]


def test_a_host_that_is_told_to_stop_finishes_what_it_sends(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(200, delay_seconds=1))
    with running_worker() as worker:
        run_id = start_with_callback(acme, f"{receiver.url}/hook")
        wait_for(lambda: receiver.count() == 1)
        worker.stop()
    assert delivery_of(run_id).status == "delivered"
    assert receiver.count() == 1
