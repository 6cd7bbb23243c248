"""The protocol of a language model provider. Third parties import from here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from kernel.values import Json

FinishReason = Literal["stop", "length", "tool_calls", "refused"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool; ``arguments`` are as it wrote them, so nothing is known of their shape."""

    call_id: str
    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. ``tool_calls`` only of an assistant; ``call_id`` only of a tool's answer."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """What the model may ask for; ``parameters`` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One call of a model. ``timeout_seconds`` is for all of it; ``idempotency_key`` goes along where supported."""

    model: str
    messages: Sequence[Message]
    temperature: float | None = None
    max_tokens: int = 1000
    response_schema: Mapping[str, Json] | None = None
    tools: Sequence[Tool] = ()
    timeout_seconds: float | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens as the provider counted them, or as guessed where it told none."""

    input_tokens: int
    output_tokens: int
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class CompletionReply:
    """A model's answer: its text, what it asks for, and what it took."""

    text: str
    model: str
    tokens: TokenCount
    finish_reason: FinishReason = "stop"
    tool_calls: tuple[ToolCall, ...] = field(default=())
    request_id: str | None = None


class Provider(Protocol):
    """Calls one language model service for one connection."""

    async def complete(
        self, request: CompletionRequest, *, on_delta: Callable[[str], None] | None = None
    ) -> CompletionReply:
        """Ask the model once; the provider itself retries nothing.

        Args:
            request: What to ask.
            on_delta: Called with each piece of text as it comes; the call is streamed then.

        Raises:
            StepFailed: One of the codes of ``runs.providers.errors``, retryable or not, with ``host_failed`` where
                the service is to blame.
        """
