"""Measure how fast one worker executes chains: runs are queued, then the worker starts.

    python -m benchmarks.chain [--runs 500] [--steps 10] [--type noop|transform] [--repeats 3]

Prints one JSON line a repeat. ``steps_per_second`` is from the first ``segment.started`` to the last
``segment.completed`` by the database's clock; ``cpu_ms_per_step`` is the worker's, its start left out.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]

PATIENCE_SECONDS = 120


def document(kind: str, steps: int) -> dict[str, Any]:
    """A chain of steps of one type."""
    config = {"noop": {}, "transform": {"expression": "input"}}[kind]
    return {
        "version": "1.0",
        "segment_id": f"chain_{kind}_{steps}",
        "name": "Chain",
        "entrypoint": "s0",
        "steps": [{"step_id": f"s{n}", "type": kind, "name": f"s{n}", "config": config} for n in range(steps)],
        "edges": [{"from": f"s{n}", "to": f"s{n + 1}"} for n in range(steps - 1)],
    }


def prepare() -> None:
    """Point Django at the benchmark's servers and make its tables."""
    import django  # noqa: PLC0415 - the environment must be complete before settings are read
    from django.core.management import call_command  # noqa: PLC0415 - as above

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("ensure_roles")


def queue(runs: int, kind: str, steps: int) -> list[Any]:
    """Insert the runs."""
    from kernel.ids import new_id  # noqa: PLC0415 - after Django's setup
    from runs.models import Run  # noqa: PLC0415 - after Django's setup
    from segments.definition import content_hash, read_segment  # noqa: PLC0415 - after Django's setup
    from segments.models import Revision  # noqa: PLC0415 - after Django's setup
    from tenants.context import unscoped  # noqa: PLC0415 - after Django's setup
    from tenants.models import Tenant  # noqa: PLC0415 - after Django's setup

    segment = read_segment(document(kind, steps)).segment
    assert segment is not None  # noqa: S101 - ours
    with unscoped("a benchmark fills the queue itself"):
        tenant, _ = Tenant.objects.get_or_create(
            slug="bench", defaults={"name": "Bench", "max_concurrent_runs": 100_000}
        )
        revision, _ = Revision.objects.get_or_create(
            tenant=tenant, segment=None, content_hash=content_hash(segment), defaults={"definition": segment.to_dict()}
        )
        rows = [
            Run(
                id=new_id(),
                tenant=tenant,
                revision=revision,
                segment_id=segment.segment_id,
                timeout_seconds=300,
                input={"order": {"id": n, "items": [1, 2, 3]}, "note": "x" * 200},
            )
            for n in range(runs)
        ]
        Run.objects.bulk_create(rows)
    return [row.id for row in rows]


def count_over(run_ids: list[Any]) -> int:
    """How many of the runs have completed."""
    from runs.models import Run  # noqa: PLC0415 - after Django's setup
    from tenants.context import unscoped  # noqa: PLC0415 - after Django's setup

    with unscoped("a benchmark looks at all its runs"):
        return Run.objects.filter(id__in=run_ids, status="completed").count()


def span(run_ids: list[Any]) -> float:
    """Seconds from the first start to the last end."""
    from django.db.models import Max, Min  # noqa: PLC0415 - after Django's setup

    from runs.models import RunEvent  # noqa: PLC0415 - after Django's setup
    from tenants.context import unscoped  # noqa: PLC0415 - after Django's setup

    with unscoped("a benchmark looks at all its runs"):
        found = RunEvent.objects.filter(run_id__in=run_ids).aggregate(first=Min("created_at"), last=Max("created_at"))
    return (found["last"] - found["first"]).total_seconds()


def start_worker() -> psutil.Popen:
    """Start the one worker process."""
    argv = [sys.executable, "-m", "celery", "-A", "llmteam", "worker", "--pool", "threads", "--concurrency", "2"]
    argv += ["--without-gossip", "--without-mingle", "--loglevel", "WARNING", "--hostname", "bench@bench"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}"}
    return psutil.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def cpu_seconds(worker: psutil.Popen) -> float:
    """Processor time the worker has used."""
    times = worker.cpu_times()
    return float(times.user + times.system)


def cost_of_a_start() -> float:
    """Processor time of a worker that finds nothing to do."""
    worker = start_worker()
    time.sleep(4)
    cost = cpu_seconds(worker)
    worker.terminate()
    worker.wait(60)
    return cost


def measure(arguments: argparse.Namespace, start_cost: float) -> dict[str, Any]:
    """One repeat."""
    run_ids = queue(arguments.runs, arguments.type, arguments.steps)
    worker = start_worker()
    if arguments.profile:
        profile(worker.pid, arguments.profile)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (done := count_over(run_ids)) < arguments.runs and time.monotonic() < deadline and worker.poll() is None:
        time.sleep(0.05)
    cpu, rss = cpu_seconds(worker) - start_cost, worker.memory_info().rss
    worker.terminate()
    worker.wait(60)
    seconds = span(run_ids)
    steps = arguments.runs * arguments.steps
    return {
        "workload": f"chain of {arguments.steps} {arguments.type}",
        "runs": arguments.runs,
        "completed": done,
        "seconds": round(seconds, 3),
        "steps_per_second": round(steps / seconds),
        "cpu_ms_per_step": round(cpu * 1000 / steps, 3),
        "worker_rss_mib": round(rss / 2**20),
        "load": os.getloadavg()[0],
    }


def profile(pid: int, path: str) -> None:
    """Sample the worker for a while."""
    py_spy = Path(sys.executable).parent / "py-spy"
    subprocess.Popen(  # noqa: S603 - the tool of this very environment
        [str(py_spy), "record", "-p", str(pid), "-d", "8", "-r", "250", "-f", "raw", "-o", path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def main() -> None:
    """Start servers, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--type", choices=["noop", "transform"], default="noop")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", default="", help="write py-spy's raw stacks here")
    arguments = parser.parse_args()

    from devserver.servers import start_servers  # noqa: PLC0415 - the path is set above

    os.environ.setdefault("LLMTEAM_DEVELOPMENT", "1")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")
    os.environ["EXTRA_APPS"] = "benchmarks.noop_steps.NoopStepsConfig"
    with start_servers("bench", side_by_side=True) as servers:
        os.environ.update(servers.environment())
        prepare()
        start_cost = cost_of_a_start()
        for _ in range(arguments.repeats):
            print(json.dumps(measure(arguments, start_cost)), flush=True)


if __name__ == "__main__":
    main()
