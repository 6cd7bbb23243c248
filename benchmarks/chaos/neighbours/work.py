"""Attacks by the pure work of runs: expressions, templates, conditions, items."""

from typing import Any

from benchmarks.chaos.neighbours.attack import Attack, edge, per_item, segment, step
from benchmarks.chaos.neighbours.attacker import Attacker

HEAVY = "sum(a * b for a in run.input.n for b in run.input.n)"
"""Nearly what one expression may do by itself."""
INPUT = {"n": list(range(160))}
SIDE_BY_SIDE = 8
INLINE = {"runs.engine.loop_scheduler:INLINE_UNITS": 1 << 60, "runs.engine.loop_scheduler:ROUND_UNITS": 1 << 60}
DEPTH = 40
ITEMS = 5_000


def heavy(number: int) -> str:
    """An expression that no other is equal to."""
    return f"{number} + {HEAVY}"


async def _run(attacker: Attacker, document: dict[str, Any], value: Any = None) -> None:
    path = await attacker.save(document)
    attacker.begin()
    await attacker.repeat(SIDE_BY_SIDE, "POST", path, {"input": INPUT if value is None else value})


async def mapping(attacker: Attacker) -> None:
    """Runs of one mapping of 3,000 expressions."""
    fields = {f"f{number}": heavy(number) for number in range(3_000)}
    await _run(attacker, segment("mapping", [step("s", "transform", mapping=fields)]))


async def templates(attacker: Attacker) -> None:
    """Runs of one config with 300 templates."""
    texts = [f"{{{{ {heavy(number)} }}}} and more" for number in range(300)]
    await _run(attacker, segment("templates", [step("s", "transform", mapping={}, default=texts)]))


async def conditions(attacker: Attacker) -> None:
    """Runs with 300 conditional edges behind one step."""
    ends = [step(f"end_{number}", "transform", expression="1") for number in range(300)]
    edges = [edge("s", f"end_{number}", condition=f"{heavy(number)} < 0") for number in range(300)]
    await _run(attacker, segment("conditions", [step("s", "transform", expression="1"), *ends], edges))


async def deep_templates(attacker: Attacker) -> None:
    """Runs of one config with 300 templates, each below 40 objects."""
    nested: list[Any] = []
    for number in range(300):
        value: Any = f"{{{{ {heavy(number)} }}}} x"
        for _ in range(DEPTH):
            value = {"in": value}
        nested.append(value)
    await _run(attacker, segment("deep_templates", [step("s", "transform", mapping={}, default=nested)]))


async def items(attacker: Attacker) -> None:
    """Runs that split 5,000 items and gather them."""
    document = per_item("items", f"list(range({ITEMS}))", "transform", joined=True, expression="item * 2")
    await _run(attacker, document, {})


async def loops(attacker: Attacker) -> None:
    """Runs that carry a value of 0.9 MB round a loop for as long as they may."""
    steps = [
        step("grow", "transform", expression="['x' * 90000 for n in range(10)]"),
        step("again", "condition", expression="len(input) > 0"),
        step("end", "transform", expression="1"),
    ]
    edges = [
        edge("grow", "again"),
        edge("again", "grow", port="true"),
        edge("again", "end", port="false"),
    ]
    await _run(attacker, segment("loops", steps, edges, params={"max_activations": 1_000}), {})


ATTACKS = {
    "mapping": Attack("runs of a mapping of 3,000 expressions", mapping, without=INLINE),
    "templates": Attack("runs of a config with 300 templates", templates, without=INLINE),
    "conditions": Attack("runs with 300 conditions of edges", conditions, without=INLINE),
    "deep_templates": Attack("runs of 300 templates 40 levels deep", deep_templates, without=INLINE),
    "items": Attack(
        "runs that split and join 5,000 items",
        items,
        without={
            **INLINE,
            **{f"runs.engine.loop_scheduler:{name}_SECONDS": 60.0 for name in ("FREE", "SLICE", "ALONE", "RUN")},
        },
    ),
    "loops": Attack(
        "runs that carry 0.9 MB round a loop",
        loops,
        stays="a run's journal has been bounded since the first stage, and has no setting",
    ),
}
