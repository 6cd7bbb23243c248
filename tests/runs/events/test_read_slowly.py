"""Callers who do not read: their server stays small, and they can go on where they were."""

import socket as sockets
import time
from typing import Any

import psutil
import pytest
from websockets.sync.client import connect

from foundation.scope import unscoped
from runs.models import Run, RunEvent
from tests.conftest import Customer
from tests.support.live_runs import LiveRun
from tests.support.process_ends import eventually
from tests.support.server import ServerProcess
from tests.support.streams import event_stream, message, until_closed

pytestmark = pytest.mark.django_db(transaction=True)
BIG = "x" * 60_000
COUNT = 1_400


def fill(run: LiveRun) -> None:
    """84 MB of events, each below what a link would stand for."""
    with unscoped("the test is the host"):
        RunEvent.objects.bulk_create(
            [
                RunEvent(tenant=run.tenant, run_id=run.id, seq=seq, type="action.completed", payload={"text": BIG})
                for seq in range(1, COUNT + 1)
            ],
            batch_size=50,
        )
        Run.objects.filter(id=run.id).update(last_seq=COUNT, status="running")
    run.seq = COUNT


def narrow_socket(server: ServerProcess) -> sockets.socket:
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", server.port))
    return narrow


@pytest.mark.soak
def test_who_does_not_read_is_cut_off_with_a_word_and_the_server_stays_small(
    acme: Customer, server: ServerProcess
) -> None:
    run = LiveRun(acme.tenant)
    fill(run)
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    with narrow_socket(server) as silent, narrow_socket(server) as narrow:
        silent.sendall(
            f"GET /api/v1/runs/{run.id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {acme.key}\r\n"
            "Accept: text/event-stream\r\n\r\n".encode()
        )
        with connect(
            f"ws://127.0.0.1:{server.port}/ws/v1/runs/{run.id}/",
            sock=narrow,
            additional_headers={"X-API-Key": acme.key},
            max_queue=1,
            max_size=None,
            ping_interval=None,
            close_timeout=0.1,
        ):
            most = 0

            def cut_off() -> bool:
                nonlocal most
                most = max(most, process.memory_info().rss)
                ports = {silent.getsockname()[1], narrow.getsockname()[1]}
                return not any(found.raddr and found.raddr.port in ports for found in process.net_connections())

            assert eventually(cut_off, seconds=40), "15 s without reading, and 5 s to take the rest"
        assert most - before < 60 * 2**20, f"{(most - before) / 2**20:.0f} MiB for callers who do not read"


@pytest.mark.soak
def test_who_reads_slowly_gets_everything(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    fill(run)
    run.write("segment.completed")
    seen: list[dict[str, Any]] = []
    with event_stream(server, acme.key, f"/runs/{run.id}/events") as events:
        for sent in events:
            seen.append(sent.data)
            if len(seen) % 350 == 0:
                time.sleep(2)
    assert [record["seq"] for record in seen] == [*range(1, COUNT + 2)]


def test_who_dozes_at_the_end_still_gets_the_last_event(acme: Customer, server: ServerProcess) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started")
    run.steps(60)
    run.write("segment.completed")
    with connect(
        f"ws://127.0.0.1:{server.port}/ws/v1/runs/{run.id}/", additional_headers={"X-API-Key": acme.key}, max_queue=1
    ) as socket:
        first = message(socket)
        time.sleep(4)
        rest, code = until_closed(socket)
    assert [record["seq"] for record in (first, *rest) if record["event_type"] != "data.produced"] == [*range(1, 123)]
    assert code == 1000
