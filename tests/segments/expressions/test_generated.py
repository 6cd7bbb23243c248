"""Properties of expressions nobody thought of: only typed errors, plain results, unchanged data, Python's grammar."""

import ast
import copy
import gc
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.expressions import ExpressionError, parse, parse_template
from segments.expressions.functions import FUNCTIONS
from segments.expressions.limits import MAX_RESULT, MAX_RESULT_DEPTH
from segments.expressions.methods import METHODS
from tests.support.cost import under_a_tracer

DATA: dict[str, Any] = {
    "input": {"a": 1, "items": [{"sku": "A", "qty": 2}, {"sku": "B", "qty": None}], "text": "Zürich ☕"},
    "steps": {"x": {"output": [3, 1, 2]}},
    "n": -7,
    "f": 0.1,
    "s": "a,b c",
    "l": [1, "a", None, [2], {"k": True}],
    "big": "x" * 50_000,
    "many": list(range(9_000)),
    "nul": None,
}
NAMES = [*DATA, "x", "y", "missing", "__class__", "len"]
KEYS = ["a", "items", "sku", "x", "output", "k", "__class__", "_private", "length", "append", "get", "0"]
TEXTS = ["''", "'a'", "','", '"%s"', "'{0.__class__}'", "'[1]'", "'1e400'", "'x' * 99999", "`${n}`", "f'{n:>9}{s}'"]
NUMBERS = ["0", "1", "-1", "2.5", "1e308", "9007199254740992", "10**9", "99999", "1_0"]
INFIX = [
    *("+", "-", "*", "/", "//", "%", "**", "==", "!=", "===", "<", ">=", "and", "or", "&&", "||", "??", "in", "not in"),
    *("is", "contains", "not contains", "<<", "|", "=", ",", "=>"),
]
CALLS = sorted({*FUNCTIONS, "coalesce", "default", "eval", "getattr", "open"})
METHOD_NAMES = sorted({name for table in METHODS.values() for name in table} | {"append", "format", "__init__"})


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Build an expression out of smaller ones."""
    few = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(inner, st.sampled_from(INFIX), inner).map(" ".join),
        st.tuples(st.sampled_from(["not ", "-", "!", "+", "~", "*", "**"]), inner).map("".join),
        inner.map("({})".format),
        few.map("[{}]".format),
        st.tuples(inner, st.sampled_from(KEYS)).map(".".join),
        st.tuples(inner, st.sampled_from(KEYS)).map("?.".join),
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]}[{pair[1]}]"),
        st.tuples(inner, inner, inner).map(lambda three: f"{three[0]}[{three[1]}:{three[2]}]"),
        st.tuples(inner, inner, inner).map(lambda three: f"{three[0]} if {three[1]} else {three[2]}"),
        st.tuples(inner, inner, inner).map(lambda three: f"{three[0]} ? {three[1]} : {three[2]}"),
        st.tuples(inner, inner).map(lambda pair: f"{{'k': {pair[0]}, **{pair[1]}}}"),
        st.tuples(inner, inner).map(lambda pair: f"{{{pair[0]}, {pair[1]}}}"),
        st.tuples(st.sampled_from(CALLS), few).map(lambda call: f"{call[0]}({call[1]})"),
        st.tuples(inner, st.sampled_from(METHOD_NAMES), few).map(lambda call: f"{call[0]}.{call[1]}({call[2]})"),
        st.tuples(inner, inner, inner).map(lambda three: f"[{three[0]} for x in {three[1]} if {three[2]}]"),
        st.tuples(inner, inner, inner).map(lambda three: f"[{three[0]} for x in {three[1]} for y in {three[2]}]"),
        st.tuples(inner, inner).map(lambda pair: f"{{str({pair[0]}): x for x in {pair[1]}}}"),
        st.tuples(inner, inner).map(lambda pair: f"any({pair[0]} for x, y in {pair[1]})"),
        inner.map("f'<{{{}}}>'".format),
        inner.map("{{{{ {} }}}}".format),
    )


LEAVES = st.sampled_from([*NAMES, *TEXTS, *NUMBERS, "true", "null", "False", "many", "big", "[]", "{}"])
EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=12)
NOISE = st.text(alphabet="ab1.'\"`{}[]()$\\ +-*/%<>=!?:,|&\n\0é_\u017f", max_size=40)


def assert_plain(value: Any, depth: int = 0) -> None:
    assert type(value) in {type(None), bool, int, float, str, list, dict}
    assert depth <= MAX_RESULT_DEPTH
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        assert_plain(inner, depth + 1)


def timed(source: str, data: dict[str, Any]) -> tuple[Any, ExpressionError | None, float]:
    """Evaluate; the collector's pauses over everything else this process holds are not the expression's."""
    gc.disable()
    started = time.process_time()
    try:
        result, refusal = parse(source).evaluate(data), None
    except ExpressionError as error:
        result, refusal = None, error
    finally:
        seconds = time.process_time() - started
        gc.enable()
    return result, refusal, seconds


def check(source: str, data: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    result, refusal, seconds = timed(source, data)
    if refusal:
        assert refusal.code.startswith("EXPRESSION_")
        assert refusal.position is None or 0 <= refusal.position <= len(source)
        assert "xxxxx" not in str(refusal)
    else:
        assert_plain(result)
        # 1 MiB is counted before characters are escaped, so quotes and the like may take a little more.
        assert len(json.dumps(result, allow_nan=False, ensure_ascii=False)) < 2 * MAX_RESULT
    # Generous, because this machine does other things too; test_hostile_data.py holds the 50 ms.
    assert seconds < under_a_tracer(0.250)
    assert data == before


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EXPRESSIONS)
def test_any_expression_gives_plain_data_or_a_typed_error(source: str) -> None:
    check(source, DATA)


@settings(max_examples=300, deadline=None)
@given(NOISE)
def test_any_text_is_read_or_refused(source: str) -> None:
    check(source, DATA)
    try:
        parse_template(source, single_braces=True).render(DATA)
    except ExpressionError as error:
        assert error.position is None or 0 <= error.position <= len(source)  # noqa: PT017 one of two right ends


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=100_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(EXPRESSIONS, EXPRESSIONS, EXPRESSIONS, NOISE))
def test_a_hundred_thousand_expressions_give_plain_data_or_a_typed_error(source: str) -> None:
    check(source, DATA)


# Python's own spelling of the language, where `ast.parse` is the validate_pooled of how operators bind.
def python(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Build a Python expression out of smaller ones, without brackets that would hide how it binds."""
    operators = ["+", "-", "*", "/", "//", "%", "**", "==", "<", "and", "or", "in", "not in", "!=", "is not None and"]
    return st.one_of(
        st.tuples(inner, st.sampled_from(operators), inner).map(" ".join),
        st.tuples(st.sampled_from(["not ", "-", "+"]), inner).map("".join),
        inner.map("({})".format),
        st.tuples(inner, inner).map(lambda pair: f"[{pair[0]}, *a, {pair[1]}]"),
        st.tuples(inner, inner, inner).map(lambda three: f"{three[0]} if {three[1]} else {three[2]}"),
        st.tuples(inner, inner).map(lambda pair: f"(a)[{pair[0]}:{pair[1]}].b[::c]"),
        st.tuples(inner, inner).map(lambda pair: f"{{'k': {pair[0]}, **a, 'l': {pair[1]}}}"),
        st.tuples(inner, inner).map(lambda pair: f"[{pair[0]} for x, (y, z) in a if {pair[1]} for w in b]"),
        st.tuples(inner, inner).map(lambda pair: f"max({pair[0]}, default={pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"sum({pair[0]} for x in (a, b)).c({pair[1]})"),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(st.sampled_from(["a", "b.c", "1", "'t'", "None", "2.5", "f(a)".replace("f", "len")]), python))
def test_python_reads_the_same_tree(source: str) -> None:
    try:
        ours = parse(source)
    except ExpressionError:
        ours = None
    try:
        theirs = ast.parse(source, mode="eval").body
    except SyntaxError:
        assert ours is None
        return
    if ours is not None:  # what is larger or stranger than our bounds is refused
        assert ast.dump(ours._tree) == ast.dump(theirs)
