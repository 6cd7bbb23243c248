"""Guessing tokens where nobody counted them."""

from kernel.values import dump_json
from runs.providers.base import CompletionRequest, TokenCount, ToolCall

BYTES_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4


def estimate_tokens(text: str) -> int:
    """Guess the tokens of a text: four bytes each, as English has it."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def estimate_input(request: CompletionRequest) -> int:
    """Guess the tokens of all that is sent: messages, tools, the schema."""
    texts = [message.text for message in request.messages]
    texts += [_written(call) for message in request.messages for call in message.tool_calls]
    texts += [f"{tool.name} {tool.description} {dump_json(dict(tool.parameters))}" for tool in request.tools]
    if request.response_schema is not None:
        texts.append(dump_json(dict(request.response_schema)))
    return sum(map(estimate_tokens, texts)) + _TOKENS_PER_MESSAGE * len(request.messages)


def counted(input_tokens: object, output_tokens: object) -> TokenCount | None:
    """Take what a service counted; None where it told nothing, or nothing for the prompt, which never is nothing."""
    if not isinstance(input_tokens, int) or not isinstance(output_tokens, int):
        return None
    return TokenCount(input_tokens, output_tokens) if input_tokens > 0 and output_tokens >= 0 else None


def estimated(request: CompletionRequest, text: str, calls: tuple[ToolCall, ...]) -> TokenCount:
    """Guess what a call took whose service told nothing."""
    said = estimate_tokens(text) + sum(estimate_tokens(_written(call)) for call in calls)
    return TokenCount(estimate_input(request), said, is_estimated=True)


def _written(call: ToolCall) -> str:
    return f"{call.name} {dump_json(call.arguments)}"
