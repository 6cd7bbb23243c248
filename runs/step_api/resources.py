"""Outside resources of a step: connections, language models, stored prompts, and their usage."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import httpx

    from runs.step_api.language_models import Provider


MODEL_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Target of a call: limits count by tenant and connection, circuit breakers by tenant and ``circuit``.

    Attributes:
        host: ``host:port``.
        connection: The connection's ref; None for a bare URL.
        requests_per_minute: The connection's own limit, if it has one.
        max_concurrency: How many calls of one worker may be in flight, if that is limited.
        answers_slowly: Whether answers take seconds when all is well, as those of models do: then silence of some
            tenths of a second is no reason to hold others back.
        model: The language model that is asked, if it is one.
    """

    host: str
    connection: str | None = None
    requests_per_minute: int | None = None
    max_concurrency: int | None = None
    answers_slowly: bool = False
    model: str | None = None

    @property
    def circuit(self) -> str:
        """The name of what fails together: a host; of a gateway to many models one model, by one connection."""
        return self.host if self.model is None else f"{self.connection or self.host}/{self.model[:MODEL_CHARACTERS]}"


class Client(Protocol):
    """A connection to an HTTP API, its credentials included."""

    @property
    def ref(self) -> str:
        """The connection's name."""

    @property
    def base_url(self) -> str:
        """The address that paths are put below."""

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint its calls go to."""

    @property
    def timeout_seconds(self) -> float | None:
        """For one call, if the connection says."""

    @property
    def allows_tools(self) -> bool:
        """Whether a model may call it as a tool."""

    async def authorise(self, request: "httpx.Request") -> None:
        """Put the connection's headers and credentials on a request, unless it has those headers already.

        Raises:
            StepFailed: Credentials cannot be had, as from an OAuth2 server that is away.
        """

    def renew(self) -> bool:
        """Forget credentials that may be stale; return whether another try may be let in."""

    def secrets(self) -> tuple[str, ...]:
        """Give what must not come back in an answer."""


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A connection to a language model: who answers, and what it is called.

    Attributes:
        ref: The connection's name.
        provider: Makes the calls.
        provider_name: ``openai``, ``anthropic``, or as registered; prices are found by it.
        model: The connection's default model; empty where it has none.
        endpoint: Where its calls go.
        timeout_seconds: For one call, if the connection says.
        secrets: Gives what must not be shown of a call.
    """

    ref: str
    provider: "Provider"
    provider_name: str
    model: str
    endpoint: Endpoint
    timeout_seconds: float | None = None
    secrets: Callable[[], tuple[str, ...]] = field(default=tuple, repr=False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of a stored prompt; both texts may hold ``{{ }}``."""

    template_id: str
    version: int
    prompt: str
    system_prompt: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """Price of a model's tokens, in US dollars per million; ``is_estimated``: from a list, nobody agreed to it."""

    input_per_million: Decimal
    output_per_million: Decimal
    is_estimated: bool = False

    def cost_of(self, *, input_tokens: int, output_tokens: int) -> Decimal:
        """Say what a call costs, exactly, in US dollars."""
        return (input_tokens * self.input_per_million + output_tokens * self.output_per_million).scaleb(-6)


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds of usage; None is no bound. ``cost`` in US dollars."""

    tokens: int | None = None
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Reserved usage of the next call of a model, at most.

    Attributes:
        tokens: Of prompt and answer.
        cost: US dollars; None where no price is known.
        step_budget: What the activation may take in all its attempts together, if its config says.
    """

    tokens: int
    cost: Decimal | None = None
    step_budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Usage of one call of a model.

    Attributes:
        connection: The connection's ref.
        provider: Its provider.
        model: As the provider named it.
        input_tokens: Of the prompt.
        output_tokens: Of the answer.
        cost: US dollars; None where no price is known.
        is_estimated: Whether tokens or price are a guess.
        latency_ms: From the request to the end of the answer.
        request_id: The provider's name for the call.
        prompt: ``name@version`` of the stored prompt, if one was used.
    """

    connection: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cost: Decimal | None = None
    is_estimated: bool = False
    latency_ms: int = 0
    request_id: str | None = None
    prompt: str | None = None


__all__ = ["Budget", "Client", "Endpoint", "Hold", "LanguageModel", "Price", "Prompt", "Usage"]
