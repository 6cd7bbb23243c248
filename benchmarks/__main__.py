"""Measure what the engine does on this machine, next to the floor: the same durable work written by hand.

    python -m benchmarks [--only W1,W1T,...] [--repeats 3] [--profile FOLDER] [--web-core N]

Prints one JSON line a workload and repeat. Everything goes through the real stack: a durable Postgres of our own, one
Daphne process, one Celery worker process. The floor is measured right before what it is compared with.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import documents, exports, models, people, starts, workloads
from benchmarks.audit import sealing
from benchmarks.fairness import crowd
from benchmarks.figures import against, line
from benchmarks.followers import webhooks
from benchmarks.pairs import walls
from benchmarks.stack import Stack, running_stack
from devserver import folders

PROGRAMS = {
    "STREAMS": "benchmarks.followers.streams",
    "WAITERS": "benchmarks.followers.waiters",
    "AUDIT": "benchmarks.audit.verification",
}
"""Workloads with a stack of their own, or without one."""
ALL = (
    "W1", "W1T", "LONE", "W2", "W3", "W4", "STARTS", "LLM", "PEOPLE", "EXPORT", "CLAIM", "FAIR", "CORE", "RLS", "SEAL",
    "WEBHOOKS",
    *PROGRAMS,
)  # fmt: skip
FLOOR_SHARE, FLOOR_PLUS_MS = 1.5, 25.0
Figures = dict[str, Any]
Lines = Iterator[tuple[str, Figures]]


class Bench:
    """The workloads in their order. Each gives lines of figures; what the floor needs is kept between them."""

    def __init__(self, stack: Stack, profiles: Path | None) -> None:
        self._stack = stack
        self._profiles = profiles
        self._floor: dict[str, Figures] = {}

    def w1(self) -> Lines:
        """Chains of 10 external steps."""
        yield from self._measure_floor("W1")
        floor = self._floor["W1thr"]["steps_s"]
        figures = workloads.chains(
            self._stack, "noop", steps=10, runs=500, least=1_500, profile=self._profile("W1-worker")
        )
        yield "W1: 500 chains of 10 external no-ops", _share(figures, "steps_per_second", floor)

    def w1t(self) -> Lines:
        """Chains of 10 pure steps."""
        figures = workloads.chains(
            self._stack, "transform", steps=10, runs=500, least=4_000, profile=self._profile("W1T-worker")
        )
        yield "W1T: 500 chains of 10 transforms", figures

    def lone(self) -> Lines:
        """One run at a time, waited for."""
        if "W1lat" not in self._floor:
            yield from self._measure_floor("W1")
        floor = self._floor["W1lat"]["p50_ms"]
        with self._stack.idle_worker():
            found = workloads.lone(self._stack, documents.chain("noop", 10), runs=50)
            target = against(found["client"]["p50_ms"], most=round(FLOOR_SHARE * floor + FLOOR_PLUS_MS, 1))
            yield "LONE: 10 external no-ops, POST ?wait=5", {**found, "floor_p50_ms": floor, **target}
            yield (
                "LONE: 1 transform, POST ?wait=5",
                workloads.lone(self._stack, documents.chain("transform", 1), runs=50),
            )

    def w2(self) -> Lines:
        """Ten branches of a tenth of a second."""
        yield from self._measure_floor("W2")
        with self._stack.idle_worker():
            found = workloads.lone(self._stack, documents.branches(10, 0.1), runs=20)
        inside, client = found["inside"]["p50_ms"], found["client"]["p50_ms"]
        yield (
            "W2: split into 10 branches of 0.1 s, join",
            {
                **found,
                "floor_p50_ms": self._floor["W2"]["p50_ms"],
                "target": "inside p50 <= 125, client p50 <= 160",
                "met": inside <= 125 and client <= 160,
            },
        )

    def w3(self) -> Lines:
        """Many runs that wait."""
        yield from self._measure_floor("W3")
        figures = workloads.waits(self._stack, runs=1_000)
        met = figures["met"] and figures["worker_rss_mib"] <= 200
        target = "seconds <= 5, worker_rss_mib <= 200"
        yield (
            "W3: 1,000 runs of three 1 s waits",
            {**figures, "floor_seconds": self._floor["W3"]["s"], "target": target, "met": met},
        )

    def w4(self) -> Lines:
        """Five hundred branches at once."""
        yield from self._measure_floor("W4")
        floor = self._floor["W4"]["p50_ms"]
        with self._stack.idle_worker():
            found = workloads.lone(self._stack, documents.branches(500, 0.01), runs=10)
            target = against(found["inside"]["p50_ms"], most=250)
            yield "W4: 500 branches of 10 ms, join", {**found, "floor_p50_ms": floor, **target}
            found = workloads.lone(
                self._stack, documents.items(500, 0.01), runs=10, run_input=documents.items_input(500)
            )
            yield "W4: one branch, 500 items of 10 ms, join", {**found, "floor_p50_ms": floor}

    def starts(self) -> Lines:
        """Starts through the API."""
        yield (
            "STARTS: 16 callers, no worker",
            starts.capacity(self._stack, profile=self._profile("STARTS-web")),
        )
        self._stack.empty()
        with self._stack.idle_worker():
            yield "STARTS: 50/s, one transform each, a worker executes them", starts.steady(self._stack)

    def llm(self) -> Lines:
        """Steps that ask a language model of a second."""
        yield "LLM: 300 steps at once, 1 s each, a new worker", models.many(self._stack)
        self._stack.empty()
        with self._stack.idle_worker():
            yield "LLM: three branches of 1 s, join", models.branches(self._stack)

    def people(self) -> Lines:
        """Runs that wait for people."""
        yield "PEOPLE: 20,000 runs parked for people, 50 of them decided", people.parked(self._stack)

    def export(self) -> Lines:
        """The export of a tenant with many runs."""
        yield "EXPORT: a tenant with 10,000 runs of 10 steps, downloaded and verified", exports.export(self._stack)

    def claim(self) -> Lines:
        """The claim on long queues."""
        self._stack.empty()
        yield from self._program("benchmarks.claims")

    def rls(self) -> Lines:
        """Reads and starts with row-level security and without it."""
        yield "RLS: how many times as long, with it and without it in turns", walls.cost(self._stack)

    def seal(self) -> Lines:
        """Sealing of the audit."""
        yield (
            f"SEAL: {sealing.RATE} entries/s of {sealing.TENANTS} tenants for {sealing.SECONDS} s",
            sealing.sealed_in_time(self._stack),
        )
        yield "SEAL: starts a second with sealing and without it, in turns", sealing.starts_beside(self._stack)

    def webhooks(self) -> Lines:
        """Webhook endpoints beside a dead one."""
        yield "WEBHOOKS: 1,000 endpoints, one of them dead", webhooks.beside_a_dead_one(self._stack)

    def fair(self) -> Lines:
        """Tenants beside each other."""
        yield f"FAIR: single runs beside {crowd.QUEUED} of another tenant", crowd.beside_a_long_queue(self._stack)
        yield from crowd.in_a_crowd(self._stack)
        yield from self._program("benchmarks.fairness.shares")

    def core(self) -> Lines:
        """The pure core."""
        yield from self._program("benchmarks.core")

    def _measure_floor(self, workload: str) -> Lines:
        environment = {**os.environ, "BENCH_ONLY": workload, "BENCH_REPEATS": "1"}
        for name, figures in self._run("benchmarks.floor", "group", environment=environment):
            self._floor[name.removeprefix("floor ")] = figures
            yield name, figures

    def _program(self, module: str) -> Lines:
        yield from self._run(module, environment=self._stack.environment)

    def _run(self, module: str, *options: str, environment: dict[str, str]) -> Lines:
        """Run a program of ours that prints lines of figures."""
        argv = [sys.executable, "-m", module, *options]
        done = subprocess.run(  # noqa: S603 - our own program
            argv, env=environment, cwd=folders.CHECKOUT, stdout=subprocess.PIPE, check=True, timeout=300
        )
        for written in done.stdout.splitlines():
            figures: Figures = json.loads(written)
            yield figures.pop("workload"), figures

    def _profile(self, name: str) -> str:
        return "" if self._profiles is None else str(self._profiles / f"{name}.raw")


def _share(figures: Figures, of: str, floor: float) -> Figures:
    return {**figures, "floor": floor, "share_of_floor": round(figures[of] / floor, 3)}


def measure(bench: Bench, wanted: set[str], repeats: int) -> None:
    """Measure what is wanted, the quick workloads as often as asked, and print."""
    often: dict[str, Callable[[], Lines]] = {
        "W1": bench.w1,
        "W1T": bench.w1t,
        "LONE": bench.lone,
        "W2": bench.w2,
        "W3": bench.w3,
        "W4": bench.w4,
        "STARTS": bench.starts,
        "LLM": bench.llm,
    }
    once = {
        "PEOPLE": bench.people,
        "EXPORT": bench.export,
        "CLAIM": bench.claim,
        "FAIR": bench.fair,
        "CORE": bench.core,
        "RLS": bench.rls,
        "SEAL": bench.seal,
        "WEBHOOKS": bench.webhooks,
    }
    for repeat in range(1, repeats + 1):
        for name, workload in often.items():
            if name in wanted:
                _print(workload(), repeat)
    for name, workload in once.items():
        if name in wanted:
            _print(workload(), 1)


def _print(lines: Lines, repeat: int) -> None:
    for workload, figures in lines:
        print(json.dumps({**line(workload, repeat=repeat), **figures}), flush=True)


def main() -> None:
    """Start the stack, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(ALL), help="names, separated by commas")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", type=Path, help="write py-spy's raw stacks of W1 and STARTS into this folder")
    parser.add_argument("--web-core", type=int, help="bind the web process to this core, as `taskset -c` does")
    arguments = parser.parse_args()
    wanted = set(arguments.only.upper().split(","))
    unknown = wanted.difference(ALL)
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    if arguments.profile:
        arguments.profile.mkdir(parents=True, exist_ok=True)
    if wanted.difference(PROGRAMS):
        with running_stack() as stack:
            if arguments.web_core is not None:
                stack.bind_web(arguments.web_core)
            measure(Bench(stack, arguments.profile), wanted, arguments.repeats)
    for name, module in PROGRAMS.items():
        if name in wanted:
            subprocess.run([sys.executable, "-m", module], cwd=folders.CHECKOUT, check=True, timeout=300)  # noqa: S603 - our own program


if __name__ == "__main__":
    main()
