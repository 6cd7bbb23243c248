"""The cases of `tests/cases/field.json` about servers: what they answer to an http_action, and what is right then.

A case has `id` and `about`; `step`, an http_action (SERVER stands for the stand-in's address); `connection`, what `crm`
is; `upstream`, what the other side answers, one after the other (`bytes`: a body as latin-1; `raw`: all there is on the
wire); then `sent`, what arrived, and `response`, `status` and `headers` of the step, or its `error`, `retryable`,
`details`.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.http_server import Answer

CASES: Final = Path(__file__).parents[1] / "cases" / "field.json"


def http_cases() -> list[Any]:
    """Give the cases as parameters of a test, each under its id."""
    return [pytest.param(case, id=case["id"]) for case in json.loads(CASES.read_text())["http"]]


def answers_of(upstream: list[dict[str, Any]]) -> list[Answer]:
    """Give what the other side answers, one after the other."""
    return [_answer(**told) for told in upstream]


def _answer(*, raw: str | None = None, **told: Any) -> Answer:
    if raw is not None:
        return Answer(raw=raw.encode("latin-1"))
    if "bytes" in told:
        told["body"] = told.pop("bytes").encode("latin-1")
    return Answer(**told)
