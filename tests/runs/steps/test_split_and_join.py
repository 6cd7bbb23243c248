from typing import Any

import pytest
from pydantic import ValidationError

from runs.step_api.base import Emit, StepConfig, StepFailed
from runs.steps.parallel_join import ParallelJoin, ParallelJoinConfig
from runs.steps.parallel_split import ParallelSplit, ParallelSplitConfig
from tests.support.step_calls import make_call

BRANCHES = ("left", "right")


async def split(value: Any, **config: Any) -> Emit:
    return await ParallelSplit().run(make_call(ParallelSplit(), config, {"input": value}, output_ports=BRANCHES))


async def join(*arrivals: Any, **config: Any) -> Any:
    call = make_call(ParallelJoin(), config, {"branches": list(arrivals)}, arrivals=arrivals)
    return (await ParallelJoin().run(call)).ports["output"]


async def test_a_split_gives_every_connected_branch_its_input():
    assert await split({"a": 1}) == Emit({"left": {"a": 1}, "right": {"a": 1}})


async def test_a_split_by_items_gives_every_branch_the_items():
    emitted = await split({"orders": [1, 2]}, items="input.orders")
    assert emitted.items == [1, 2]
    assert set(emitted.ports) == set(BRANCHES)
    assert (await split({"orders": []}, items="orders")).items == []


@pytest.mark.parametrize(
    ("items", "code"), [("input.orders.first", "EXPRESSION_MISSING_NAME"), ("input", "ITEMS_NOT_A_LIST")]
)
async def test_items_that_are_no_list_fail_the_split(items: str, code: str):
    assert (await split({"orders": {}}, items="[1]")).items == [1]
    with pytest.raises(StepFailed) as caught:
        await split({"orders": {}}, items=items)
    assert (caught.value.code, caught.value.retryable) == (code, False)
    assert "items" in caught.value.message


async def test_more_items_than_can_be_placed_at_once_fail_the_split():
    assert len((await split(list(range(2_500)), items="input")).items or []) == 2_500
    with pytest.raises(StepFailed, match="2501 items on 2 branches are more than 5000 at once") as caught:
        await split(list(range(2_501)), items="input")
    assert (caught.value.code, caught.value.retryable) == ("ITEMS_TOO_MANY", False)


@pytest.mark.parametrize("branches", [2, 1000, ["a"], ["a", "b"]])
def test_a_split_has_a_number_of_branches_or_their_names(branches: Any):
    assert ParallelSplitConfig.model_validate({"branches": branches}).branches == branches


@pytest.mark.parametrize("branches", [1, 1001, True, "two", [], ["a", 1], {}])
def test_a_split_refuses_other_branches(branches: Any):
    with pytest.raises(ValidationError):
        ParallelSplitConfig.model_validate({"branches": branches})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, [1, 2]),
        ({"merge_strategy": "all"}, [1, 2]),
        ({"merge_strategy": "quorum", "count": 2}, [1, 2]),
        ({"merge_strategy": "any"}, 1),
        ({"strategy": "first"}, 1),
    ],
)
async def test_a_join_gives_what_arrived(config: dict[str, Any], expected: Any):
    assert await join(1, 2, **config) == expected


async def test_a_join_of_no_items_gives_the_empty_list():
    assert await join() == []
    assert await join(merge_strategy="any") == []


@pytest.mark.parametrize(
    "config",
    [{"merge_strategy": "some"}, {"count": 2}, {"merge_strategy": "quorum", "count": 0}],
)
def test_a_join_refuses_other_strategies(config: dict[str, Any]):
    ParallelJoinConfig.model_validate({"merge_strategy": "quorum", "count": 1})
    with pytest.raises(ValidationError):
        ParallelJoinConfig.model_validate(config)


@pytest.mark.parametrize("handler", [ParallelSplit(), ParallelJoin()])
async def test_each_is_given_its_own_config_only(handler: ParallelSplit | ParallelJoin):
    call = make_call(handler, {}, {"input": 1})
    call.config = StepConfig()
    with pytest.raises(TypeError):
        await handler.run(call)
