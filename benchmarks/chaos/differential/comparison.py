"""One generated graph: run as it is, run changed and disturbed, replayed; each held against the interpreter."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.chaos.differential.observation import Observed, Observer, outcome_of
from benchmarks.chaos.differential.variants import Outcome, Variant, change
from tests.reference.generator import Case, generate
from tests.reference.graph import Graph
from tests.reference.interpreter import Interpreter, TooLarge, interpret
from tests.reference.judge import judge
from tests.reference.schedules import AtRandom

PAUSED_SHARE = 0.85
ORDERS = 30
"""Orders of finishing under which a graph has to have one outcome to be compared with its variant."""
ENDLESS_ORDERS = 200
"""Orders of finishing tried for one that goes on for longer than is compared."""
AGREES, ONLY_ACTIVATIONS, DIFFERS = "agree", "differ_in_activations_only", "differ"
SAME, OTHER, OPEN = "same", "other", "order_decides"


@dataclass(slots=True)
class Compared:
    """Findings about one graph.

    Attributes:
        judged: The judgement on each of its runs: plain, changed, replayed.
        metamorphic: Whether the changed runs ended as the plain one; open where the order of finishing decides.
        paused: Whether one was truly paused.
        trouble: Why it could not be compared: too large, or what went wrong.
        details: What differs.
    """

    seed: int
    judged: dict[str, str] = field(default_factory=dict)
    metamorphic: str = OPEN
    paused: bool = False
    trouble: str = ""
    details: list[str] = field(default_factory=list)


async def compare(observer: Observer, seed: int, *, prefix: str) -> Compared:
    """Draw the graph of a seed, run it three times and judge."""
    compared, case = Compared(seed), generate(seed)
    random = Random(seed)  # noqa: S311 - seeded on purpose
    try:
        variant = await asyncio.to_thread(_prepare, case, random)
        await _run(observer, case, variant, random, compared, prefix=f"{prefix}-{seed}")
    except TooLarge:
        compared.trouble = "too_large"
    except TimeoutError as error:
        is_endless = await asyncio.to_thread(_may_go_on, case, variant)
        compared.trouble = "too_large" if is_endless else f"{type(error).__name__}: {error}"
    except RuntimeError as error:
        compared.trouble = f"{type(error).__name__}: {error}"
    return compared


def _may_go_on(case: Case, variant: Variant) -> bool:
    """Whether some order of finishing leads round a loop for longer than is compared, where others lead out of it."""
    try:
        for segment in (case.segment, variant.reference):
            graph = Graph(segment)
            for seed in range(ENDLESS_ORDERS):
                Interpreter(graph, AtRandom(seed)).run(case.run_input)
    except TooLarge:
        return True
    return False


def _prepare(case: Case, random: Random) -> Variant:
    interpret(case.segment, case.run_input)
    variant = change(case.segment, random)
    interpret(variant.reference, case.run_input)
    return variant


async def _run(
    observer: Observer, case: Case, variant: Variant, random: Random, compared: Compared, *, prefix: str
) -> None:
    pauses = random if random.random() < PAUSED_SHARE else None
    plain, changed = await asyncio.gather(
        observer.run(case.segment, case.run_input, key=f"{prefix}-plain", pauses=None),
        observer.run(variant.document, case.run_input, key=f"{prefix}-changed", pauses=pauses),
    )
    observed = {"plain": plain, "changed": changed}
    if changed.finished:
        start = random.choice(changed.finished)
        observed["replayed"] = await observer.replay(changed.run_id, start, key=f"{prefix}-replayed")
    compared.paused = changed.paused
    await asyncio.to_thread(_judge, case, variant, observed, compared)


def _judge(case: Case, variant: Variant, observed: Mapping[str, Observed], compared: Compared) -> None:
    for name, one in observed.items():
        segment = case.segment if name == "plain" else variant.reference
        verdict = judge(segment, case.run_input, one.result, one.finished)
        same_outcome = any(outcome_of(expected) == one.outcome for expected in verdict.expected)
        compared.judged[name] = AGREES if verdict.agrees else ONLY_ACTIVATIONS if same_outcome else DIFFERS
        if not verdict.agrees:
            compared.details.append(f"{name} {one.run_id}: {one.result}, expected {verdict.expected[0]}")
    outcomes = _outcomes(case.segment, case.run_input) + _outcomes(variant.reference, case.run_input)
    plain = observed["plain"].outcome
    others = [variant.original(one.outcome) for name, one in observed.items() if name != "plain"]
    if all(other == plain for other in others):
        compared.metamorphic = SAME
    elif _are_one(outcomes[:ORDERS]) and _are_one(outcomes[ORDERS:]):
        compared.metamorphic = OTHER
        compared.details.append(f"plain {plain}, changed and replayed {others}")


def _outcomes(segment: Mapping[str, Any], run_input: Any) -> list[Outcome]:
    graph = Graph(segment)
    return [outcome_of(Interpreter(graph, AtRandom(seed)).run(run_input)) for seed in range(ORDERS)]


def _are_one(outcomes: list[Outcome]) -> bool:
    return all(outcome == outcomes[0] for outcome in outcomes)
