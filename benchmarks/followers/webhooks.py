"""Webhook endpoints beside a dead one: how long events take to a thousand of them, with it and without it in turns."""

import asyncio
import contextlib
import json
import time
from datetime import datetime
from typing import Any

from benchmarks import documents
from benchmarks.caller import Caller
from benchmarks.figures import latencies
from benchmarks.stack import Stack
from benchmarks.workloads import Figures

ENDPOINTS = 1_000
SEGMENTS = 100
RUNS_PER_SECOND = 5
ROUND_SECONDS = 10
ROUNDS = 3
DRAIN_SECONDS = 30.0
MOST_RATIO = 1.1


def beside_a_dead_one(stack: Stack) -> Figures:
    """1,000 endpoints, ten for each event, and one that is told all, takes the call and never answers."""
    stack.empty()
    with stack.idle_worker():
        return asyncio.run(_measure(stack))


async def _measure(stack: Stack) -> Figures:
    taken: list[float] = []
    live = await asyncio.start_server(lambda reader, writer: _take(reader, writer, taken), "127.0.0.1", 0)
    dead = await asyncio.start_server(_never_answer, "127.0.0.1", 0)
    found: dict[bool, list[float]] = {False: [], True: []}
    async with live, dead, Caller(stack.base_url, stack.key) as caller:
        await _subscribe(caller, _url(live))
        made = await caller.expect(201, "POST", "/api/v1/webhook-endpoints", {"url": _url(dead)})
        for number in range(2 * ROUNDS):
            is_beside = bool(number % 2)
            path = f"/api/v1/webhook-endpoints/{made['id']}"
            await caller.expect(200, "PATCH", path, {"enabled": is_beside})
            taken.clear()
            await _run(caller)
            await _wait_for(taken)
            found[is_beside] += taken
    alone, beside = latencies(found[False]), latencies(found[True])
    ratio = round(beside["p95_ms"] / alone["p95_ms"], 2)
    return {
        "alone": alone,
        "beside_a_dead_one": beside,
        "p95_ratio": ratio,
        "target": f"p95_ratio <= {MOST_RATIO}",
        "met": ratio <= MOST_RATIO,
    }


async def _subscribe(caller: Caller, url: str) -> None:
    for number in range(SEGMENTS):
        document = {**documents.chain("transform", 1), "segment_id": f"segment_{number}"}
        await caller.expect(201, "PUT", f"/api/v1/segments/segment_{number}", document)
    for number in range(ENDPOINTS - 1):
        fields = {"url": f"{url}/{number}", "segments": [f"segment_{number % SEGMENTS}"]}
        await caller.expect(201, "POST", "/api/v1/webhook-endpoints", fields)


async def _run(caller: Caller) -> None:
    """Start runs at a steady pace, of one segment after the other."""
    began = time.monotonic()
    for number in range(RUNS_PER_SECOND * ROUND_SECONDS):
        await asyncio.sleep(max(0.0, began + number / RUNS_PER_SECOND - time.monotonic()))
        await caller.expect(202, "POST", f"/api/v1/segments/segment_{number % SEGMENTS}/runs", {"input": 1})


async def _wait_for(taken: list[float]) -> None:
    told = [sum(1 for one in range(ENDPOINTS - 1) if one % SEGMENTS == number) for number in range(SEGMENTS)]
    wanted = sum(told[number % SEGMENTS] for number in range(RUNS_PER_SECOND * ROUND_SECONDS))
    async with asyncio.timeout(DRAIN_SECONDS):
        while len(taken) < wanted:  # noqa: ASYNC110 - what is waited for is a number
            await asyncio.sleep(0.05)


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, taken: list[float]) -> None:
    """Answer each call, and note how long ago its event was."""
    try:
        while True:
            body = await _read(reader)
            taken.append(time.time() - datetime.fromisoformat(body["timestamp"]).timestamp())
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.CancelledError):  # the worker's end, or the measurement's
        writer.close()


async def _never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.CancelledError):  # the end of the measurement
        await reader.read()
    writer.close()


async def _read(reader: asyncio.StreamReader) -> Any:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].split("\r\n")[0])
    return json.loads(await reader.readexactly(length))


def _url(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
