"""Starts through the API of one web process, the load coming from a process of its own."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import psutil

from benchmarks import documents
from benchmarks.figures import against
from benchmarks.profiler import sampled
from benchmarks.stack import Stack
from benchmarks.workloads import save
from devserver import folders

CAPACITY_SECONDS = 8
CAPACITY_CONNECTIONS = 16
RATE = 50
RATE_SECONDS = 8


def capacity(stack: Stack, *, profile: str = "") -> dict[str, Any]:
    """As many as it takes: 16 callers, each starting the next run when the last is accepted. No worker runs."""
    stack.empty()
    with sampled(stack.web_pid, profile):
        figures = start_for(stack, CAPACITY_SECONDS)
    return {**figures, **against(figures["starts_per_second"], least=250)}


def start_for(stack: Stack, seconds: int) -> dict[str, Any]:
    """Start as many runs as the web process takes."""
    return _load(stack, "--connections", str(CAPACITY_CONNECTIONS), "--seconds", str(seconds))


def steady(stack: Stack) -> dict[str, Any]:
    """Fifty a second, in their own time; a worker that executes them is to be running."""
    figures = _load(stack, "--rate", str(RATE), "--seconds", str(RATE_SECONDS))
    return {**figures, **against(figures["p95_ms"], most=150)}


def _load(stack: Stack, *options: str) -> dict[str, Any]:
    path = asyncio.run(save(stack, documents.chain("transform", 1)))
    argv = [sys.executable, "-m", "benchmarks.load", stack.base_url, path, *options]
    web = psutil.Process(stack.web_pid)
    before = web.cpu_times()
    done = subprocess.run(  # noqa: S603 - our own program
        argv,
        env={**stack.environment, "LLMTEAM_KEY": stack.key},
        cwd=folders.CHECKOUT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    after = web.cpu_times()
    used = after.user + after.system - before.user - before.system
    return {**figures, "web_cpu_ms_per_start": round(used * 1000 / figures["n"], 2)}
