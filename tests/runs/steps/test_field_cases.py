"""http_action with servers as they are: every case of `tests/cases/field.json` that is about them."""

import json
from typing import Any

import pytest

from tests.support.field_cases import assert_sent, cases_of, serve_http
from tests.support.http_bench import Bench


@pytest.mark.parametrize("case", cases_of("http"))
async def test_a_server_as_it_is(bench: Bench, url: str, case: dict[str, Any]) -> None:
    case = json.loads(json.dumps(case).replace("SERVER", url))
    serve_http(bench.server, case)
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
