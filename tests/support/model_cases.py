"""The cases of ``tests/cases/field.json`` that concern models: what their servers answer, and what is right then."""

import json
from pathlib import Path
from typing import Any

from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer

FIELD = Path(__file__).parent.parent / "cases" / "field.json"
PATHS = {"openai": ("/v1", "/v1/chat/completions"), "anthropic": ("", "/v1/messages")}
Case = dict[str, Any]
LOOK: dict[str, Any] = {
    "name": "look",
    "client_ref": "shop",
    "path": "/orders/{number}",
    "parameters": {"type": "object", "required": ["number"], "properties": {"number": {"type": "string"}}},
}


def model_cases(kind: str) -> list[Any]:
    """Give the cases of a kind, each under its name."""
    import pytest  # noqa: PLC0415

    cases = json.loads(FIELD.read_text())["models"]
    return [pytest.param(case, id=case["name"]) for case in cases if case["class"] == kind]


def serve(case: Case, server: CountingServer, bench: AgentBench) -> None:
    """Have a server answer as a case says, one answer after the other, and connect the bench to it."""
    dialect = case.get("dialect", "openai")
    base, path = PATHS[dialect]
    server.route("POST", path, answers_of(case))
    bench.model("main", dialect, base_url=server.url + base, **case.get("connection", {}))


def answers_of(case: Case) -> list[Answer]:
    """Give what the service answers, one after the other."""
    return [_answer(one) for one in case["answers"]]


def look_at_request(body: dict[str, Any], right: dict[str, Any]) -> None:
    """Look at what a case says of the last request."""
    assert {name: body.get(name) for name in right.get("sent", {})} == right.get("sent", {})
    assert set(body).isdisjoint(right.get("absent", ()))
    turns = body["messages"]
    if "ids" in right:
        assert [call["id"] for turn in turns for call in turn.get("tool_calls", ())] == right["ids"]
        assert [turn["tool_call_id"] for turn in turns if "tool_call_id" in turn] == right["ids"]
    if "sent_back" in right:
        parts = [
            part
            for turn in turns
            for part in (
                turn,
                *turn.get("tool_calls", ()),
                *(turn["content"] if isinstance(turn["content"], list) else ()),
            )
        ]
        assert any(right["sent_back"].items() <= part.items() for part in parts)


def _answer(told: dict[str, Any]) -> Answer:
    headers = dict(told.get("headers", {}))
    if "events" in told:
        content = "".join(f"{_event(event)}\n\n" for event in told["events"]).encode()
        headers.setdefault("Content-Type", "text/event-stream")
    elif "json" in told:
        content = json.dumps(told["json"]).encode()
        headers.setdefault("Content-Type", "application/json")
    else:
        content = bytes.fromhex(told["hex"]) if "hex" in told else told["text"].encode()
    return Answer(told.get("status", 200), content, headers)


def _event(event: Any) -> str:
    if isinstance(event, str):
        return event if event.startswith(":") else f"data: {event}"
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}"
