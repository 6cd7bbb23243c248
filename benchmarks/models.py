"""Steps that ask a language model: many at the same time, and three branches of one run."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import documents
from benchmarks.caller import Caller
from benchmarks.stack import Stack
from benchmarks.workloads import Figures, lone, throughput
from devserver import folders, processes

LATENCY_SECONDS = 1.0
RUNS = 300
KEY = "key-of-the-benchmark"
CONNECTION_SECONDS = 5.0
"""Within these a worker that runs already uses a new connection."""


def many(stack: Stack) -> Figures:
    """300 runs of one step each, waiting for a model that takes a second. The worker has asked it nothing before."""
    with _models(stack):
        figures = throughput(stack, documents.chain("llm", 1), runs=RUNS)
    met = figures["completed"] == RUNS and figures["seconds"] <= 3.0 and figures["worker_rss_mib"] <= 300
    return {**figures, "target": "seconds <= 3, worker_rss_mib <= 300", "met": met}


def branches(stack: Stack) -> Figures:
    """Three branches that ask at the same time; a worker is to be running."""
    with _models(stack):
        found = lone(stack, documents.branches(3, 0.0, kind="llm"), runs=5)
    inside = found["inside"]["p50_ms"]
    most = LATENCY_SECONDS * 1000 + 150
    return {**found, "target": f"inside p50 <= {most:g}", "met": inside <= most}


@contextmanager
def _models(stack: Stack) -> Iterator[None]:
    """Run the stand-in as a process of its own, and have the tenant's connection lead to it."""
    port = processes.free_port()
    argv = [sys.executable, "-m", "examples.model_server", "--port", str(port), "--latency", str(LATENCY_SECONDS)]
    child = subprocess.Popen([*argv, "--key", KEY], cwd=folders.CHECKOUT, stdout=subprocess.PIPE)  # noqa: S603 - our own program
    try:
        if child.stdout is None or not child.stdout.readline():
            raise RuntimeError("the stand-in for a model did not start")
        asyncio.run(_connect(stack, port))
        yield
    finally:
        child.terminate()
        child.wait(10)


async def _connect(stack: Stack, port: int) -> None:
    connection: dict[str, Any] = {
        "kind": "llm",
        "provider": "openai",
        "base_url": f"http://127.0.0.1:{port}/v1",
        "model": "gpt-4o-mini",
        "secret": KEY,
    }
    async with Caller(stack.base_url, stack.key) as caller:
        status, content = await caller.call("PUT", "/api/v1/connections/default", connection)
        if status not in {200, 201}:
            raise RuntimeError(f"the connection is refused: {content.decode()}")
    await asyncio.sleep(CONNECTION_SECONDS)
