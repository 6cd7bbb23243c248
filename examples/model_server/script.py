"""Script of the model server: questions, answers and refusals, the same for both wire formats."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Finish = Literal["stop", "length", "tool_calls", "refused"]


@dataclass(frozen=True)
class Asked:
    """One call, read out of either format.

    Attributes:
        api: ``openai`` or ``anthropic``.
        model: As asked for.
        system: The system prompts, joined.
        prompt: The text of the last turn of the user.
        answers: What tools answered since, by call.
        schema: The JSON Schema the answer is to fit, if there is one.
        tools: The names of the tools on offer.
        streamed: Whether the answer is wanted in pieces.
        body: The whole request.
        headers: Of the request; names in lower case.
        target: Path and query of the request.
    """

    api: str
    model: str
    system: str
    prompt: str
    answers: Mapping[str, str]
    schema: Mapping[str, Any] | None
    tools: tuple[str, ...]
    streamed: bool
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    target: str = ""


@dataclass(frozen=True)
class Call:
    """A tool the model asks for; ``arguments`` may be a text that is not JSON."""

    name: str
    arguments: Any
    call_id: str = "call_1"


@dataclass(frozen=True)
class Reply:
    """An answer of the model.

    Attributes:
        text: In words, or in JSON where a schema was asked for.
        calls: Tools it asks for.
        finish: Why it ended.
        latency_seconds: Waited before the first byte; None for the server's own.
        tells_usage: Whether the tokens are told.
        breaks_after: Close the connection behind so many bytes of the body.
        stalls_after: Say nothing more behind so many bytes of the body, and keep the connection open.
        raw: Sent as the whole body instead, as JSON.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    finish: Finish = "stop"
    latency_seconds: float | None = None
    tells_usage: bool = True
    breaks_after: int | None = None
    stalls_after: int | None = None
    raw: bytes | None = None


@dataclass(frozen=True)
class Problem:
    """An answer of the service when it asks no model. Each wire format has words of its own for a ``kind``."""

    kind: Literal[
        "unauthorised",
        "model_unknown",
        "rate_limited",
        "quota_exhausted",
        "context_too_long",
        "refused",
        "bad_request",
        "server_error",
        "overloaded",
    ]
    message: str = ""
    parameter: str | None = None
    retry_after: str | None = None
    amid_stream: bool = False


Script: TypeAlias = Callable[[Asked], Reply | Problem]


def echo(asked: Asked) -> Reply:
    """Answer with an example of the schema, or with the prompt."""
    if asked.schema is not None:
        return Reply(json_text(example_of(asked.schema)))
    return Reply(f"You asked: {asked.prompt}")


def example_of(schema: Mapping[str, Any]) -> Any:
    """Make a value that fits a plain schema."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return {name: example_of(inner) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema.get("items", {"type": "string"}))]
    examples: dict[str, Any] = {"string": "an example", "integer": 1, "number": 1.5, "boolean": True}
    return examples.get(kind)


def json_text(value: Any) -> str:
    """Write a value as models write JSON."""
    return json.dumps(value, ensure_ascii=False)


def token_count(text: str) -> int:
    """Count tokens the way this stand-in does: four letters each."""
    return (len(text) + 3) // 4
