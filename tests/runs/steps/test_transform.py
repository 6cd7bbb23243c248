from typing import Any

import pytest

from runs.step_api.base import StepConfig, StepFailed
from runs.steps.transform import Transform
from tests.support.step_calls import make_call

ORDER = {"total": 12, "lines": [{"sku": "a", "qty": 2}], "note": None}


async def result(value: Any = ORDER, /, **config: Any) -> Any:
    emitted = await Transform().run(make_call(Transform(), config, {"input": value}))
    assert set(emitted.ports) == {"output"}
    assert emitted.items is None
    return emitted.ports["output"]


async def test_gives_the_value_of_the_expression():
    assert await result(expression="input.total * 2") == 24
    assert await result(expression="{{ total }}") == 12


async def test_gives_an_object_of_the_mappings_fields():
    mapping = {"sum": "total", "fixed": 7, "nested": {"first": "lines[0].sku", "list": ["total", True, None]}}
    expected = {"sum": 12, "fixed": 7, "nested": {"first": "a", "list": [12, True, None]}}
    assert await result(mapping=mapping) == expected
    assert await result(mappings=mapping) == expected


@pytest.mark.parametrize("value", [ORDER, 7, None, [1]])
async def test_passes_the_input_on_when_nothing_is_asked(value: Any):
    assert await result(value) == value


async def test_the_default_stands_in_for_null_and_for_what_is_missing():
    assert await result(expression="input.total", default=1) == 12
    assert await result(expression="input.note", default=1) == 1
    assert await result(expression="input.nothing", default=1) == 1
    assert await result(None, default={"a": 1}) == {"a": 1}
    assert await result(mapping={"a": "total", "b": "nothing"}, default={"b": "none"}) == {"a": 12, "b": "none"}
    assert await result(mapping={"a": "note", "b": "nothing"}, default=0) == {"a": 0, "b": 0}


@pytest.mark.parametrize(
    ("config", "code", "place"),
    [
        ({"expression": "input.nothing"}, "EXPRESSION_MISSING_NAME", "expression"),
        ({"expression": "input.total / 0", "default": 1}, "EXPRESSION_FAILED", "expression"),
        ({"mapping": {"a": "total", "b": {"c": ["nothing"]}}}, "EXPRESSION_MISSING_NAME", "mapping.b.c[0]"),
        ({"mapping": {"a": "nothing"}, "default": {"b": 1}}, "EXPRESSION_MISSING_NAME", "mapping.a"),
    ],
)
async def test_an_expression_that_fails_is_a_failed_step_that_is_not_tried_again(
    config: dict[str, Any], code: str, place: str
):
    assert await result(expression="input.total") == 12
    with pytest.raises(StepFailed) as caught:
        await result(**config)
    assert (caught.value.code, caught.value.retryable, caught.value.details["field"]) == (code, False, place)


async def test_is_given_its_own_config_only():
    call = make_call(Transform(), {}, {"input": 1})
    call.config = StepConfig()
    with pytest.raises(TypeError):
        await Transform().run(call)
