"""The cases of ``tests/cases/field.json`` that concern models: what their servers answer, and what is right then."""

import json
from pathlib import Path
from typing import Any

from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer

FIELD = Path(__file__).parent.parent / "cases" / "field.json"
PATHS = {"openai": ("/v1", "/v1/chat/completions"), "anthropic": ("", "/v1/messages")}
Case = dict[str, Any]


def model_cases(kind: str) -> list[Any]:
    """Give the cases of a kind, each under its name."""
    import pytest  # noqa: PLC0415

    cases = json.loads(FIELD.read_text())["models"]
    return [pytest.param(case, id=case["name"]) for case in cases if case["class"] == kind]


def serve(case: Case, server: CountingServer, bench: AgentBench) -> None:
    """Have a server answer as a case says, one answer after the other, and connect the bench to it."""
    dialect = case.get("dialect", "openai")
    base, path = PATHS[dialect]
    server.route("POST", path, [_answer(one) for one in case["answers"]])
    bench.model("main", dialect, base_url=server.url + base, **case.get("connection", {}))


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
