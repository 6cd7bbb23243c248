"""http_action with servers as they are: every case of `tests/cases/field.json` that is about them."""

import email
import email.policy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.field_cases import answers_of, http_cases
from tests.support.http_bench import Bench
from tests.support.http_server import Answer, RecordedRequest

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@pytest.mark.parametrize("case", http_cases())
async def test_a_server_as_it_is(bench: Bench, url: str, case: dict[str, Any]) -> None:
    case = json.loads(json.dumps(case).replace("SERVER", url))
    answer = in_turn(answers_of(case.get("upstream", [{"body": {"n": 1}}])))
    for method in METHODS:
        bench.server.route(method, "/*", answer)
    bench.connect("crm", {"base_url": f"{url}/base", **case.get("connection", {})})
    if "error" in case:
        failure = await bench.fail(case["step"], value=case.get("input"), is_filled=False)
        assert failure.code == case["error"]
        assert case.get("message", "") in failure.message
        assert failure.retryable is case.get("retryable", False)
        assert failure.retry_after_seconds == case.get("retry_after")
        assert case.get("details", {}).items() <= failure.details.items()
    else:
        emitted = await bench.run(case["step"], value=case.get("input"), is_filled=False)
        assert emitted.ports["response"] == case.get("response", {"n": 1})
        assert emitted.ports["status"] == case.get("status", 200)
        assert emitted.ports.get("headers") == case.get("headers")
    for call, expected in zip(bench.server.calls, case.get("sent", bench.server.calls), strict=True):
        if isinstance(expected, dict):
            assert_sent(call, expected)


def in_turn(answers: list[Answer]) -> Callable[[RecordedRequest], Answer]:
    left = iter(answers)
    return lambda _request: next(left, answers[-1])


def assert_sent(call: Any, expected: dict[str, Any]) -> None:
    headers = {name: call.headers.get(name) for name in expected.get("headers", {})}
    found = {"method": call.method, "target": call.target, "headers": headers, "body": call.body.decode("latin-1")}
    if "parts" in expected:
        found["parts"] = parts_of(call)
    assert {name: found[name] for name in expected} == expected


def parts_of(call: RecordedRequest) -> list[list[str | None]]:
    """Read the parts of a body: name, filename, content as latin-1."""
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + call.body, policy=email.policy.HTTP)
    return [
        [
            str(part.get_param("name", header="content-disposition")),
            part.get_filename(),
            part.get_payload(decode=True).decode("latin-1"),
        ]
        for part in message.iter_parts()
    ]
