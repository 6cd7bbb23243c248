"""The wire format of OpenAI's chat completions, as its API reference describes it."""

import json
from collections.abc import Iterator, Mapping, Set
from typing import Any

from examples.model_server.script import Asked, Call, Problem, Reply, json_text, token_count

REQUEST_ID = "x-request-id"
_FINISH = {"stop": "stop", "length": "length", "tool_calls": "tool_calls", "refused": "content_filter"}
_PROBLEMS = {
    "unauthorised": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "model_unknown": (404, "invalid_request_error", "model_not_found", "The model does not exist."),
    "rate_limited": (429, "requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    "quota_exhausted": (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "context_too_long": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens.",
    ),
    "refused": (400, "invalid_request_error", "content_filter", "The prompt was flagged by the content filter."),
    "bad_request": (400, "invalid_request_error", None, "The request is not valid."),
    "server_error": (500, "server_error", None, "The server had an error while processing your request."),
    "overloaded": (503, "server_error", None, "The engine is currently overloaded."),
}


def key_of(headers: Mapping[str, str]) -> str:
    """Return the caller's key."""
    return headers.get("authorization", "").removeprefix("Bearer ") or headers.get("api-key", "")


def read(body: Mapping[str, Any], headers: Mapping[str, str], target: str, lacks: Set[str]) -> Asked | Problem:
    """Read a call, or say what is wrong with it, as the service would."""
    problem = _complaint(body, lacks)
    if problem is not None:
        return problem
    messages = body["messages"]
    since = max((place for place, message in enumerate(messages) if message["role"] == "user"), default=-1)
    return Asked(
        api="openai",
        model=body["model"],
        system="\n".join(message["content"] for message in messages if message["role"] == "system"),
        prompt=messages[since]["content"] if since >= 0 else "",
        answers={m["tool_call_id"]: m["content"] for m in messages[since + 1 :] if m["role"] == "tool"},
        schema=body.get("response_format", {}).get("json_schema", {}).get("schema"),
        tools=tuple(tool["function"]["name"] for tool in body.get("tools", ())),
        streamed=bool(body.get("stream")),
        body=body,
        headers=headers,
        target=target,
    )


def plain(asked: Asked, reply: Reply, name: str) -> dict[str, Any]:
    """Write a whole answer."""
    refused = reply.finish == "refused"
    message: dict[str, Any] = {"role": "assistant", "content": None if refused else reply.text, "refusal": None}
    if refused:
        message["refusal"] = reply.text or "I cannot help with that."
    if reply.calls:
        message["tool_calls"] = [_call(call) for call in reply.calls]
    answer: dict[str, Any] = {
        "id": f"chatcmpl-{name}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": f"{asked.model}-2024-07-18",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[reply.finish]}],
    }
    if reply.tells_usage:
        answer["usage"] = _usage(asked, reply)
    return answer


def events(asked: Asked, reply: Reply, name: str) -> Iterator[bytes]:
    """Write an answer in pieces, as server-sent events."""

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {
            "id": f"chatcmpl-{name}",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": f"{asked.model}-2024-07-18",
            "choices": choices,
            **more,
        }
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"

    def delta(finish: str | None = None, **said: Any) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": said, "logprobs": None, "finish_reason": finish}]

    yield event(delta(role="assistant", content="", refusal=None))
    field = "refusal" if reply.finish == "refused" else "content"
    for piece in pieces(reply.text):
        yield event(delta(**{field: piece}))
    for place, call in enumerate(reply.calls):
        whole = _call(call)
        arguments = whole["function"].pop("arguments")
        whole["function"]["arguments"] = ""
        yield event(delta(tool_calls=[{"index": place, **whole}]))
        for piece in pieces(arguments):
            yield event(delta(tool_calls=[{"index": place, "function": {"arguments": piece}}]))
    yield event(delta(_FINISH[reply.finish]))
    if reply.tells_usage and (asked.body.get("stream_options") or {}).get("include_usage"):
        yield event([], usage=_usage(asked, reply))
    yield b"data: [DONE]\n\n"


def problem_event(problem: Problem) -> bytes:
    """Write a problem that comes up amid a stream."""
    return b"data: " + json.dumps(problem_body(problem)[1]).encode() + b"\n\n"


def problem_body(problem: Problem) -> tuple[int, dict[str, Any]]:
    """Write a problem: status and body."""
    status, kind, code, message = _PROBLEMS[problem.kind]
    return status, {
        "error": {"message": problem.message or message, "type": kind, "param": problem.parameter, "code": code}
    }


def pieces(text: str) -> Iterator[str]:
    """Cut a text as models stream it: a word at a time."""
    start = 0
    while start < len(text):
        end = text.find(" ", start + 1)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end


def _call(call: Call) -> dict[str, Any]:
    arguments = call.arguments if isinstance(call.arguments, str) else json_text(call.arguments)
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _usage(asked: Asked, reply: Reply) -> dict[str, int]:
    prompt = token_count(json_text(asked.body["messages"]))
    completion = token_count(reply.text) + sum(token_count(json_text(call.arguments)) for call in reply.calls)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _complaint(body: Mapping[str, Any], lacks: Set[str]) -> Problem | None:
    if not body.get("model") or not body.get("messages"):
        return Problem("bad_request", "you must provide a model and messages", "messages")
    wanted = body.get("response_format", {}).get("type")
    for parameter, is_used in (
        ("temperature", body.get("temperature", 1) != 1),
        ("max_tokens", "max_tokens" in body),
        ("max_completion_tokens", "max_completion_tokens" in body),
        ("stream_options", "stream_options" in body),
        ("json_schema", wanted == "json_schema"),
        ("json_object", wanted == "json_object"),
    ):
        if is_used and parameter in lacks:
            place = "response_format" if parameter.startswith("json") else parameter
            return Problem("bad_request", f"Unsupported value: '{place}' is not supported with this model.", place)
    if wanted == "json_object" and "json" not in json_text(body["messages"]).lower():
        return Problem("bad_request", "'messages' must contain the word 'json'", "messages")
    return _complaint_about_turns(body["messages"]) or _complaint_about_schema(body)


def _complaint_about_turns(messages: list[dict[str, Any]]) -> Problem | None:
    waiting: set[str] = set()
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                return Problem(
                    "bad_request", "messages with role 'tool' must answer 'tool_calls'", f"messages.[{place}]"
                )
            waiting.discard(message["tool_call_id"])
        elif waiting:
            return Problem("bad_request", "'tool_calls' must be followed by tool messages", f"messages.[{place}]")
        waiting |= {call["id"] for call in message.get("tool_calls", ())}
    return None


def _complaint_about_schema(body: Mapping[str, Any]) -> Problem | None:
    described = body.get("response_format", {}).get("json_schema")
    if described is None:
        return None
    schema = described["schema"]
    if schema.get("type") != "object":
        return Problem("bad_request", "schema must be a JSON Schema of 'type: \"object\"'", "response_format")
    if described.get("strict") and not _is_closed(schema):
        return Problem("bad_request", "'additionalProperties' is required to be false", "response_format")
    return None


def _is_closed(schema: Any) -> bool:
    if isinstance(schema, list):
        return all(_is_closed(inner) for inner in schema)
    if not isinstance(schema, dict):
        return True
    if "properties" in schema and (
        schema.get("additionalProperties") is not False or set(schema["properties"]) != set(schema.get("required", ()))
    ):
        return False
    return all(_is_closed(inner) for inner in schema.values())
