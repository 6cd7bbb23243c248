"""What servers of models answer out in the field is taken as the step's user would call right."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer
from tests.support.model_cases import Case, model_cases, serve

LOOK: dict[str, Any] = {
    "name": "look",
    "client_ref": "shop",
    "path": "/orders/{number}",
    "parameters": {"type": "object", "required": ["number"], "properties": {"number": {"type": "string"}}},
}


@pytest.fixture
def field() -> Iterator[CountingServer]:
    with CountingServer() as server:
        yield server


async def ask(case: Case, bench: AgentBench, field: CountingServer) -> Any:
    """Play a case; gives the answer, and holds a failure against what is right."""
    serve(case, field, bench)
    bench.tool_connection("shop")
    bench.tools.route("GET", "/api/orders/*", Answer(body={"state": "sent"}))
    right = case["right"]
    config = {"prompt": "Say hello", **case.get("step", {})}
    config["tools"] = [LOOK] if config.get("tools") else None
    if "code" not in right:
        return await bench.ask(**config)
    failure = await bench.fail(**config)
    assert failure.code == right["code"], failure.message
    assert {name: failure.details.get(name) for name in right.get("details", {})} == right.get("details", {})
    return None


async def play(case: Case, bench: AgentBench, field: CountingServer) -> None:
    """Play a case and look at all it says is right."""
    right = case["right"]
    output = await ask(case, bench, field)
    assert output == right.get("output")
    assert len(field.calls) == right.get("calls", len(case["answers"]))


@pytest.mark.parametrize("case", model_cases("cut_answer"))
async def test_a_cut_answer_is_no_success(case: Case, bench: AgentBench, field: CountingServer) -> None:
    await play(case, bench, field)
    assert bench.tools.calls == [], "a call that was cut is not made"
