"""Attacks by requests that are slow to judge: schemas, graphs, forms, trials of steps."""

import json
from typing import Any

from benchmarks.chaos.neighbours.attack import Attack, edge, segment, step
from benchmarks.chaos.neighbours.attacker import Attacker
from benchmarks.chaos.neighbours.work import HEAVY, INLINE, INPUT

SIDE_BY_SIDE = 8
ANY_OF = {"type": "array", "items": {"anyOf": [{"const": str(number)} for number in range(300)]}}
MISFITS = ["no"] * 20_000
IN_PLACE = {
    "kernel.schemas.violations:MAX_SCHEMA": 1 << 40,
    "kernel.schemas.violations:MAX_WORK_AT_ONCE": 1 << 60,
    "kernel.schemas.violations:MAX_TOLD_AT_ONCE": 1 << 60,
}
RATES = {"REQUESTS_PER_MINUTE_PER_TENANT": "10000000", "REQUESTS_IN_FLIGHT_PER_TENANT": "100000"}
AT_ONCE = {"segments.pooled_validation:MAX_AT_ONCE": 1 << 60}
FORMS = {"llmteam.api.content:MAX_FORM_BYTES": 1 << 60}
STEPS = 1_000
GRAPH_EDGES = 4_000
FORM_FIELDS = 900
TEXT_FIELDS = 60_000
KEPT = {
    "segments.expressions.template:known_templates._most": 1 << 60,
    "segments.expressions.expression:known_expressions._most": 1 << 60,
}


async def schemas_at_start(attacker: Attacker) -> None:
    """Starts whose input breaks 300 rules 20,000 times."""
    document = segment("schemas", [step("s", "transform", expression="1")], input_schema=ANY_OF)
    path = await attacker.save(document)
    attacker.begin()
    await attacker.repeat(SIDE_BY_SIDE, "POST", path, {"input": MISFITS})


async def schemas_at_validate(attacker: Attacker) -> None:
    """Segments to be judged whose schema has 64 kB of rules within rules."""
    rules: Any = {"type": "string"}
    for number in range(12):
        properties = {f"f{number}_{n}": {"type": "integer"} for n in range(60)}
        rules = {"allOf": [{"properties": properties}, {"properties": {"in": rules}}]}
    document = segment("schemas", [step("s", "transform", expression="1")], input_schema={"type": "object", **rules})
    attacker.begin()
    await attacker.repeat(SIDE_BY_SIDE, "POST", "segments/validate", document)


def _graph(segment_id: str) -> dict[str, Any]:
    """1,000 steps and 4,000 edges, each with an expression."""
    steps = [step(f"s{number}", "transform", expression=f"{number} + len(input)") for number in range(STEPS)]
    edges = [
        edge(f"s{number}", f"s{number + by}", condition=f"len(output) > {number}")
        for number in range(STEPS)
        for by in (1, 2, 3, 4)
        if number + by < STEPS
    ][:GRAPH_EDGES]
    return segment(segment_id, steps, edges)


async def validate_calls(attacker: Attacker) -> None:
    """Segments of 1,000 steps and 4,000 edges to be judged."""
    document = _graph("large_graph")
    attacker.begin()
    await attacker.repeat(SIDE_BY_SIDE, "POST", "segments/validate", document)


async def templates_at_validate(attacker: Attacker) -> None:
    """Segments to be judged, each with a text of 1 MiB that is nothing but fields no other one has."""
    fields = "".join(f"{{{{a{number}.@}}}}" for number in range(TEXT_FIELDS))
    content = json.dumps(segment("templates", [step("s", "transform", mapping={"text": fields})])).encode()
    attacker.begin()

    async def judge(caller: Any, number: int) -> int:
        body = content.replace(b"@", f"n{number}".encode())
        return int((await caller.call("POST", "/api/v1/segments/validate", body))[0])

    await attacker.flat_out(SIDE_BY_SIDE, judge)


async def huge_graphs(attacker: Attacker) -> None:
    """Segments of 1,000 steps saved anew, and started as they are."""
    attacker.begin()

    async def save(caller: Any, number: int) -> int:
        document = {**_graph(f"large_{number % 50}"), "name": f"name {number}"}
        path = f"/api/v1/segments/{document['segment_id']}"
        status = (await caller.call("PUT", path, document))[0]
        await caller.call("POST", f"{path}/runs", {"input": {}})
        return int(status)

    await attacker.flat_out(SIDE_BY_SIDE, save)


async def catalog_tests(attacker: Attacker) -> None:
    """Steps tried out, each with 300 heavy expressions, whose answers are waited for."""
    fields = {f"f{number}": f"{number} + {HEAVY.replace('run.input', 'input')}" for number in range(300)}
    attacker.begin()
    body = {"config": {"mapping": fields}, "inputs": {"input": INPUT}}
    await attacker.repeat(100, "POST", "catalog/transform/test?wait=30", body)


async def form_posts(attacker: Attacker) -> None:
    """Forms of 900 fields and nearly 1 MiB, each field a JSON text of its own."""
    value = "%5B" + "1%2C" * 250 + "1%5D"
    content = "&".join(f"f{number}={value}" for number in range(FORM_FIELDS)).encode()
    attacker.begin()
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    async def post(caller: Any, _number: int) -> int:
        return int((await caller.call("POST", "/api/v1/runs", content, form))[0])

    await attacker.flat_out(SIDE_BY_SIDE, post)


ATTACKS = {
    "schemas_at_start": Attack("starts with 20,000 misfits by 300 rules", schemas_at_start, RATES, IN_PLACE),
    "schemas_at_validate": Attack("schemas of 64 kB to be judged", schemas_at_validate, RATES, IN_PLACE),
    "validate_calls": Attack("graphs of 1,000 steps and 4,000 edges to be judged", validate_calls, RATES, AT_ONCE),
    "templates_at_validate": Attack("texts of 60,000 fields to be judged", templates_at_validate, RATES, KEPT),
    "huge_graphs": Attack("graphs of 1,000 steps saved and started", huge_graphs, RATES, AT_ONCE),
    "catalog_tests": Attack("300 heavy expressions tried out on 100 connections", catalog_tests, RATES, INLINE),
    "form_posts": Attack("forms of 900 fields and 0.9 MB", form_posts, RATES, FORMS),
}
