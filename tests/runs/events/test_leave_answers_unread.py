"""Answers nobody reads: bounded for each tenant, and whoever takes next to nothing is cut off."""

import socket as sockets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import psutil
import pytest

from foundation.scope import unscoped
from runs.models import Run, RunEvent
from tests.conftest import Customer
from tests.support.live_runs import LiveRun
from tests.support.process_ends import eventually
from tests.support.server import ServerProcess, running_server

pytestmark = pytest.mark.django_db(transaction=True)
SHARE = 8 * 1024 * 1024
UNREAD = 40
LINE = "x" * 60_000


@contextmanager
def unread(server: ServerProcess, key: str, path: str, *, count: int, times: int = 1) -> Iterator[list[sockets.socket]]:
    """Callers who ask, some times without waiting for an answer, and never read."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            caller = stack.enter_context(sockets.socket())
            caller.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
            caller.connect(("127.0.0.1", server.port))
            caller.sendall(request * times)
            found.append(caller)
        yield found


@pytest.fixture
def big_run(acme: Customer) -> LiveRun:
    """60 MB of events, each below what a link would stand for."""
    run = LiveRun(acme.tenant)
    with unscoped("the test is the host"):
        RunEvent.objects.bulk_create(
            [
                RunEvent(
                    tenant=run.tenant, run_id=run.id, seq=seq, type="action.completed", payload={"t": "x" * 60_000}
                )
                for seq in range(1, 1_001)
            ],
            batch_size=50,
        )
        Run.objects.filter(id=run.id).update(last_seq=1_000, journal_bytes=60_000_000, status="running")
    return run


def metric(caller: httpx.Client, name: str) -> float:
    lines = caller.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


@pytest.mark.soak
def test_unread_pages_stay_below_the_tenant_s_share_and_hinder_no_other(
    acme: Customer, globex: Customer, big_run: LiveRun
) -> None:
    path = f"/api/v1/runs/{big_run.id}/events?limit=250"
    with running_server(UNSENT_MIB_PER_TENANT=str(SHARE // 2**20)) as server:
        process = psutil.Process(server.pid)
        with server.caller(acme.key) as mine, server.caller(globex.key) as other:
            assert mine.get(path).status_code == 200, "what is refused below is fine by itself"
            most = 0
            with unread(server, acme.key, path, count=UNREAD, times=4):
                refused = []

                def is_refused() -> bool:
                    nonlocal most
                    refused[:] = [mine.get(path)]
                    most = max(most, process.memory_info().rss)
                    return refused[0].status_code == 429

                assert eventually(is_refused, seconds=20), "the share is used up"
                assert refused[0].json()["code"] == "TOO_MUCH_UNREAD"
                assert int(refused[0].headers["Retry-After"]) > 0
                assert mine.get("/api/v1/me").status_code == 200, "what is small is always answered"
                assert other.get("/api/v1/runs").status_code == 200
                assert metric(mine, "llmteam_unsent_bytes") > SHARE / 2
                assert eventually(lambda: metric(mine, "llmteam_unsent_bytes") == 0, seconds=60), "15 s without reading"
                assert metric(mine, "llmteam_slow_readers_cut_total") > 0
                assert metric(mine, "llmteam_answers_left_out_total") > 0
                assert most < 600 * 2**20, f"{most / 2**20:.0f} MiB for {4 * UNREAD} answers nobody reads"
                assert mine.get(path).status_code == 200


@pytest.mark.soak
def test_an_unread_snapshot_holds_little(acme: Customer, big_run: LiveRun, server: ServerProcess) -> None:
    process = psutil.Process(server.pid)
    path = f"/api/v1/runs/{big_run.id}/snapshot"
    with server.caller(acme.key) as reader:
        whole = reader.get(path)
        assert whole.status_code == 200
        assert len(whole.content) > 60_000_000
        before = process.memory_info().rss
        with unread(server, acme.key, path, count=10) as callers:
            ports = {caller.getsockname()[1] for caller in callers}
            most = before

            def cut_off() -> bool:
                nonlocal most
                most = max(most, process.memory_info().rss)
                return not any(found.raddr and found.raddr.port in ports for found in process.net_connections())

            assert eventually(cut_off, seconds=60), "15 s without reading"
        assert most - before < 100 * 2**20, f"{(most - before) / 2**20:.0f} MiB for 10 documents of 60 MB nobody reads"
