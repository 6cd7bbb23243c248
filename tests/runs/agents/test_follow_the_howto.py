"""What docs/howto/llm-agent.md shows is valid, and does what the page says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from examples.model_server import Asked, Problem, Reply
from runs.agents.config import LlmAgentConfig
from runs.agents.conversation import MAX_CALLS, MAX_ROUNDS
from runs.agents.tools import MAX_RESULT_BYTES
from tests.conftest import Customer
from tests.support.agent_bench import AgentBench, closed, wants
from tests.support.http_server import Answer
from tests.support.stand_in_catalog import document, judged

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "howto" / "llm-agent.md").read_text(encoding="utf-8")
PLAIN, FITTING, WITH_TOOLS, FALLING, STORED = map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
MAIL = {"text": "Where is order A 7?"}


@pytest.mark.parametrize("config", [PLAIN, FITTING, WITH_TOOLS, FALLING, STORED])
def test_each_example_is_valid(config: dict[str, Any]) -> None:
    assert judged(document({"ask:llm_agent": {"llm_ref": "default", **config}})) == []


def test_the_table_has_every_key_and_no_other() -> None:
    table = PAGE.partition("| key | is |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(LlmAgentConfig.model_fields)


def test_the_bounds_are_the_page_s() -> None:
    assert f"at most {MAX_ROUNDS} turns and for at most {MAX_CALLS} calls" in PAGE
    assert f"cut at {MAX_RESULT_BYTES // 1024} KiB" in PAGE


def test_every_code_the_step_has_of_its_own_is_listed() -> None:
    sources = [*(ROOT / "runs" / "agents").glob("*.py"), ROOT / "runs" / "steps" / "llm_agent.py"]
    raised = {
        code
        for path in sources
        for code in re.findall(r'(?:StepFailed\(\s*|(?=.LLM_REPLY))"([A-Z_]+)"', path.read_text())
    }
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE))
    assert raised - {"ARGUMENTS_INVALID"} == listed - {"PROMPT_UNKNOWN"}, "what is told to the model ends no step"


async def test_the_first_example_asks_what_it_says(bench: AgentBench) -> None:
    bench.model("default")
    answer = await bench.ask(MAIL, **PLAIN)
    assert answer == "You asked: Is this a complaint, an order or something else?\n\nWhere is order A 7?"
    assert bench.asked[0].system == "You sort the mail of a book shop."


async def test_the_example_with_a_schema_gives_the_value(bench: AgentBench) -> None:
    bench.says('{"reason": "curious", "reply": "It is on its way."}')
    assert await bench.ask(MAIL, **FITTING) == {"reason": "curious", "reply": "It is on its way."}


async def test_the_example_with_a_tool_looks_the_order_up(bench: AgentBench) -> None:
    bench.tool_connection("shop")
    bench.tools.route("GET", "/api/orders/*", Answer(body={"state": "sent"}))
    bench.says(wants("look_up_order", number="A 7", with_lines=True), "It is on its way.")
    assert await bench.ask(MAIL, **WITH_TOOLS) == "It is on its way."
    assert bench.tools.calls[0].target == "/api/orders/A%207?with_lines=true"


async def test_the_example_with_others_behind_asks_them_in_order(bench: AgentBench) -> None:
    bench.model("second", model="m-2")
    bench.gates.append(closed("second"))

    def script(asked: Asked) -> Reply | Problem:
        return Reply("Here.") if asked.model == "small-model" else Problem("server_error")

    bench.server.script = script
    assert await bench.ask(MAIL, **FALLING) == "Here."
    assert [asked.model for asked in bench.asked] == ["m-1", "small-model"]


@pytest.mark.django_db
def test_the_stored_prompt_of_the_page_is_saved_and_found_again(acme: Customer) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {acme.key}")
    (written,) = re.findall(r"-d '(\{.*?\})'\n", PAGE)
    for status in (201, 200):
        saved = client.put("/api/v1/prompts/summary", json.loads(written), format="json")
        assert saved.status_code == status
    for path in ("prompts", "prompts/summary", "prompts/summary/versions", "prompts/summary/versions/1"):
        assert f"/{path}" in PAGE
        assert client.get(f"/api/v1/{path}").status_code == 200
