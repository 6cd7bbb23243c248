"""Attributes of a model call's span, by OpenTelemetry's conventions for generative AI; never a prompt or an answer."""

from opentelemetry.trace import Span

from runs.step_api.language_models import CompletionReply, CompletionRequest
from runs.traces.spans import Attributes


def asked(provider: str, request: CompletionRequest) -> Attributes:
    """Tell of the request."""
    told: dict[str, str | int | float | bool | list[str]] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": request.model,
        "gen_ai.request.max_tokens": request.max_tokens,
    }
    if request.temperature is not None:
        told["gen_ai.request.temperature"] = request.temperature
    if request.top_p is not None:
        told["gen_ai.request.top_p"] = request.top_p
    return told


def note_reply(span: Span, reply: CompletionReply) -> None:
    """Tell of the answer."""
    span.set_attribute("gen_ai.usage.input_tokens", reply.tokens.input_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", reply.tokens.output_tokens)
    span.set_attribute("gen_ai.response.finish_reasons", [reply.finish_reason])
    if reply.model:
        span.set_attribute("gen_ai.response.model", reply.model)
    if reply.request_id:
        span.set_attribute("gen_ai.response.id", reply.request_id)
