"""What servers of models answer out in the field is taken as the step's user would call right."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runs.step_api.base import StepFailed
from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer
from tests.support.model_cases import FIELD, LOOK, Case, look_at_request, model_cases, serve


@pytest.fixture
def field() -> Iterator[CountingServer]:
    with CountingServer() as server:
        yield server


async def play(case: Case, bench: AgentBench, field: CountingServer) -> None:
    """Play a case and look at all it says is right."""
    serve(case, field, bench)
    bench.tool_connection("shop")
    bench.tools.route("GET", "/api/orders/*", Answer(body={"state": "sent"}))
    config = {"prompt": "Say hello", **case.get("step", {})}
    config["tools"] = [LOOK] if config.get("tools") else None
    right = case["right"]
    if "code" in right:
        _look_at_failure(await bench.fail(**config), right)
    else:
        assert await bench.ask(**config) == right["output"]
    assert len(field.calls) == len(case["answers"])
    assert [call.path for call in bench.tools.calls] == right.get("tools", [])
    look_at_request(field.calls[-1].json(), right)
    if "heard" in right:
        assert "".join(bench.heard) == right["heard"]


def _look_at_failure(failure: StepFailed, right: dict[str, Any]) -> None:
    assert failure.code == right["code"], failure.details
    assert {name: failure.details.get(name) for name in right.get("details", {})} == right.get("details", {})
    assert right.get("message", "") in failure.message
    found = {"retryable": failure.retryable, "host_failed": failure.host_failed}
    found["retry_after"] = failure.retry_after_seconds  # type: ignore[assignment]
    assert {name: value for name, value in found.items() if name in right} == {
        name: right[name] for name in found if name in right
    }


@pytest.mark.parametrize("case", model_cases("cut_answer"))
async def test_a_cut_answer_is_no_success(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("reasoning"))
async def test_reasoning_is_no_part_of_the_answer(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("embedded_json"))
async def test_json_is_found_among_words(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("message_forms"))
async def test_a_text_is_read_in_every_form(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("tool_calls"))
async def test_tools_are_called_however_they_are_asked_for(
    case: Case, bench: AgentBench, field: CountingServer
) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("spoken_calls"))
async def test_a_call_that_is_left_in_the_text_is_one_and_never_an_answer(
    case: Case, bench: AgentBench, field: CountingServer
) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("ends"))
async def test_an_answer_that_came_whole_is_one(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("errors_in_answers"))
async def test_an_error_is_one_wherever_it_stands(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("not_a_stream"))
async def test_what_comes_is_read_whatever_was_asked_for(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("characters"))
async def test_characters_cut_in_two_are_whole(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("no_system_role"))
async def test_a_model_without_a_system_role_is_told_by_its_user(
    case: Case, bench: AgentBench, field: CountingServer
) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("limits"))
async def test_what_the_body_says_tells_limits_from_quotas(
    case: Case, bench: AgentBench, field: CountingServer
) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("forbidden"))
async def test_a_refusal_has_the_service_s_words(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("adapting"))
async def test_what_a_service_does_not_take_is_asked_otherwise(
    case: Case, bench: AgentBench, field: CountingServer
) -> None:
    await play(case, bench, field)


@pytest.mark.parametrize("case", model_cases("named_errors"))
async def test_an_error_is_the_one_that_the_service_means(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)


def test_every_case_is_played() -> None:
    played = re.findall(r'model_cases\("(\w+)"\)', Path(__file__).read_text())
    assert {case["class"] for case in json.loads(FIELD.read_text())["models"]} == set(played)
