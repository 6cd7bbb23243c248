"""What a model is asked is in the journal before it is sent, and what it answered behind it; without secrets."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from examples.model_server import Problem
from foundation.scope import unscoped
from runs.models import RunEvent
from tests.conftest import Customer
from tests.support.agent_bench import AgentBench, wants
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer, RecordedRequest

Api = Callable[[Customer], APIClient]
SECRET = "canary-of-the-model"
LOOK: dict[str, Any] = {
    "name": "look",
    "client_ref": "shop",
    "path": "/orders/{no}",
    "parameters": {"type": "object", "required": ["no"], "properties": {"no": {"type": "string"}}},
}


@pytest.fixture
def committed() -> list[list[dict[str, Any]]]:
    """What was committed of actions whenever the model was asked."""
    return []


@pytest.fixture
def models(committed: list[list[dict[str, Any]]], settings: Any) -> Iterator[CountingServer]:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]

    def answer(_request: RecordedRequest) -> Answer:
        with unscoped("tests look everywhere"):
            committed.append(list(RunEvent.objects.filter(type="action.started").values_list("payload", flat=True)))
        connection.close()
        message = {"role": "assistant", "content": f"Forty-two, says {SECRET}"}
        return Answer(body={"model": "m-1", "choices": [{"message": message, "finish_reason": "stop"}]})

    with CountingServer() as server:
        server.route("POST", "/v1/chat/completions", answer)
        yield server


@pytest.mark.django_db(transaction=True)
def test_it_is_committed_before_it_is_sent_and_shown_with_the_step(
    acme: Customer, api: Api, models: CountingServer, committed: list[list[dict[str, Any]]]
) -> None:
    client = api(acme)
    spec = {"kind": "llm", "provider": "openai", "base_url": f"{models.url}/v1", "model": "m-1", "secret": SECRET}
    assert client.put("/api/v1/connections/lm", spec).status_code == 201
    config = {"llm_ref": "lm", "prompt": "What is {input}?", "system_prompt": "Be brief."}
    segment = {
        "version": "1.0", "segment_id": "ask", "name": "Ask", "entrypoint": "ask", "edges": [],
        "steps": [{"step_id": "ask", "type": "llm_agent", "config": config}],
    }  # fmt: skip
    with running_host():
        started = client.post("/api/v1/runs?wait=20", {"segment": segment, "input": f"it, {SECRET}"}).json()
    (step,) = client.get(started["links"]["steps"]).json()["data"]
    ((sent,),) = committed
    assert (sent["connection"], sent["model"], sent["turns"]) == ("lm", "m-1", 2)
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is it, [cut]?"}
    ]  # fmt: skip
    (call,) = step["calls"]
    assert call["sent"] == sent
    result = call["result"]
    assert (result["answer"], result["finish_reason"]) == ("Forty-two, says [cut]", "stop")
    assert SECRET not in json.dumps([sent, call])


async def test_tools_their_arguments_and_answers_are_told(bench: AgentBench) -> None:
    bench.tool_connection("shop")
    bench.tools.route("GET", "/api/orders/*", Answer(body={"state": "sent"}))
    bench.says(wants("look", no="7"), "It is sent.")
    assert await bench.ask(prompt="Where?", tools=[LOOK]) == "It is sent."
    kinds = [kind.removeprefix("action.") for kind, _ in bench.journal]
    assert kinds == ["started", "completed"] * 3
    first, asked, _, _, second, said = [payload for _, payload in bench.journal]
    assert (first["tools"], first["turns"]) == (["look"], 1)
    assert asked["tool_calls"] == [{"name": "look", "arguments": {"no": "7"}}]
    assert "sent" in second["messages"][-1]["content"], "the tool's answer goes back"
    assert said["answer"] == "It is sent."


async def test_a_long_conversation_is_shown_in_part(bench: AgentBench) -> None:
    await bench.ask(prompt="word " * 10_000)
    ((_, sent), _) = bench.journal
    assert sent["messages"]["characters"] > 50_000
    assert len(sent["messages"]["beginning"]) == 4_000


async def test_a_failure_is_told_with_its_status(bench: AgentBench) -> None:
    bench.says(Problem("server_error"))
    await bench.fail(prompt="x")
    (_, (kind, told)) = bench.journal
    assert (kind, told["code"], told["status"]) == ("action.failed", "LLM_SERVER_ERROR", 500)
