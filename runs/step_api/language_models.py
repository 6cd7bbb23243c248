"""The protocol of a language model provider. Third parties import from here."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import httpx

from kernel.egress import EgressClient
from kernel.types import Json

FinishReason = Literal["stop", "length", "filtered", "broken", "unknown", "tool_calls", "refused", "call_lost"]
"""``length``, ``filtered`` and ``broken``: there would have been more, save for a bound, a content filter, an error.
``unknown``: the service's word for it is none that is known for an end. ``call_lost``: it ended to ask for tools, and
no call of one came.
"""


StreamMode = Literal["auto", "always", "never"]
SchemaMode = Literal["auto", "json_schema", "json_object", "prompt"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool; ``arguments`` are as it wrote them, so nothing is known of their shape."""

    call_id: str
    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Kept:
    """Parts of a turn that a service wants back with it as they were: signed reasoning; meant for one model only."""

    dialect: str
    model: str
    parts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. ``tool_calls`` only of an assistant; ``call_id`` only of a tool's answer.

    ``kept`` is what a reply had for the service that gave it, which alone reads it.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """Tool of a model; ``parameters`` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One call of a model.

    ``timeout_seconds`` is for all of it; ``idempotency_key`` goes along where supported. ``tenant`` names whose call it
    is, for fair shares of what is computed for it. ``extra`` is what else the request says, in the service's own words;
    none of the other fields is written over by it.
    """

    model: str
    messages: Sequence[Message]
    temperature: float | None = None
    max_tokens: int = 1000
    response_schema: Mapping[str, Json] | None = None
    tools: Sequence[Tool] = ()
    timeout_seconds: float | None = None
    idempotency_key: str | None = None
    tenant: Hashable = ""
    top_p: float | None = None
    stop: Sequence[str] = ()
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens as the provider counted them, or as guessed where it told none."""

    input_tokens: int
    output_tokens: int
    is_estimated: bool = False

    def __add__(self, other: "TokenCount") -> "TokenCount":
        return TokenCount(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.is_estimated or other.is_estimated,
        )


@dataclass(frozen=True, slots=True)
class CompletionReply:
    """A model's answer: its text, what it asks for, and what it took.

    ``reasoning`` is what the model thought before, where the service tells; it is no part of the text. ``kept`` goes
    back with the turn. With a ``response_schema`` the text is JSON, perhaps with words around it; whether it fits the
    schema is the caller's to check. A model that refuses to answer replies with the finish reason ``refused``, as its
    tokens count (``errors.refused`` is the failure to raise then); a service that refuses to ask the model raises
    instead. ``finish_word`` is the service's own word for a finish reason that is ``unknown``; ``left_out`` names the
    kinds of what the answer holds beside text, such as pictures.
    """

    text: str
    model: str
    tokens: TokenCount
    finish_reason: FinishReason = "stop"
    tool_calls: tuple[ToolCall, ...] = field(default=())
    request_id: str | None = None
    reasoning: str = ""
    kept: Kept | None = None
    finish_word: str = ""
    left_out: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """One connection, as a provider is made of it.

    Attributes:
        http_client: The tenant's guarded client (``kernel.egress``); shared, never closed by a provider.
        base_url: Where the API is; None for the provider's own.
        secret: Sent in the way of the provider: a bearer token, an ``x-api-key``.
        headers: Sent with every call.
        query: Added to the address of every call.
        authorise: Puts credentials on each request, for connections that have other ways than the provider's.
        renew: Forgets credentials that may be stale; tells whether another try may be let in.
        stream: Whether answers are asked for in pieces: `auto` asks once more for a whole one where none came.
        schema_mode: How an answer by schema is asked for: `auto` finds out what the service takes.
    """

    http_client: EgressClient
    base_url: str | None = None
    secret: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    authorise: Callable[[httpx.Request], Awaitable[None]] | None = None
    renew: Callable[[], bool] | None = None
    stream: StreamMode = "auto"
    schema_mode: SchemaMode = "auto"


class ProviderFactory(Protocol):
    """Makes a provider: a class, as a rule. Making one opens nothing and imports no SDK."""

    default_base_url: str | None
    """Address of calls when a connection names none; None where it has to."""

    def __call__(self, options: ProviderOptions) -> Provider:
        """Make the provider of one connection; it is kept and shared by all steps that use the connection."""
