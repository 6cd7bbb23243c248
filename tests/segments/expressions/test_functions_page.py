"""The page of functions: every function has an example there, and every example is true."""

import json
import re
from pathlib import Path

import pytest

from segments.expressions import Draws, parse
from segments.expressions.functions import FUNCTIONS
from segments.expressions.limits import Fuel
from segments.expressions.parser import LAZY_FUNCTIONS

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "functions.md").read_text()
DATA = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
BEGAN_AT = 1795964645.0
EXAMPLES = [
    (left.rstrip(), right.strip())
    for block in re.findall(r"```expressions\n(.*?)```", PAGE, re.DOTALL)
    for left, _, right in (line.partition("→") for line in block.splitlines())
]


@pytest.mark.parametrize(("source", "expected"), EXAMPLES)
def test_a_function_gives_what_the_page_says(source: str, expected: str) -> None:
    fuel = Fuel(draws=Draws(BEGAN_AT, ("run", "step", 1, 1)))
    assert json.dumps(parse(source).evaluate(DATA, fuel)) == json.dumps(json.loads(expected))


def test_every_function_has_an_example() -> None:
    used = {name for source, _ in EXAMPLES for name in re.findall(r"(?<!\.)\b(\w+)\(", source)}
    assert {*FUNCTIONS, *LAZY_FUNCTIONS} - used == set()
