"""What a model does not take is left out or written otherwise, once found out."""

from typing import Any

import pytest

from examples.model_server import Asked, Problem, Reply
from runs.step_api.base import StepFailed
from runs.step_api.language_models import Message, Tool
from tests.support.http_server import Answer, CountingServer
from tests.support.model_server import ModelBench, asking

TOOL = Tool("look_up", "Looks up", {"type": "object", "properties": {}})


def _nothing(_text: str) -> None:
    """Follow without interest."""


async def test_a_model_without_temperature_is_asked_without_and_remembered(bench: ModelBench) -> None:
    bench.server.lacks = frozenset(("temperature",))
    provider = bench.provider()

    for model in ("m-1", "m-1", "m-2"):
        await provider.complete(asking(model=model, temperature=0.5))

    assert all("temperature" not in asked.body for asked in bench.server.asked)
    assert [asked.model for asked in bench.server.asked] == ["m-1", "m-1", "m-2"]
    assert bench.server.calls == 5, "each model is found out once"


async def test_several_lacks_are_found_out_in_one_call(openai: ModelBench) -> None:
    openai.server.lacks = frozenset(("temperature", "max_tokens", "stream_options", "json_schema"))
    openai.answers(Reply('{"a": 1}'))
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}

    reply = await openai.ask(temperature=0.5, response_schema=schema, on_delta=_nothing)

    assert reply.text == '{"a": 1}'
    assert reply.tokens.is_estimated
    assert openai.server.asked[0].body["max_completion_tokens"] == 1000


@pytest.mark.parametrize(
    ("words", "parameter"),
    [
        ("Invalid schema for response_format 'answer'", "response_format"),
        ("Invalid schema for response_format 'answer': In context=(), 'allOf' is not permitted.", "response_format"),
        ("Automatic parser generation failed: JSON schema error at #/properties/odd: unsupported $ref #odd", None),
    ],
    ids=["OpenAI", "OpenAI, a word of it", "llama.cpp"],
)
async def test_a_schema_the_service_cannot_read_is_put_in_words_for_this_call_only(
    openai: ModelBench, words: str, parameter: str | None
) -> None:
    def script(asked: Asked) -> Reply | Problem:
        if asked.schema is not None and "odd" in asked.schema["properties"]:
            return Problem("bad_request", words, parameter)
        return Reply('{"odd": 1}' if asked.schema is None else "{}")

    openai.server.script = script
    provider = openai.provider()
    odd = {"type": "object", "properties": {"odd": {"type": "integer"}}}
    plain = {"type": "object", "properties": {"a": {"type": "integer"}}}

    assert (await provider.complete(asking(response_schema=odd))).text == '{"odd": 1}'
    assert (await provider.complete(asking(response_schema=plain))).text == "{}"
    assert openai.server.asked[-1].body["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("words", "parameter", "refused"),
    [
        ("Your organization must be verified to stream this model.", "stream", "stream"),
        ("Conversation roles must alternate user/assistant/user/assistant/...", None, "system"),
        ("Only user and assistant roles are supported!", None, "system"),
        ("Function calling with a response mime type: 'application/json' is unsupported", None, "response_format"),
        ("json mode cannot be combined with tool/function calling", None, "response_format"),
        ("Failed to generate JSON. Please adjust your prompt.", None, "response_format"),
        ("invalid temperature: only 1 is allowed for this model", None, "temperature"),
        ("only temperature=1 is supported for this model", "temperature", "temperature"),
        ("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.", None, "temperature"),
    ],
)
async def test_what_is_refused_in_words_of_a_service_s_own_is_asked_otherwise(
    openai: ModelBench, words: str, parameter: str | None, refused: str
) -> None:
    def script(asked: Asked) -> Reply | Problem:
        roles = [turn["role"] for turn in asked.body["messages"]]
        is_in = "system" in roles if refused == "system" else asked.body.get(refused)
        return Problem("bad_request", words, parameter) if is_in else Reply('{"a": 1}')

    openai.server.script = script
    schema = {"type": "object"} if refused == "response_format" else None
    system, question = Message("system", "Be brief."), Message("user", "Hi")

    reply = await openai.ask(
        *(system, question), temperature=0.7, tools=[TOOL], response_schema=schema, on_delta=_nothing
    )

    assert reply.text == '{"a": 1}'
    assert openai.server.calls in (2, 3)
    if schema is not None:
        await openai.ask(response_schema=schema)
        assert openai.server.calls > 3, "a schema is asked for again in the next call"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": 'Invalid JSON payload received. Unknown name "$defs": Cannot find field.'}}),
        (400, {"error": {"message": "The specified schema produces a constraint with too many states."}}),
        (400, {"message": "output_config.format: Extra inputs are not permitted"}),
        (422, {"detail": "Input validation error"}),
        (404, {"error": {"message": "No endpoints found that support the requested parameters: response_format"}}),
        (400, {}),
        (400, b"Bad Request"),
    ],
)
async def test_a_schema_is_left_out_whatever_the_words_it_is_refused_with(
    openai: ModelBench, status: int, body: Any
) -> None:
    said = {"choices": [{"message": {"content": '{"a": 1}'}, "finish_reason": "stop"}]}
    with CountingServer() as service:
        service.route("POST", "/*", [Answer(status, body), Answer(body=said)])
        provider = openai.provider(base_url=service.url)
        assert (await provider.complete(asking(response_schema={"type": "object"}))).text == '{"a": 1}'
        assert [call.json()["response_format"]["type"] for call in service.calls] == ["json_schema", "json_object"]
        service.route("POST", "/*", Answer(status, body))
        with pytest.raises(StepFailed) as raised:
            await provider.complete(asking())
    assert (raised.value.code, len(service.calls)) == ("LLM_BAD_REQUEST", 3), "nothing is left to leave out"


async def test_a_gateway_without_a_service_for_a_schema_is_asked_in_words(openai: ModelBench) -> None:
    lacking = {"error": {"message": "No endpoints found that can handle the requested parameters.", "code": 404}}
    said = {"choices": [{"message": {"content": '{"a": 1}'}, "finish_reason": "stop"}]}
    for tools, code in (((), None), ((TOOL,), "LLM_BAD_REQUEST")):
        with CountingServer() as gateway:
            last = Answer(404, lacking) if tools else Answer(body=said)
            gateway.route("POST", "/*", [Answer(404, lacking), Answer(404, lacking), last])
            request = asking(response_schema={"type": "object"}, tools=tools)
            if code is None:
                assert (await openai.provider(base_url=gateway.url).complete(request)).text == '{"a": 1}'
            else:
                with pytest.raises(StepFailed) as raised:
                    await openai.provider(base_url=gateway.url).complete(request)
                assert raised.value.code == code
            assert ["response_format" in call.json() for call in gateway.calls] == [True, True, False]


async def test_a_temperature_out_of_range_is_an_error_and_not_left_out(bench: ModelBench) -> None:
    bench.answers(Problem("bad_request", "temperature: Input should be less than 1", "temperature"))

    assert (await bench.fail(temperature=1.9)).code == "LLM_BAD_REQUEST"
    assert bench.server.calls == 1


async def test_a_service_that_refuses_whatever_is_left_out_is_believed_in_the_end(openai: ModelBench) -> None:
    said = "response_format json_object temperature max_tokens stream_options max_completion_tokens are unsupported"
    openai.answers(Problem("bad_request", said))
    schema = {"type": "object"}

    failure = await openai.fail(temperature=0.5, response_schema=schema, on_delta=_nothing)

    assert failure.code == "LLM_BAD_REQUEST"
    assert openai.server.calls == 5


async def test_temperatures_beyond_anthropic_s_scale_count_as_its_end(anthropic: ModelBench) -> None:
    await anthropic.ask(temperature=1.7)

    assert anthropic.server.asked[0].body["temperature"] == 1.0


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        (None, "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("http://127.0.0.1:11434/v1", "max_tokens"),
        ("https://openai.com.example/v1", "max_tokens"),
    ],
)
def test_openai_s_own_models_are_given_the_new_name_of_the_longest_answer(
    openai: ModelBench, base_url: str | None, name: str
) -> None:
    provider = openai.provider(base_url=base_url)

    body = provider._format.write(asking(max_tokens=5), frozenset(), streamed=False)  # type: ignore[attr-defined]

    assert body[name] == 5


async def test_what_is_refused_beside_an_extra_is_left_out_beside_that_extra_only(openai: ModelBench) -> None:
    def script(asked: Asked) -> Reply | Problem:
        if asked.body.get("reasoning_effort") == "high" and "temperature" in asked.body:
            return Problem("bad_request", "Unsupported parameter: 'temperature' is not supported when reasoning")
        return Reply("done")

    openai.server.script = script
    provider = openai.provider()
    efforts = ({}, {"reasoning_effort": "high"}, {"reasoning_effort": "high"}, {"reasoning_effort": "none"}, {})
    for extra in efforts:
        await provider.complete(asking(temperature=0.5, extra=extra))
    assert ["temperature" in asked.body for asked in openai.server.asked] == [True, True, False, False, True, True]
    assert openai.server.calls == len(efforts) + 1


async def test_a_prompt_that_an_error_quotes_leaves_nothing_out(openai: ModelBench) -> None:
    words = "Unsupported parameter: 'temperature' is not supported with this model."
    provider = openai.provider()
    openai.answers(Problem("bad_request", f"Cannot be read: {words}"))
    with pytest.raises(StepFailed):
        await provider.complete(asking(words, temperature=0.5))
    assert openai.server.calls == 1

    openai.server.lacks = frozenset(("temperature",))
    openai.answers(Reply("done"))
    assert (await provider.complete(asking("Hello", temperature=0.5))).text == "done"
