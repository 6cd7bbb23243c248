"""Exports of a tenant with many runs: how long one takes, in how much memory, and whether its manifest holds."""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks import documents
from benchmarks.caller import Caller
from benchmarks.stack import Stack
from benchmarks.workloads import Figures
from devserver import folders
from tenants.lifecycle.archive import verify_archive

RUNS: Final = 10_000
REAL: Final = 100
STEPS: Final = 10
PATIENCE_SECONDS: Final = 600.0
OVER = "select count(*) from runs_run where status = 'completed'"
# The real ones over and over: the run and its journal, under new ids.
COPIES = """
create temporary table copies on commit drop as
select r.id as original, gen_random_uuid() as copy from (select id from runs_run where status = 'completed' limit %s) r
cross join generate_series(1, %s)
"""
COPY = "insert into {table} ({columns}) select {values} from {table} o join copies c on c.original = o.{key}"


def export(stack: Stack) -> Figures:
    """Export a tenant with 10,000 finished runs of 10 steps, download the archive and verify it."""
    stack.empty()
    with stack.idle_worker() as worker:
        asyncio.run(_start(stack))
        _multiply(stack)
        before = peak = worker.memory_info().rss
        began = time.monotonic()
        asked = asyncio.run(_call(stack, "POST", "/api/v1/tenant/export", 202))
        _send_task(stack)
        while (found := asyncio.run(_read(stack, asked["export_id"])))["status"] != "ready":
            peak = max(peak, worker.memory_info().rss)
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise TimeoutError(f"the export is not ready: {found}")
            time.sleep(0.2)
        seconds = time.monotonic() - began
        manifest, sent = _download(stack, asked["export_id"])
    rows = {file["name"]: file["rows"] for file in manifest["files"]}
    return {
        "runs": rows["data/runs.Run.jsonl"],
        "events": rows["data/runs.RunEvent.jsonl"],
        "seconds": round(seconds, 1),
        "archive_mib": round(found["progress"]["bytes"] / 2**20, 1),
        "exported_mib": round(sum(file["bytes"] for file in manifest["files"]) / 2**20, 1),
        "download_seconds": round(sent, 2),
        "worker_rss_more_mib": round((peak - before) / 2**20),
        "target": "runs = 10000, manifest verified",
        "met": rows["data/runs.Run.jsonl"] == RUNS and found["progress"]["rows"] == sum(rows.values()),
    }


def _download(stack: Stack, export_id: str) -> tuple[dict[str, Any], float]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.zip"
        content = asyncio.run(_archive(stack, export_id))
        sent = time.monotonic() - began
        path.write_bytes(content)
        return verify_archive(path), sent


async def _archive(stack: Stack, export_id: str) -> bytes:
    async with Caller(stack.base_url, stack.key) as caller:
        status, content = await caller.call("GET", f"/api/v1/tenant/export/{export_id}/archive")
        if status != 200:
            raise RuntimeError(f"the archive is refused: {content[:300]!r}")
        return content


async def _call(stack: Stack, method: str, path: str, status: int) -> Any:
    async with Caller(stack.base_url, stack.key) as caller:
        return await caller.expect(status, method, path)


async def _read(stack: Stack, export_id: str) -> Any:
    return await _call(stack, "GET", f"/api/v1/tenant/export/{export_id}", 200)


async def _start(stack: Stack) -> None:
    body = {"segment": documents.chain("transform", STEPS), "input": documents.INPUT}
    async with Caller(stack.base_url, stack.key) as caller:
        for _ in range(REAL):
            await caller.expect(202, "POST", "/api/v1/runs", body)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while stack.database.execute(OVER).fetchone() != (REAL,):
        if time.monotonic() > deadline:
            raise TimeoutError("the runs do not end")
        await asyncio.sleep(0.1)


def _multiply(stack: Stack) -> None:
    with stack.database.transaction():
        stack.database.execute(COPIES, [REAL, RUNS // REAL - 1])
        for table, key in (("runs_run", "id"), ("runs_runevent", "run_id")):
            asked = (
                "select column_name from information_schema.columns where table_name = %s and is_generated = 'NEVER'"
            )
            found = [str(name) for (name,) in stack.database.execute(asked, [table]).fetchall()]
            columns = [name for name in found if name != "transaction"]
            values = ["c.copy" if name == key else f'o."{name}"' for name in columns]
            statement = COPY.format(table=table, columns=", ".join(columns), values=", ".join(values), key=key)
            stack.database.execute(statement)  # type: ignore[call-overload]  # made of our own tables' names
    stack.database.execute("analyze")


def _send_task(stack: Stack) -> None:
    """Send what the scheduler would send within ten seconds."""
    argv = [sys.executable, "-m", "celery", "-A", "llmteam", "call", "tenants.write_exports"]
    subprocess.run(  # noqa: S603 - our own program
        argv, env=stack.environment, cwd=folders.CHECKOUT, check=True, stdout=subprocess.DEVNULL, timeout=60
    )
