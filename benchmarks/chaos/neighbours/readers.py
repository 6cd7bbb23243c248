"""Attacks by those who ask and do not read, or read for ever: pages, snapshots, streams, WebSockets."""

import asyncio
import contextlib
from collections.abc import Callable

from benchmarks.chaos.neighbours.attack import Attack, per_item
from benchmarks.chaos.neighbours.attacker import BROKEN, Attacker
from benchmarks.chaos.neighbours.values import BRANCHES, EMIT

UNREAD = 40
TIMES = 4
STREAMS = 3_000
SOURCES = [f"127.0.0.{number}" for number in range(2, 6)]
RECEIVED_BYTES = 4_096
STATUS_BYTES = 12
STATUS = slice(9, 12)
UNBOUND = {
    "UNSENT_MIB_PER_TENANT": "1024",
    "STREAMS_PER_TENANT": "100000",
    "REQUESTS_IN_FLIGHT_PER_TENANT": "100000",
}
WHOLE_PAGES = {
    "kernel.paging:PAGE_BYTES": 1 << 40,
    "runs.large_values:WHOLE_BYTES": 1 << 40,
    "runs.events.unsent:WINDOW_SECONDS": 1e9,
}


async def _large_run(attacker: Attacker) -> str:
    """Have a run with a large journal; return its path."""
    path = await attacker.save(per_item("large", f"list(range({BRANCHES}))", "transform", expression=EMIT))
    _, body = await attacker.call("POST", f"{path}?wait=30", {"input": {}})
    return f"/api/v1/runs/{body['run_id']}"


async def _ask(attacker: Attacker, head: str, source: str, *, times: int, reads: bool) -> None:
    """Ask on a connection of its own; read what comes, or nothing."""
    address = attacker.address
    reader, writer = await asyncio.open_connection(
        address.hostname, address.port, local_addr=(source, 0), limit=RECEIVED_BYTES
    )
    try:
        request = f"{head}\r\nHost: {address.netloc}\r\nAuthorization: Bearer {attacker.key}\r\n\r\n"
        writer.write(request.encode() * times)
        if not reads:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket's transport
            await asyncio.sleep(attacker.left)
        attacker.answers[(await reader.read(STATUS_BYTES))[STATUS].decode() or "closed"] += 1
        while reads and await reader.read(1 << 16):
            pass
    finally:
        writer.close()


async def _many(attacker: Attacker, count: int, head: Callable[[int], str], *, times: int = 1, reads: bool) -> None:
    async def one(number: int) -> None:
        while attacker.left:
            with contextlib.suppress(*BROKEN):
                source = SOURCES[number % len(SOURCES)]
                await _ask(attacker, head(number), source, times=times, reads=reads)
            await asyncio.sleep(0.5)

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    await asyncio.wait(tasks, timeout=attacker.left)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def journal(attacker: Attacker) -> None:
    """160 pages of a journal of 53 MiB asked for on 40 connections that nobody reads."""
    path = await _large_run(attacker)
    attacker.begin()
    await _many(attacker, UNREAD, lambda _: f"GET {path}/events?limit=250 HTTP/1.1", times=TIMES, reads=False)


async def snapshots(attacker: Attacker) -> None:
    """Whole journals asked for on 40 connections, half of them read as fast as they come."""
    path = await _large_run(attacker)
    attacker.begin()
    await asyncio.gather(
        _many(attacker, UNREAD // 2, lambda _: f"GET {path}/snapshot HTTP/1.1", reads=False),
        _many(attacker, UNREAD // 2, lambda _: f"GET {path}/snapshot HTTP/1.1", reads=True),
    )


async def streams(attacker: Attacker) -> None:
    """3,000 event streams on one key, read; and runs that write what they tell."""
    path = await attacker.save(per_item("small", "list(range(20))", "transform", expression="item"))
    attacker.begin()
    head = "GET /api/v1/events HTTP/1.1\r\nAccept: text/event-stream"
    await asyncio.gather(
        _many(attacker, STREAMS, lambda _: head, reads=True),
        attacker.repeat(2, "POST", f"{path}?wait=5", {"input": {}}),
    )


async def websockets(attacker: Attacker) -> None:
    """1,000 WebSockets that follow everything and read nothing, beside runs with large events."""
    path = await attacker.save(per_item("small", "list(range(20))", "transform", expression="'x' * 10000"))
    attacker.begin()
    upgrade = (
        "GET /ws/v1/events/ HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    )
    await asyncio.gather(
        _many(attacker, STREAMS // 3, lambda _: upgrade, reads=False),
        attacker.repeat(2, "POST", f"{path}?wait=5", {"input": {}}),
    )


ATTACKS = {
    "journal": Attack("160 pages of a journal of 53 MiB that nobody reads", journal, UNBOUND, WHOLE_PAGES),
    "snapshots": Attack("40 whole journals of 53 MiB, half of them read", snapshots, UNBOUND),
    "streams": Attack("3,000 event streams on one key", streams, UNBOUND),
    "websockets": Attack("1,000 WebSockets that do not read", websockets, UNBOUND),
}
