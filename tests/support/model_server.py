"""A stand-in for model services on loopback, and providers that ask it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from examples.model_server import ModelServer, Problem, Reply
from kernel.egress import EgressClient, build_policy
from runs.providers.registry import build_provider
from runs.step_api.base import StepFailed
from runs.step_api.language_models import CompletionReply, CompletionRequest, Message, Provider

KEY = "key-of-acme-0123456789"
LOOPBACK = build_policy(allow_hosts=["127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])


@dataclass
class ModelBench:
    """One provider before one stand-in."""

    name: str
    server: ModelServer
    http_client: EgressClient

    @property
    def base_url(self) -> str:
        """The address at which the provider finds the stand-in."""
        return self.server.url + ("/v1" if self.name == "openai" else "")

    def provider(self, **options: Any) -> Provider:
        """Make a provider; unless told otherwise with the key of acme."""
        given = {"http_client": self.http_client, "base_url": self.base_url, "secret": KEY} | options
        return build_provider(self.name, **given)

    def answers(self, reply: Reply | Problem) -> None:
        """Say what the stand-in answers from now on."""
        self.server.script = lambda _asked: reply

    async def ask(
        self, *messages: Message | str, on_delta: Callable[[str], None] | None = None, **request: Any
    ) -> CompletionReply:
        """Ask a new provider."""
        return await self.provider().complete(asking(*messages, **request), on_delta=on_delta)

    async def fail(self, **request: Any) -> StepFailed:
        """Ask, and return the failure."""
        try:
            reply = await self.ask(**request)
        except StepFailed as failure:
            return failure
        raise AssertionError(f"an answer instead of a failure: {reply}")


def asking(*messages: Message | str, **request: Any) -> CompletionRequest:
    """A request, with a greeting unless told otherwise."""
    said: Sequence[Message | str] = messages or ("Hello there",)
    turns = [Message("user", message) if isinstance(message, str) else message for message in said]
    return CompletionRequest(**({"model": "m-1", "messages": turns} | request))
