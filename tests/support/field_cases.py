"""The cases of `tests/cases/field.json`, and the servers of those about an http_action.

A case of `http` has `id` and `about`; `step`, an http_action (SERVER stands for the stand-in's address); `connection`,
what `crm` is; `upstream`, what the other side answers, one after the other (`bytes`: a body as latin-1; `raw`: all
there is on the wire); then `sent`, what arrived, and `response`, `status` and `headers` of the step, or its
`error`, `retryable`, `details`.
"""

import email
import email.policy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.http_server import Answer, CountingServer, RecordedRequest

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
CASES: Final = Path(__file__).parents[1] / "cases" / "field.json"


def cases_of(section: str) -> list[Any]:
    """Give the cases of a section as parameters of a test, each under its id."""
    return [pytest.param(case, id=case["id"]) for case in json.loads(CASES.read_text())[section]]


def serve_http(server: CountingServer, case: dict[str, Any]) -> None:
    """Have a server answer as a case says, whatever it is asked for, one answer after the other."""
    answers = [_answer(**told) for told in case.get("upstream", [{"body": {"n": 1}}])]
    answer = _in_turn(answers)
    for method in METHODS:
        server.route(method, "/*", answer)


def assert_sent(call: RecordedRequest, expected: dict[str, Any]) -> None:
    """Look at what a case says of a request."""
    headers = {name: call.headers.get(name) for name in expected.get("headers", {})}
    found = {"method": call.method, "target": call.target, "headers": headers, "body": call.body.decode("latin-1")}
    if "parts" in expected:
        found["parts"] = _parts_of(call)
    assert {name: found[name] for name in expected} == expected


def _parts_of(call: RecordedRequest) -> list[list[str | None]]:
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


def _in_turn(answers: list[Answer]) -> Callable[[RecordedRequest], Answer]:
    left = iter(answers)
    return lambda _request: next(left, answers[-1])


def _answer(*, raw: str | None = None, **told: Any) -> Answer:
    if raw is not None:
        return Answer(raw=raw.encode("latin-1"))
    if "bytes" in told:
        told["body"] = told.pop("bytes").encode("latin-1")
    return Answer(**told)
