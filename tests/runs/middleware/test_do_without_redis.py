"""Without Redis every worker keeps to bounds of its own, says so, and comes back by itself."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from devserver.valkey import Valkey
from runs.bus import shared_state
from tenants.models import Tenant
from tests.support.engine import queue_runs, statuses, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.valkeys import own_valkey

PARTS = ("circuit", "rate_limit")


@pytest.fixture
def valkey(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Valkey]:
    monkeypatch.setattr(shared_state, "QUIET_SECONDS", 0.2)
    with own_valkey() as server:
        settings.REDIS_URL = server.url
        yield server


def is_local(part: str) -> float | None:
    return REGISTRY.get_sample_value("llmteam_shared_state_local", {"part": part})


def calling(server: CountingServer, path: str, per_minute: int | None = None) -> dict[str, Any]:
    return segment(step("call", "outsider", url=f"{server.url}{path}", connection=path, per_minute=per_minute))


def test_limits_and_breakers_hold_in_each_process_and_the_metric_says_so(
    acme: Tenant, server: CountingServer, other_server: CountingServer, valkey: Valkey
) -> None:
    server.route("POST", "/*", Answer(200))
    other_server.route("POST", "/dead", Answer(500))
    with running_host():
        assert set(wait_until_over(*queue_runs(acme, calling(server, "/a", 5), 3))) == {"completed"}
        assert [is_local(part) for part in PARTS] == [0, 0]
        valkey.stop()
        limited = queue_runs(acme, calling(server, "/a", 5), 7)
        wait_for(lambda: sorted(statuses(limited).values()) == ["completed"] * 5 + ["waiting"] * 2)
        assert [is_local(part) for part in PARTS] == [1, 1]
        dead = queue_runs(acme, calling(other_server, "/dead"), 60)
        wait_for(lambda: set(statuses(dead).values()) == {"failed", "waiting"})
        assert 10 <= other_server.count("/dead") <= 20
        valkey.revive()
        wait_for(lambda: _after_another_call(acme, server))
        assert [is_local(part) for part in PARTS] == [0, 0]


def test_a_redis_that_hangs_keeps_nobody_waiting_for_long(acme: Tenant, server: CountingServer, valkey: Valkey) -> None:
    server.route("POST", "/*", Answer(200))
    assert valkey.child is not None
    with running_host():
        assert set(wait_until_over(*queue_runs(acme, calling(server, "/a", 90), 3))) == {"completed"}
        os.kill(valkey.child.pid, signal.SIGSTOP)
        try:
            run_ids = queue_runs(acme, calling(server, "/a", 90), 40)
            assert set(wait_until_over(*run_ids, seconds=6)) == {"completed"}
            assert [is_local(part) for part in PARTS] == [1, 1]
        finally:
            os.kill(valkey.child.pid, signal.SIGCONT)
        wait_for(lambda: _after_another_call(acme, server), seconds=3)


def _after_another_call(acme: Tenant, server: CountingServer) -> bool:
    wait_until_over(*queue_runs(acme, calling(server, "/b", 90), 1))
    return [is_local(part) for part in PARTS] == [0, 0]
