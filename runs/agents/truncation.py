"""Truncated answers: a failure that carries the text, or a value on a port of its own."""

from collections.abc import Mapping
from typing import Final

from kernel.types import Json
from kernel.values import ValueTooLarge, check_size, dump_json
from runs.step_api.base import StepFailed
from runs.step_api.language_models import CompletionReply, FinishReason

PORT: Final = "truncated"
MAX_KEPT: Final = 20_000
"""Characters of an answer that a failure keeps."""

_REASONS: Final[Mapping[FinishReason, tuple[str, str]]] = {
    "length": ("length", "reached max_tokens ({most}), or the end of what the model can hold; give it more"),
    "filtered": ("content_filter", "was stopped by a content filter"),
    "broken": ("error", "was cut off by the model service"),
    "call_lost": ("error", "ended with a request for a tool, but without a tool call"),
    "unknown": ("unknown", "ended with '{word}', which is no word known for a whole answer"),
}


class ReplyTruncated(StepFailed):
    """The answer was cut off: LLM_REPLY_CUT, or LLM_REPLY_EMPTY where nothing of it had come.

    Attributes:
        value: What leaves by the port ``truncated``: the whole ``text``, and the ``reason``.
    """

    def __init__(self, reply: CompletionReply, most_tokens: int) -> None:
        reason, words = _REASONS[reply.finish_reason]
        is_empty = not reply.text.strip()
        why = words.format(most=most_tokens, word=reply.finish_word)
        super().__init__(
            "LLM_REPLY_EMPTY" if is_empty else "LLM_REPLY_CUT",
            f"The answer {why}{', and contains no text' if is_empty else ''}.",
            retryable=reply.finish_reason in ("broken", "call_lost"),
            details={"reason": reason, **kept_text(reply.text)},
        )
        self.value: dict[str, Json] = {"text": reply.text, "reason": reason}


def reply_empty(reply: CompletionReply) -> StepFailed:
    """Make the failure of a model that ended without an answer; what it thought is kept."""
    message = "The model's answer is empty."
    if not reply.reasoning.strip():
        return StepFailed("LLM_REPLY_EMPTY", message)
    kept: dict[str, Json] = {"reasoning": reply.reasoning[:MAX_KEPT]}
    return StepFailed("LLM_REPLY_EMPTY", "The model produced reasoning, but no answer.", details=kept)


def is_truncated(reply: CompletionReply) -> bool:
    """Tell whether there would have been more."""
    return reply.finish_reason in _REASONS


def check_answer(answer: Json) -> None:
    """Refuse an answer that is larger than a value may be, before it is lost whole.

    Raises:
        StepFailed: VALUE_TOO_LARGE, with the beginning of the answer.
    """
    try:
        check_size(answer)
    except ValueTooLarge as error:
        raise answer_too_large(error, answer if isinstance(answer, str) else dump_json(answer)) from error


def answer_too_large(error: ValueTooLarge, text: str) -> StepFailed:
    """Make the failure of an answer that no run can hold, with its beginning."""
    return StepFailed("VALUE_TOO_LARGE", error.detail, details=kept_text(text))


def kept_text(text: str) -> dict[str, Json]:
    """Write what a model said for a failure's details: its beginning, and how long it was where that is not all."""
    kept: dict[str, Json] = {"text": text[:MAX_KEPT]}
    return kept if len(text) <= MAX_KEPT else kept | {"characters": len(text)}
