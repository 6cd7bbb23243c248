"""Token estimates, for answers without a count."""

from kernel.values import dump_json
from runs.step_api.language_models import CompletionRequest, TokenCount, ToolCall

BYTES_PER_TOKEN = 4
MAX_COUNTED = 10**12
"""No call takes more; what says so is no count."""
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
    read, written = whole_number(input_tokens), whole_number(output_tokens)
    return None if read is None or written is None or read == 0 else TokenCount(read, written)


def whole_number(count: object) -> int | None:
    """Read a count, which some services write as a float or as a text; None where it is none."""
    if isinstance(count, str) and count.isascii() and count.isdigit():
        count = int(count[: len(str(MAX_COUNTED)) + 1])
    if isinstance(count, float) and count.is_integer():
        count = int(count)
    return count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MAX_COUNTED else None


def estimated(request: CompletionRequest, text: str, calls: tuple[ToolCall, ...]) -> TokenCount:
    """Guess what a call took whose service told nothing; reasoning is a part of the text here."""
    written = estimate_tokens(text) + sum(estimate_tokens(_written(call)) for call in calls)
    return TokenCount(estimate_input(request), written, is_estimated=True)


def _written(call: ToolCall) -> str:
    return f"{call.name} {dump_json(call.arguments)}"
