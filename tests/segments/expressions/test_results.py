"""What may pass out of the data into a result."""

from typing import Any

import pytest

from segments.expressions import ExpressionFailed, LimitPassed, parse

UNFIT = [
    ({"v": "\ud800"}, ExpressionFailed, "lone surrogate"),
    ({"v": "a\0b"}, ExpressionFailed, "NUL"),
    ({"v": {"k": ["a\0b"]}}, ExpressionFailed, "NUL"),
    ({"v": {"k": ["\ud800"], "l": {}}}, ExpressionFailed, "lone surrogate"),
    ({"v": {1: 2}}, ExpressionFailed, "keys of an object are texts"),
    ({"v": [10**30]}, LimitPassed, "too large"),
    ({"v": [1e308 * 10] * 2}, None, ""),
    ({"v": 1e308 * 10}, LimitPassed, "too large"),
    ({"v": (1, 2)}, ExpressionFailed, "not JSON"),
    ({"v": [object()]}, ExpressionFailed, "not JSON"),
]


@pytest.mark.parametrize(("names", "kind", "words"), UNFIT)
def test_data_that_is_not_json_does_not_pass(names: dict[str, Any], kind: Any, words: str) -> None:
    if kind is None:  # the encoder writes what is not finite as null, which is plain again
        assert parse("v").evaluate(names) == [None, None]
        return
    for source in ("v", "[v]"):
        with pytest.raises(ExpressionFailed, match=words) as caught:
            parse(source).evaluate(names)
        assert type(caught.value) is kind
    assert parse("[w]").evaluate({"w": ["\\u0000 \u00e9"]}) == [["\\u0000 \u00e9"]]


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = [value] if levels % 2 else {"k": value}
    return value


@pytest.mark.parametrize("levels", [59, 60])
def test_a_result_may_be_64_levels_deep(levels: int) -> None:
    names = {"v": nested(levels)}
    assert parse("v").evaluate(names) == names["v"]
    parse("[[[v]]]").evaluate(names)
    with pytest.raises(LimitPassed, match="nested too deeply"):
        parse("[[[[[[v]]]]]]").evaluate(names)


@pytest.mark.parametrize("levels", [65, 300, 5_000])
def test_deeper_data_may_be_read_but_not_returned(levels: int) -> None:
    names = {"v": nested(levels), "ok": 1}
    assert parse("ok + len(v)").evaluate(names) == 2
    with pytest.raises(LimitPassed, match="nested too deeply"):
        parse("v").evaluate(names)
