"""Why an answer ended, in the words of the many services that say it."""

import re
from typing import Final

from runs.providers.base import FinishReason

_KINDS: Final[tuple[tuple[re.Pattern[str], FinishReason], ...]] = (
    (re.compile(r"filter|safety|sensitive|recitation|prohibited|blocklist|spii|guardrail"), "filtered"),
    (re.compile(r"length|max_|context_window|limit|truncat"), "length"),
    (re.compile(r"error|abort|cancel|insufficient|malformed|fail|pause"), "broken"),
    (re.compile(r"tool|function"), "tool_calls"),
    (re.compile(r"refus"), "refused"),
)


def finish_of(told: object) -> FinishReason:
    """Read a finish or stop reason; none, and words nobody knows, are a plain end.

    Services write one thing in many ways: ``length``, ``MAX_TOKENS``, ``model_length``.
    """
    words = told.lower() if isinstance(told, str) else ""
    return next((finish for pattern, finish in _KINDS if pattern.search(words)), "stop")
