"""Well-nested segments give the value that was reckoned while they were drawn, and are not warned of."""

from random import Random

import pytest

from segments.validation import validate
from tests.reference.interpreter import interpret
from tests.reference.product import run_product
from tests.reference.reckoned import reckon
from tests.reference.schedules import AtRandom
from tests.reference.shrinking import picture
from tests.support.sampling import sampled
from tests.support.stand_in_steps import registry

GRAPHS = 300
PORTIONS = 12
"""So many tests share the graphs, so that a difference shows soon."""
INPUTS = ("in", "abc")


@pytest.mark.parametrize("portion", sampled(range(PORTIONS), one_in=PORTIONS))
def test_nothing_is_lost_doubled_or_mixed(portion: int) -> None:
    for seed in range(portion, GRAPHS, PORTIONS):
        drawn, run_input = reckon(seed), INPUTS[seed // PORTIONS % 2]
        shown = f"seed {seed}, input {run_input}\n{picture(drawn.segment)}"
        found = [
            run_product(drawn.segment, run_input, Random(seed))[0],
            interpret(drawn.segment, run_input, AtRandom(seed)),
        ]
        for result in found:
            assert result.status == "completed", shown
            output = result.output
            assert (output[drawn.last] if isinstance(output, dict) else output) == drawn.value(run_input), shown


@pytest.mark.parametrize("portion", sampled(range(PORTIONS), one_in=PORTIONS))
def test_no_join_is_said_to_fire_again(portion: int) -> None:
    for seed in range(portion, GRAPHS, PORTIONS):
        segment = reckon(seed).segment
        codes = {finding.code for finding in validate(segment, registry().catalog).findings}
        assert "JOIN_FIRES_AGAIN" not in codes, f"seed {seed}\n{picture(segment)}"
