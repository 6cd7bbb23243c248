"""Every example of the how-to page is true, and it names every function and method there is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from segments.expressions import ExpressionError, parse, parse_template
from segments.expressions.functions import FUNCTIONS
from segments.expressions.methods import METHODS
from segments.expressions.parser import LAZY_FUNCTIONS

PAGE = (Path(__file__).parents[3] / "docs" / "howto" / "expressions.md").read_text()
DATA = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])


def examples(kind: str) -> list[tuple[str, str]]:
    blocks = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [(left.rstrip(), right.strip()) for left, _, right in (line.partition("→") for line in lines)]


def outcome(compute: Any) -> str:
    try:
        return json.dumps(compute(), ensure_ascii=False)
    except ExpressionError as error:
        return f"error: {error}"


def same(text: str) -> str:
    return text if text.startswith("error") else json.dumps(json.loads(text), ensure_ascii=False)


def test_the_page_holds_examples() -> None:
    assert len(examples("expressions")) > 40
    assert len(examples("templates")) == 4


@pytest.mark.parametrize(("source", "expected"), examples("expressions"))
def test_expression_gives_what_the_page_says(source: str, expected: str) -> None:
    assert outcome(lambda: parse(source).evaluate(DATA)) == same(expected)


@pytest.mark.parametrize(("source", "expected"), examples("templates"))
def test_text_gives_what_the_page_says(source: str, expected: str) -> None:
    assert outcome(lambda: parse_template(source).render(DATA)) == same(expected)


def test_the_page_names_every_function_and_method() -> None:
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]*)`", PAGE))))
    existing = {*FUNCTIONS, *LAZY_FUNCTIONS, *(name for table in METHODS.values() for name in table)}
    assert existing - named == set()
