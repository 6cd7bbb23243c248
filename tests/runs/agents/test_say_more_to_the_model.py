"""What a step says to its model beside the prompt: turns before it, how words are chosen, the service's own words."""

from typing import Any

import pytest

from segments.validation import validate
from tests.support.agent_bench import AgentBench
from tests.support.stand_in_catalog import document, stand_in_catalog

HISTORY = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "I am Ann."},
    {"role": "assistant", "content": "Hello Ann."},
]


async def test_turns_before_the_prompt_are_data(either: AgentBench) -> None:
    either.says("Ann.")
    value: Any = {"history": [*HISTORY, {"role": "user", "content": "{{ input.secret }} {x}"}], "secret": "canary"}
    assert await either.ask(value, prompt="Who am I?", messages="{{ input.history }}") == "Ann."
    (asked,) = either.asked
    said = str(asked.body["messages"])
    assert (asked.system, asked.prompt) == ("Be brief.", "Who am I?")
    assert said.index("I am Ann.") < said.index("Hello Ann.") < said.index("{{ input.secret }} {x}") < said.index("Who")
    assert "canary" not in said


async def test_without_a_prompt_the_last_turn_is_asked(either: AgentBench) -> None:
    either.says("Ann.")
    turns = [*HISTORY, {"role": "user", "content": "Who am I?"}]
    assert await either.ask("unused", messages=turns, system_prompt="In English.") == "Ann."
    assert (either.asked[0].prompt, either.asked[0].system.split()) == ("Who am I?", ["In", "English.", "Be", "brief."])
    for nothing in (HISTORY, [{"role": "user", "content": " "}]):
        assert (await either.fail("unused", messages=nothing)).code == "PROMPT_EMPTY"
    assert len(either.asked) == 1


async def test_how_words_are_chosen_and_where_they_end_is_said(either: AgentBench) -> None:
    await either.ask(prompt="x", top_p=0.3, stop=["END"], extra={"seed": 7})
    body = either.asked[0].body
    assert (body["top_p"], body["seed"]) == (0.3, 7)
    assert body.get("stop", body.get("stop_sequences")) == ["END"]
    await either.ask(prompt="x", stop="END")
    assert either.asked[1].body.get("stop", either.asked[1].body.get("stop_sequences")) == ["END"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("model", "model for it"),
        ("stop_sequences", "stop for it"),
        ("stream", "a step cannot set it"),
        ("n", "a step cannot set it"),
    ],
)
def test_what_the_platform_writes_is_not_said_twice(name: str, hint: str) -> None:
    config = {"llm_ref": "default", "prompt": "x", "extra": {"seed": 7}}
    assert validate(document({"ask:llm_agent": config}), stand_in_catalog()).findings == ()
    (found,) = validate(document({"ask:llm_agent": {**config, "extra": {name: 1}}}), stand_in_catalog()).findings
    assert found.pointer == "/steps/0/config/extra"
    assert hint in found.message
