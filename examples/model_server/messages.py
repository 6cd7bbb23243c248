"""The wire format of Anthropic's messages, as its API reference describes it."""

import json
from collections.abc import Iterator, Mapping, Set
from typing import Any

from examples.model_server.chat_completions import pieces
from examples.model_server.script import Asked, Call, Problem, Reply, json_text, token_count

REQUEST_ID = "request-id"
_STOP = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "refused": "refusal"}
_PROBLEMS = {
    "unauthorised": (401, "authentication_error", "invalid x-api-key"),
    "model_unknown": (404, "not_found_error", "model: no-such-model"),
    "rate_limited": (429, "rate_limit_error", "This request would exceed your organization's rate limit."),
    "quota_exhausted": (400, "invalid_request_error", "Your credit balance is too low to access the API."),
    "context_too_long": (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    "refused": (400, "invalid_request_error", "Output blocked by content filtering policy"),
    "bad_request": (400, "invalid_request_error", "The request is not valid."),
    "server_error": (500, "api_error", "Internal server error"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
}


def key_of(headers: Mapping[str, str]) -> str:
    """Return the caller's key."""
    return headers.get("x-api-key", "") or headers.get("authorization", "").removeprefix("Bearer ")


def read(body: Mapping[str, Any], headers: Mapping[str, str], target: str, lacks: Set[str]) -> Asked | Problem:
    """Read a call, or say what is wrong with it, as the service would."""
    problem = _complaint(body, headers, lacks)
    if problem is not None:
        return problem
    turns = [(message["role"], _blocks(message["content"])) for message in body["messages"]]
    prompts = [
        (place, block["text"])
        for place, (role, blocks) in enumerate(turns)
        for block in blocks
        if role == "user" and block["type"] == "text"
    ]
    since, prompt = prompts[-1] if prompts else (-1, "")
    tools = {tool["name"]: tool for tool in body.get("tools", ())}
    forced = body.get("tool_choice", {}).get("name")
    return Asked(
        api="anthropic",
        model=body["model"],
        system=body.get("system", ""),
        prompt=prompt,
        answers={
            block["tool_use_id"]: block["content"]
            for _, blocks in turns[since + 1 :]
            for block in blocks
            if block["type"] == "tool_result"
        },
        schema=tools[forced]["input_schema"] if forced else None,
        tools=tuple(tools),
        streamed=bool(body.get("stream")),
        body=body,
        headers=headers,
        target=target,
    )


def plain(asked: Asked, reply: Reply, name: str) -> dict[str, Any]:
    """Write a whole answer."""
    content, stop = _content(asked, reply)
    answer: dict[str, Any] = {
        "id": f"msg_{name}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
    }
    if reply.tells_usage:
        answer["usage"] = _usage(asked, reply)
    return answer


def events(asked: Asked, reply: Reply, name: str) -> Iterator[bytes]:
    """Write an answer in pieces, as server-sent events."""
    content, stop = _content(asked, reply)
    usage = _usage(asked, reply) if reply.tells_usage else {"input_tokens": 0, "output_tokens": 0}
    start = plain(asked, reply, name) | {"content": [], "stop_reason": None}
    yield _event("message_start", message=start | {"usage": usage | {"output_tokens": 1}})
    yield _event("ping")
    for place, block in enumerate(content):
        if block["type"] == "text":
            yield _event("content_block_start", index=place, content_block={"type": "text", "text": ""})
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        else:
            yield _event("content_block_start", index=place, content_block=block | {"input": {}})
            deltas = [
                {"type": "input_json_delta", "partial_json": piece}
                for piece in ("", *pieces(json_text(block["input"])))
            ]
        for delta in deltas:
            yield _event("content_block_delta", index=place, delta=delta)
        yield _event("content_block_stop", index=place)
    end = {"stop_reason": stop, "stop_sequence": None}
    yield _event("message_delta", delta=end, usage={"output_tokens": usage["output_tokens"]})
    yield _event("message_stop")


def problem_event(problem: Problem) -> bytes:
    """Write a problem that comes up amid a stream."""
    return _event("error", error=problem_body(problem)[1]["error"])


def problem_body(problem: Problem) -> tuple[int, dict[str, Any]]:
    """Write a problem: status and body."""
    status, kind, message = _PROBLEMS[problem.kind]
    return status, {"type": "error", "error": {"type": kind, "message": problem.message or message}}


def _event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def _content(asked: Asked, reply: Reply) -> tuple[list[dict[str, Any]], str]:
    """Put an answer in blocks: where a tool is forced, its input is the answer."""
    forced = asked.body.get("tool_choice", {}).get("name")
    if forced and reply.finish in ("stop", "length"):
        block = _call(Call(forced, json.loads(reply.text) if reply.finish == "stop" else {}))
        return [block], "tool_use" if reply.finish == "stop" else "max_tokens"
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    content += [_call(call) for call in reply.calls]
    return content, _STOP[reply.finish]


def _call(call: Call) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.call_id, "name": call.name, "input": call.arguments}


def _usage(asked: Asked, reply: Reply) -> dict[str, int]:
    asked_text = asked.body.get("system", "") + json_text(asked.body["messages"])
    said = reply.text + "".join(json_text(call.arguments) for call in reply.calls)
    return {"input_tokens": token_count(asked_text), "output_tokens": token_count(said)}


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _complaint(body: Mapping[str, Any], headers: Mapping[str, str], lacks: Set[str]) -> Problem | None:
    if "anthropic-version" not in headers:
        return Problem("bad_request", "anthropic-version: header is required")
    for name in ("model", "max_tokens", "messages"):
        if not body.get(name):
            return Problem("bad_request", f"{name}: Field required")
    if not 0 <= body.get("temperature", 1) <= 1:
        return Problem("bad_request", "temperature: range: 0..1")
    return _complaint_about_what_it_lacks(body, lacks) or _complaint_about_turns(body["messages"])


def _complaint_about_what_it_lacks(body: Mapping[str, Any], lacks: Set[str]) -> Problem | None:
    for name in ("temperature", "tool_choice"):
        if name in body and name in lacks:
            return Problem("bad_request", f"{name}: is not supported by this model")
    for tool in body.get("tools", ()):
        if tool["input_schema"].get("type") != "object":
            return Problem("bad_request", "tools.0.input_schema.type: Input should be 'object'")
    return None


def _complaint_about_turns(messages: list[dict[str, Any]]) -> Problem | None:
    waiting: set[str] = set()
    for place, message in enumerate(messages):
        if message["role"] not in ("user", "assistant"):
            return Problem("bad_request", f"messages.{place}.role: Input should be 'user' or 'assistant'")
        blocks = _blocks(message["content"])
        if not all(block.get("text", "-") for block in blocks):
            return Problem("bad_request", f"messages.{place}: text content blocks must be non-empty")
        answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if answered != waiting:
            return Problem("bad_request", f"messages.{place}: each `tool_use` must have one `tool_result` after it")
        waiting = {block["id"] for block in blocks if block["type"] == "tool_use"}
    return None
