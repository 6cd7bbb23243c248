"""The variants that `make chaos ONLY=differential` runs are other documents with the same outcome."""

from random import Random

import pytest

from benchmarks.chaos.differential.observation import outcome_of
from benchmarks.chaos.differential.variants import change
from tests.reference.generator import generate
from tests.reference.graph import Graph
from tests.reference.interpreter import Interpreter, TooLarge
from tests.reference.schedules import AtRandom
from tests.support.sampling import sampled

GRAPHS, ORDERS = 2_000, 5
PORTIONS = 4


@pytest.mark.parametrize("portion", sampled(range(PORTIONS), one_in=PORTIONS))
def test_a_variant_has_the_outcome_of_its_original(portion: int) -> None:
    compared = longer = 0
    for seed in range(10 * portion, GRAPHS, 10 * PORTIONS):
        case = generate(seed)
        variant = change(case.segment, Random(seed))
        try:
            plain = [Interpreter(Graph(case.segment), AtRandom(order)).run(case.run_input) for order in range(ORDERS)]
            changed = [
                Interpreter(Graph(variant.reference), AtRandom(order)).run(case.run_input) for order in range(ORDERS)
            ]
        except TooLarge:
            continue
        outcomes = [outcome_of(one) for one in plain]
        others = [variant.original(outcome_of(one)) for one in changed]
        if any(outcome != outcomes[0] for outcome in outcomes) or any(other != others[0] for other in others):
            continue
        compared += 1
        longer += len(variant.document["steps"]) > len(case.segment["steps"]) + 1
        assert others[0] == outcomes[0], seed
        assert not {step["step_id"] for step in variant.document["steps"]} & {
            step["step_id"] for step in case.segment["steps"]
        }
    assert compared >= 150 / PORTIONS
    assert longer >= 100 / PORTIONS
