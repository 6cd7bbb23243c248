"""What stands behind a receiver's answer is not its word on another delivery."""

import pytest

from tenants.models import Tenant
from tests.support.callbacks import log_of, start_with_callback, wait_for_status
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer

GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone"


@pytest.mark.parametrize("behind", [b"", GONE], ids=["nothing", "a refusal"])
def test_a_delivery_is_judged_by_its_own_answer(acme: Tenant, receiver: CountingServer, behind: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + behind
    receiver.route("POST", "/first", Answer(raw=raw, stays_open=True))
    receiver.route("POST", "/second", Answer(200, body="taken"))
    with running_host():
        for path, told in (("/first", "ok"), ("/second", "taken")):
            run_id = start_with_callback(acme, receiver.url + path)
            wait_for_status(run_id, "delivered")
            assert [(one.status_code, one.response) for one in log_of(run_id)] == [(200, told)]
    assert receiver.connections == (1 if not behind else 2)
