"""Middleware benchmark: the cost of the chain around an attempt; run by ``python -m benchmarks.middleware``.

No database, no Redis, no handler: the chain of the settings is put around a function that answers at once. Nothing is
written to the log's handlers, but its lines are made.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import django

from benchmarks.figures import line

CALLS = 20_000
SAMPLES = 5
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def cost_of_a_call(links: Sequence[Any], step_type: Any) -> float:
    """Return microseconds an attempt, the best of some samples."""
    from kernel.ids import new_id  # noqa: PLC0415 - after Django's setup
    from runs.engine.middleware import wrap  # noqa: PLC0415 - after Django's setup
    from runs.step_api.base import Emit, StepCall  # noqa: PLC0415 - after Django's setup

    async def answer(_call: StepCall) -> Emit:
        return Emit({})

    run, best = wrap(answer, links, step_type), float("inf")
    context: Any = SimpleNamespace(tenant_id=new_id())
    nothing: Any = None
    call = StepCall(
        run_id=new_id(),
        step_id="step",
        activation=1,
        attempt=1,
        config=nothing,
        inputs={},
        names={},
        context=context,
        next_key=str,
        record=nothing,
        log=nothing,
        type_id=step_type.type_id,
        traceparent=TRACE,
    )
    for _ in range(SAMPLES):
        began = time.perf_counter()
        for _ in range(CALLS):
            await run(call)
            call.gates.clear()
        best = min(best, (time.perf_counter() - began) / CALLS)
    return best * 1e6


async def measure() -> None:
    """Measure the whole chain, the chain without the log, and no chain, for a pure type and one that reaches out."""
    from runs.engine.middleware import build_middleware, close_middleware  # noqa: PLC0415 - after Django's setup
    from runs.steps.http_action import HttpAction  # noqa: PLC0415 - after Django's setup
    from runs.steps.transform import Transform  # noqa: PLC0415 - after Django's setup

    links = build_middleware()
    silent = [link for link in links if type(link).__name__ != "AttemptLog"]
    for step_type in (Transform.step_type, HttpAction.step_type):
        bare = await cost_of_a_call((), step_type)
        figures = {
            "chain_us": round(await cost_of_a_call(links, step_type) - bare, 2),
            "without_log_us": round(await cost_of_a_call(silent, step_type) - bare, 2),
        }
        print(json.dumps(line(f"MIDDLEWARE: {step_type.type_id}", **figures)), flush=True)
    await close_middleware(links)


def main() -> None:
    """Set Django up and measure."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")
    os.environ.setdefault("LLMTEAM_DEVELOPMENT", "1")
    django.setup()
    log = logging.getLogger("llmteam.attempts")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    asyncio.run(measure())


if __name__ == "__main__":
    main()
