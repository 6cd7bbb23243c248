from typing import Any

import pytest
from pydantic import ValidationError

from runs.step_api.base import StepConfig, StepFailed
from runs.steps.condition import Condition, ConditionConfig
from runs.work.comparisons import OPERATORS
from tests.support.step_calls import make_call

VALUE = {"total": 12, "text": "an urgent case", "list": ["a", 1], "empty": "", "nothing": None, "flag": True, "n": "7"}


async def taken(**config: Any) -> str:
    emitted = await Condition().run(make_call(Condition(), config, {"input": VALUE}))
    ((port, value),) = emitted.ports.items()
    assert value == VALUE
    return port


@pytest.mark.parametrize(
    ("expression", "port"),
    [
        ("input.total > 10", "true"),
        ("total > 20", "false"),
        ("input.empty", "false"),
        ("text contains 'urgent'", "true"),
    ],
)
async def test_emits_its_input_on_the_port_of_the_outcome(expression: str, port: str):
    assert await taken(expression=expression) == port


@pytest.mark.parametrize(
    ("field", "operator", "value", "holds"),
    [
        ("total", "equals", 12, True),
        ("total", "==", 12.0, True),
        ("total", "eq", "12", True),
        ("total", "equals", "a dozen", False),
        ("flag", "equals", True, True),
        ("flag", "equals", 1, False),
        ("text", "equals", "an urgent case", True),
        ("total", "not_equals", 12, False),
        ("total", "!=", 13, True),
        ("total", "gt", 11, True),
        ("total", ">", 12, False),
        ("total", "gte", 12, True),
        ("total", "lt", "13", True),
        ("total", "<=", 11, False),
        ("n", "gt", 6, True),
        ("text", "gt", "a", True),
        ("text", "contains", "urgent", True),
        ("text", "not contains", "urgent", False),
        ("list", "contains", 1, True),
        ("list", "contains", "b", False),
        ("input", "contains", "total", True),
        ("input", "contains", 1, False),
        ("total", "in", [11, 12], True),
        ("total", "not_in", [11, 12], False),
        ("text", "starts_with", "an", True),
        ("text", "endswith", "an", False),
        ("empty", "is_empty", None, True),
        ("nothing", "is_empty", None, True),
        ("total", "is_empty", None, False),
        ("list", "is_not_empty", None, True),
    ],
)
async def test_compares_a_field_with_a_value(field: str, operator: str, value: Any, holds: bool):
    assert await taken(field=field, operator=operator, value=value) == ("true" if holds else "false")


async def test_compares_for_equality_unless_told_otherwise():
    assert await taken(field="total", value=12) == "true"
    assert await taken(field="total", value="{{ total }}") == "true"


async def test_knows_every_operator_it_names():
    for operator in OPERATORS:
        assert ConditionConfig(field="x", operator=operator).operator == operator


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("total", "contains", 1),
        ("text", "contains", 1),
        ("total", "gt", "twelve"),
        ("total", "lt", None),
        ("flag", "gt", 0),
        ("total", "gt", "9" * 50),
        ("total", "lt", "inf"),
        ("total", "starts_with", "1"),
        ("text", "ends_with", 1),
        ("list", "gt", 1),
    ],
)
async def test_what_cannot_be_compared_is_a_failed_step_never_false(field: str, operator: str, value: Any):
    assert await taken(field=field, operator="not_equals", value="other") == "true"
    with pytest.raises(StepFailed) as caught:
        await taken(field=field, operator=operator, value=value)
    assert (caught.value.code, caught.value.retryable) == ("NOT_COMPARABLE", False)


@pytest.mark.parametrize("config", [{"expression": "input.missing"}, {"field": "missing", "operator": "is_empty"}])
async def test_an_expression_that_fails_is_a_failed_step_never_false_and_named(config: dict[str, Any]):
    field = next(iter(config))
    assert await taken(expression="input.total") == "true"
    with pytest.raises(StepFailed) as caught:
        await taken(**config)
    assert caught.value.code == "EXPRESSION_MISSING_NAME"
    assert caught.value.message.startswith(f"{field}: ")
    assert caught.value.details["field"] == field


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"operator": "equals", "value": 1},
        {"expression": "x", "field": "x"},
        {"field": "x", "operator": "matches"},
        {"expression": 1},
    ],
)
def test_refuses_a_config_that_decides_nothing(config: dict[str, Any]):
    ConditionConfig.model_validate({"expression": "x"})
    with pytest.raises(ValidationError):
        ConditionConfig.model_validate(config)


async def test_is_given_its_own_config_only():
    call = make_call(Condition(), {"expression": "total"}, {"input": VALUE})
    call.config = StepConfig()
    with pytest.raises(TypeError):
        await Condition().run(call)
