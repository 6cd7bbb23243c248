"""A wait step waits for a number of seconds, until a time, or for a call of its link."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kernel.clock import utc_now
from runs.step_api.base import Emit, StepFailed, Wait
from runs.steps.registry import registry
from runs.steps.wait import MAX_SECONDS, WaitStep
from segments.definition.config import ConfigInvalid
from segments.validation import validate
from tests.support.stand_in_catalog import document
from tests.support.step_calls import make_call


async def waiting(value: Any = None, **config: Any) -> Wait:
    found = await WaitStep().run(make_call(WaitStep(), config, {"input": value}))
    assert isinstance(found, Wait)
    return found


def errors(**config: Any) -> list[str]:
    found = validate(document({"hold:wait": config}), registry().catalog).findings
    return [one.message for one in found if one.severity == "error"]


async def test_waits_for_seconds_that_an_expression_may_give():
    assert await waiting(seconds=1.5) == Wait("timer", seconds=1.5)
    assert await waiting({"days": 14}, seconds="{{ input.days * 24 * 3600 }}") == Wait("timer", seconds=1_209_600)


async def test_waits_until_a_time_with_its_zone():
    text = "2027-01-02T09:00:00+01:00"
    assert await waiting(until=text) == Wait("timer", datetime(2027, 1, 2, 8, tzinfo=UTC))
    assert await waiting({"due": text}, until="{{ input.due }}") == await waiting(until=text)


@pytest.mark.parametrize("text", ["2020-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
async def test_a_time_that_is_over_waits_for_nothing(text: str):
    before = utc_now()
    until = (await waiting(until=text)).until
    assert until is not None
    assert before <= until <= utc_now()


async def test_passes_its_input_on():
    assert await WaitStep().look(make_call(WaitStep(), {"seconds": 1}, {"input": [1]})) == Emit({"output": [1]})


async def test_waits_for_five_years_at_most():
    assert errors(seconds=MAX_SECONDS) == []
    assert len(errors(seconds=MAX_SECONDS + 1)) == 1
    later = (utc_now() + timedelta(seconds=MAX_SECONDS + 60)).isoformat()
    with pytest.raises(StepFailed) as caught:
        await waiting(until=later)
    assert caught.value.code == "WAIT_TOO_LONG"
    with pytest.raises(StepFailed):
        await waiting(until="9999-12-31T23:59:59-12:00")


@pytest.mark.parametrize("config", [{"seconds": 0}, {"seconds": -1}, {"seconds": "soon"}, {"seconds": None}])
def test_refuses_what_is_no_number_of_seconds(config: dict[str, Any]):
    assert errors(seconds=1) == []
    assert len(errors(**config)) == 1


@pytest.mark.parametrize("until", ["2027-01-02", "2027-01-02T09:00:00", "tomorrow", "", 1_800_000_000])
def test_refuses_what_is_no_time_or_has_no_zone(until: Any):
    assert errors(until="2027-01-02T09:00:00Z") == []
    assert len(errors(until=until)) == 1
    with pytest.raises(ConfigInvalid):
        make_call(WaitStep(), {"until": "{{ input }}"}, {"input": until})


def test_waits_for_exactly_one_thing():
    assert len(errors()) == len(errors(seconds=1, until="2027-01-02T09:00:00Z")) == 1
    assert "exactly one" in errors()[0]
    assert errors(seconds="{{ input.seconds }}") == errors(until="{{ input.due }}") == []


async def test_waits_for_a_call_for_a_day_or_as_long_as_it_says():
    assert await waiting(call={}) == Wait("call", seconds=86_400)
    assert await waiting({"h": 2}, call={"timeout_hours": "{{ input.h }}", "schema": {}}) == Wait("call", seconds=7_200)


async def test_when_nobody_calls_it_leaves_by_timeout_where_an_edge_does():
    call = make_call(WaitStep(), {"call": {"timeout_hours": 2}}, {"input": 1}, output_ports=("output", "timeout"))
    assert await WaitStep().look(call) == Emit({"timeout": {"timeout_hours": 2, "input": 1}})
    with pytest.raises(StepFailed) as caught:
        await WaitStep().look(make_call(WaitStep(), {"call": {}}, {"input": 1}, output_ports=("output",)))
    assert (caught.value.code, caught.value.message) == ("WAIT_TIMED_OUT", "Nobody called within 24 hours.")


@pytest.mark.parametrize(
    "call",
    [
        {"timeout_hours": 0},
        {"timeout_hours": 24 * 366 * 5 + 1},
        {"schema": {"type": "nonsense"}},
        {"schema": {"$ref": "https://example.com/schema"}},
        {"schema": {"const": "{{ input.x }}"}},
        {"timeout": 24},
        "yes",
    ],
)
def test_refuses_a_call_that_cannot_be_waited_for(call: Any):
    assert errors(call={"timeout_hours": 24, "schema": {"type": "object"}}) == []
    assert len(errors(call=call)) == 1


def links(steps: dict[str, Any], edges: list[str]) -> list[tuple[str, str, str]]:
    found = validate(document(steps, edges), registry().catalog).findings
    about = {"NO_RESUME_URL", "NOT_UPSTREAM", "MAY_NOT_HAVE_RUN"}
    return [(one.severity, one.code, one.pointer) for one in found if one.code in about]


@pytest.mark.parametrize(
    "text",
    [
        "steps.hold.resume_url",
        "steps['hold']['resume_url']",
        "steps.hold?.resume_url",
        "{'link': steps.hold.resume_url}",
        "get(steps, 'hold.resume_url', null)",
    ],
)
def test_a_link_may_be_named_before_the_step_that_waits_and_beside_it(text: str):
    hold: dict[str, Any] = {"call": {}}
    before = {"a": {"expression": text}, "hold:wait": hold, "b": {"expression": "steps.hold.output"}}
    assert links(before, ["a -> hold", "hold -> b"]) == []
    beside: dict[str, Any] = {"a": {}, "hold:wait": hold, "b": {"expression": text}}
    assert links(beside, ["a -> hold", "a -> b"]) == []


def test_a_link_that_nobody_waits_for_is_found():
    naming = {"expression": "steps.hold.resume_url"}
    at = "/steps/0/config/expression"
    assert links({"a": naming, "hold:wait": {"call": {}}}, ["a -> hold"]) == []
    assert links({"a": naming, "hold:wait": {"seconds": 1}}, ["a -> hold"]) == [("error", "NO_RESUME_URL", at)]
    assert links({"a": naming, "hold": {}}, ["a -> hold"]) == [("error", "NO_RESUME_URL", at)]
    assert links({"a": naming, "b": {}}, ["a -> b"]) == [("error", "NOT_UPSTREAM", at)]
    late = ("warning", "NO_RESUME_URL", "/steps/1/config/expression")
    assert links({"hold:wait": {"call": {}}, "a": naming}, ["hold -> a"]) == [late]
    assert links({"hold:wait": {"call": {}}, "a": naming}, ["hold -> a", "a -> hold ? output == 'again'"]) == []


def test_what_a_step_that_has_not_run_gave_is_still_refused():
    steps = {"a": {"expression": "[steps.hold.resume_url, steps.hold.output]"}, "hold:wait": {"call": {}}}
    assert links(steps, ["a -> hold"]) == [("error", "NOT_UPSTREAM", "/steps/0/config/expression")]
