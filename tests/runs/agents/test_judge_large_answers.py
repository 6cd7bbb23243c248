"""Large answers by a schema are judged beside the event loop, with the outcome of small ones."""

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer

MIB = 1 << 20
MOST_BYTES = 80 * MIB
"""The text as it comes, is read and is handed over, stand-in included; as values it was held four times, in 318 MiB."""
LISTS = "[" + ",".join(["[]"] * 700_000) + "]"
"""As values they take 44 MiB."""
KEY = "key-of-the-house-1"
ROWS = {"type": "array", "items": {"type": "array", "maxItems": 2}}


@pytest.fixture
def field(bench: AgentBench) -> Iterator[CountingServer]:
    with CountingServer() as server:
        bench.model("main", base_url=f"{server.url}/v1")
        bench.context.models["main"] = replace(bench.context.models["main"], secrets=lambda: (KEY,))
        yield server


def says(server: CountingServer, *texts: str) -> None:
    server.route("POST", "/*", [Answer(body={"choices": [{"message": {"content": text}}]}) for text in texts])


async def test_of_a_value_that_no_run_can_hold_none_is_made(bench: AgentBench, field: CountingServer) -> None:
    says(field, LISTS)
    tracemalloc.start()
    try:
        failure = await bench.fail(prompt="x", response_schema=ROWS)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (failure.code, failure.details["characters"]) == ("VALUE_TOO_LARGE", len(LISTS))
    assert most < MOST_BYTES, most


async def test_one_that_fits_is_the_answer_without_the_connection_s_secret(
    bench: AgentBench, field: CountingServer
) -> None:
    rows = [[n, "x"] for n in range(20_000)]
    says(field, f"```json\n{json.dumps([*rows, [KEY, 2**60]])}\n```")
    found = await bench.ask(prompt="x", response_schema=ROWS)
    assert found == [*rows, ["[cut]", str(2**60)]]


async def test_one_that_does_not_fit_is_sent_back_with_its_places(bench: AgentBench, field: CountingServer) -> None:
    rows = [[n] for n in range(20_000)]
    says(field, json.dumps([[1, 2, 3], *rows]), json.dumps(rows))
    assert await bench.ask(prompt="x", response_schema=ROWS) == rows
    told = field.calls[1].json()["messages"][-1]["content"]
    assert "- /0: " in told


async def test_one_that_is_no_json_is_told_so(bench: AgentBench, field: CountingServer) -> None:
    says(field, "[" + "[1]," * 30_000)
    failure = await bench.fail(prompt="x", response_schema=ROWS)
    assert failure.code == "LLM_REPLY_INVALID"
    [problem] = failure.details["errors"]
    assert problem["code"] in ("NOT_JSON", "AMBIGUOUS")
