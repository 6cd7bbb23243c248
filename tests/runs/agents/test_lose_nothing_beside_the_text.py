"""What an answer holds beside its first text: refusals, pictures, other choices, marks of its end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer
from tests.support.model_cases import PATHS

SKY = "The sky."


@pytest.fixture
def field() -> Iterator[CountingServer]:
    with CountingServer() as server:
        yield server


def answer_of(*choices: dict[str, Any]) -> Answer:
    return Answer(body={"model": "m-1", "choices": list(choices)})


def events_of(*choices: dict[str, Any]) -> Answer:
    events = [{"model": "m-1", "choices": [choice]} for choice in choices]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    return Answer(body=body.encode(), headers={"Content-Type": "text/event-stream"})


def whole(message: dict[str, Any]) -> Answer:
    return answer_of({"index": 0, "message": message, "finish_reason": "stop"})


def streamed(message: dict[str, Any]) -> Answer:
    return events_of({"index": 0, "delta": message}, {"index": 0, "delta": {}, "finish_reason": "stop"})


def connect(bench: AgentBench, field: CountingServer, answer: Answer) -> None:
    base, path = PATHS["openai"]
    field.route("POST", path, answer)
    bench.model("main", base_url=field.url + base)
    bench.journal.clear()


@pytest.mark.parametrize("way", [whole, streamed])
async def test_a_refusal_among_the_parts_is_one(bench: AgentBench, field: CountingServer, way: Any) -> None:
    connect(bench, field, way({"content": [{"type": "text", "text": SKY}]}))
    assert await bench.ask(prompt="x") == SKY
    connect(bench, field, way({"content": [{"type": "refusal", "refusal": "I will not."}]}))
    failure = await bench.fail(prompt="x")
    assert (failure.code, failure.details["text"]) == ("LLM_REFUSED", "I will not.")


PICTURES: dict[str, dict[str, Any]] = {
    "among the parts": {
        "content": [
            {"type": "text", "text": SKY},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
        ]
    },
    "beside the text": {"content": SKY, "images": [{"type": "image_url", "image_url": {"url": "data:"}}]},
    "as a sound": {"content": SKY, "audio": {"id": "a", "data": "AAAA"}},
}


@pytest.mark.parametrize("way", [whole, streamed])
@pytest.mark.parametrize("place", PICTURES)
async def test_a_picture_is_left_out_and_told(bench: AgentBench, field: CountingServer, place: str, way: Any) -> None:
    connect(bench, field, way({"content": SKY, "images": []}))
    assert await bench.ask(prompt="x") == SKY
    assert "remark" not in bench.journal[-1][1]
    connect(bench, field, way(PICTURES[place]))
    assert await bench.ask(prompt="x") == SKY
    kind = "audio" if place == "as a sound" else "image_url"
    assert bench.journal[-1][1]["remark"] == f"The answer holds more than text, which is left out: {kind}."


async def test_of_two_choices_the_first_by_number_counts(bench: AgentBench, field: CountingServer) -> None:
    first = {"index": 0, "message": {"content": SKY}, "finish_reason": "stop"}
    other = {"index": 1, "message": {"content": "Else."}, "finish_reason": "stop"}
    for choices in ([first], [first, other], [other, first]):
        connect(bench, field, answer_of(*choices))
        assert await bench.ask(prompt="x") == SKY


async def test_the_pieces_of_two_choices_are_not_mixed(bench: AgentBench, field: CountingServer) -> None:
    pieces = [(0, "The "), (1, "El"), (0, "sky"), (1, "se"), (0, "."), (1, ".")]
    ends = [{"index": number, "delta": {}, "finish_reason": "stop"} for number in (1, 0)]
    for numbers in ({0}, {0, 1}):
        said = [{"index": number, "delta": {"content": text}} for number, text in pieces if number in numbers]
        connect(bench, field, events_of(*said, *[end for end in ends if end["index"] in numbers]))
        assert await bench.ask(prompt="x") == SKY
    unnumbered = [
        {"delta": {"content": "The "}},
        {"index": 0, "delta": {"content": "sky"}},
        {"delta": {"content": "."}},
    ]
    connect(bench, field, events_of(*unnumbered, {"delta": {}, "finish_reason": "stop"}))
    assert await bench.ask(prompt="x") == SKY
    assert "".join(bench.heard) == SKY * 3


@pytest.mark.parametrize("status", [498, 499])
async def test_what_passes_is_tried_again(bench: AgentBench, field: CountingServer, status: int) -> None:
    connect(bench, field, Answer(status=status, body={"error": {"message": "Over capacity"}}))
    failure = await bench.fail(prompt="x")
    assert (failure.code, failure.retryable) == ("LLM_SERVER_ERROR", True)
    connect(bench, field, Answer(status=400, body={"error": {"message": "Over capacity"}}))
    assert (await bench.fail(prompt="x")).code == "LLM_BAD_REQUEST"


@pytest.mark.parametrize(
    "body",
    [
        {"__type": "ThrottlingException", "message": "Rate exceeded"},
        {"__type": "com.amazon.coral.service#ThrottlingException", "message": "Rate exceeded"},
        {"error": {"message": "BedrockException: ThrottlingException - Rate exceeded"}},
        {"message": "Too many requests, please wait before trying again."},
    ],
)
async def test_a_limit_that_is_told_with_400_is_one(
    bench: AgentBench, field: CountingServer, body: dict[str, Any]
) -> None:
    connect(bench, field, Answer(status=400, body=body))
    failure = await bench.fail(prompt="x")
    assert (failure.code, failure.retryable) == ("LLM_RATE_LIMITED", True)


@pytest.mark.parametrize("way", [whole, streamed])
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("The sky.<|im_end|>", SKY),
        ("The sky.</s>\n", SKY),
        ("The sky. <|eot_id|><|endoftext|>", SKY),
        ("The sky.<end_of_turn>\n", SKY),
        ("A turn ends with `<|im_end|>`.", "A turn ends with `<|im_end|>`."),
        ("<p><s>old</s>", "<p><s>old</s>"),
        ("The sky.\n", "The sky.\n"),
    ],
)
async def test_marks_of_the_end_are_no_part_of_the_answer(
    bench: AgentBench, field: CountingServer, said: str, kept: str, way: Any
) -> None:
    connect(bench, field, way({"content": said}))
    assert await bench.ask(prompt="x") == kept
