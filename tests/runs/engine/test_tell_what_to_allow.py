"""A call that the operator's rules forbid tells what to add to which setting, and with that it is made."""

import re
from typing import Any

import pytest

from tenants.models import Tenant
from tests.support.engine import get_run, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_values_of_the_sentence_are_all_that_is_missing(
    acme: Tenant, server: CountingServer, settings: Any, host: str
) -> None:
    server.route("GET", "/", Answer(200, body={"ok": True}))
    settings.EGRESS_ALLOW_HOSTS, settings.EGRESS_ALLOW_CIDRS = [], ["127.0.0.1/32"] if host == "localhost" else []
    url = f"http://{host}:{server.port}/"
    call = segment(step("call", "http_action", method="GET", url=url))
    with running_host():
        blocked = queue_run(acme, call)
        wait_until_over(blocked)
    error = get_run(blocked).error
    assert error["code"] == "EGRESS_BLOCKED"
    assert server.count() == 0
    hosts, _, networks = error["message"].partition("EGRESS_ALLOW_HOSTS")
    settings.EGRESS_ALLOW_HOSTS = re.findall(r"`(.+?)`", hosts)
    settings.EGRESS_ALLOW_CIDRS = [*settings.EGRESS_ALLOW_CIDRS, *re.findall(r"`(.+?)`", networks)]
    assert "EGRESS_ALLOW_CIDRS" in networks
    with running_host():
        allowed = queue_run(acme, call)
        wait_until_over(allowed)
    assert get_run(allowed).status == "completed", get_run(allowed).error
