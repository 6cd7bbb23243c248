"""The wire format of Anthropic, through its official SDK."""

from collections.abc import Callable
from typing import ClassVar

from runs.providers.base import CompletionReply, CompletionRequest, ProviderOptions


class AnthropicProvider:
    """Asks models of one connection."""

    default_base_url: ClassVar[str | None] = "https://api.anthropic.com"

    def __init__(self, options: ProviderOptions) -> None:
        self._options = options

    async def complete(
        self, request: CompletionRequest, *, on_delta: Callable[[str], None] | None = None
    ) -> CompletionReply:
        """Ask the model once."""
        raise NotImplementedError
