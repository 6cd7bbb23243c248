"""The product's pure core as seen from outside: how a run ended, and in which order its steps did."""

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

from runs.core import EventType
from tests.reference.interpreter import Result
from tests.reference.schedules import Label
from tests.support.core_runs import run_in_core
from tests.support.stand_in_steps import registry

OUTCOMES = {EventType.STEP_COMPLETED, EventType.STEP_FAILED}


def run_product(segment: Mapping[str, Any], run_input: Any, order: Random) -> tuple[Result, list[Label]]:
    """Run a segment with outcomes that come in an order; also tell in which order they came."""
    journal = run_in_core(segment, registry(), run_input, order).journal
    finished = [(str(event.step_id), int(event.activation or 0)) for event in journal if event.type in OUTCOMES]
    activations = Counter(step for step, _ in finished)
    last = journal[-1].payload
    if journal[-1].type is EventType.SEGMENT_COMPLETED:
        return Result("completed", last["output"], None, activations), finished
    error: Any = last["error"]
    return Result("failed", None, (error["code"], error["step_id"]), activations), finished
