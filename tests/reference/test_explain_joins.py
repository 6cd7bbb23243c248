"""The page on joins is true: each of its pictures gives the result it tells."""

import json
import re
from pathlib import Path
from random import Random

import pytest

from tests.reference.drawings import drawn
from tests.reference.interpreter import Result, interpret
from tests.reference.product import run_product
from tests.reference.schedules import AtRandom

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "joins.md"
PICTURES = re.findall(
    r"^## (\d+)\. .*?```text\n(.*?)```\n\nResult: (.*?)\n", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)
ORDERS = 6


def told(result: Result) -> str:
    """The result as the page has it."""
    if result.error is not None:
        return f"failed, `{result.error[0]}` of `{result.error[1]}`"
    return f"`{json.dumps(result.output, sort_keys=True)}`"


def test_there_are_fourteen_pictures() -> None:
    assert [number for number, _, _ in PICTURES] == [str(number) for number in range(1, 15)]


@pytest.mark.parametrize(("number", "picture", "result"), PICTURES)
def test_a_picture_gives_its_result_in_any_order(number: str, picture: str, result: str) -> None:
    segment = drawn(picture.splitlines())
    for order in range(ORDERS):
        assert told(interpret(segment, "in", AtRandom(order))) == result, number
        assert told(run_product(segment, "in", Random(order))[0]) == result, number
