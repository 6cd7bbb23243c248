"""Attacks by large values: what runs hold in memory, and journals that are much larger than their segments."""

from benchmarks.chaos.neighbours.attack import Attack, per_item, segment, step
from benchmarks.chaos.neighbours.attacker import Attacker

BRANCHES = 55
"""Each emits 990 kB: a segment of 0.8 kB with a journal of 53 MiB."""
EMIT = "['x' * 99000 for n in range(10)]"
RUNS = 60


async def large_values(attacker: Attacker) -> None:
    """60 runs at a time, each of which holds 53 MB."""
    path = await attacker.save(per_item("large", f"list(range({BRANCHES}))", "transform", joined=True, expression=EMIT))
    attacker.begin()
    await attacker.repeat(RUNS, "POST", f"{path}?wait=30", {"input": {}})


async def large_inputs(attacker: Attacker) -> None:
    """Starts with an input of 1 MiB, handed through ten steps."""
    steps = [step(f"s{number}", "transform", expression="run.input") for number in range(10)]
    edges = [{"from": f"s{number}", "to": f"s{number + 1}"} for number in range(9)]
    path = await attacker.save(segment("large_inputs", steps, edges))
    attacker.begin()
    await attacker.repeat(8, "POST", path, {"input": {"text": "x" * 1_000_000}})


ATTACKS = {
    "large_values": Attack("60 runs at a time that hold 53 MB each", large_values),
    "large_inputs": Attack("starts with 1 MB, handed through ten steps", large_inputs),
}
