"""Rounds of one workload in the checkout this is started in: one for each line read, its milliseconds printed.

Started by ``benchmarks.pairs`` in an older checkout too, so it only uses what that has.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks import documents, workloads
from benchmarks.stack import Stack, running_stack

W1_RUNS, W1_STEPS = 1_000, 10


def chains(stack: Stack) -> float:
    """W1: the worker's processor time a step; each round has a worker of its own."""
    figures = workloads.throughput(stack, documents.chain("noop", W1_STEPS), runs=W1_RUNS)
    return float(figures["cpu_seconds"]) * 1000 / (W1_RUNS * W1_STEPS)


def lone(stack: Stack) -> float:
    """LONE: the median of what a caller waits for a run."""
    return float(workloads.lone(stack, documents.chain("noop", 10), runs=20)["client"]["p50_ms"])


def branches(stack: Stack) -> float:
    """W4: the median of a run of 500 branches, from its claim to its end."""
    return float(workloads.lone(stack, documents.branches(500, 0.01), runs=5)["inside"]["p50_ms"])


ROUNDS: dict[str, Callable[[Stack], float]] = {"W1": chains, "LONE": lone, "W4": branches}
NEEDS_WORKER = {"LONE", "W4"}


def main(workload: str) -> None:
    """Bring the stack up, warm it by one round, then measure whenever a line comes."""
    measure = ROUNDS[workload]
    with ExitStack() as opened:
        stack = opened.enter_context(running_stack())
        if workload in NEEDS_WORKER:
            opened.enter_context(stack.idle_worker())
        measure(stack)
        print("ready", flush=True)
        while sys.stdin.readline().strip() == "round":
            print(measure(stack), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
