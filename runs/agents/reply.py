"""Replies that must fit a schema."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence

from kernel.canonical import canonical_json
from kernel.errors import ErrorItem
from kernel.redaction import redact
from kernel.schemas import judging
from kernel.types import Json
from kernel.values import MalformedJson, ValueRefused, parse_json
from runs.agents.large_reply import MAX_BYTES_IN_PLACE, validate_large_reply
from runs.inputs import as_items, violations
from runs.providers.embedded_json import Span, json_spans
from runs.providers.model_json import without_fence
from runs.providers.sent_texts import SentTexts
from runs.step_api.base import StepFailed

MAX_TOLD = 20
NOT_JSON = "NOT_JSON"
AMBIGUOUS = "AMBIGUOUS"


async def read_reply(
    tenant: Hashable, text: str, schema: Mapping[str, Json], *, sent: SentTexts, secrets: Sequence[str] = ()
) -> tuple[Json, list[ErrorItem]]:
    """Find the JSON in a model's text, and hold it against a schema.

    The whole text counts, where it is JSON; else the one object or list within it that fits. Of several that differ
    the one counts that is the last word, where the others stand amid words: so models think aloud. One that stands in
    what the model was sent may be quoted, and never counts before another.

    Args:
        tenant: Whose work it is.
        text: What the model said.
        schema: What the value has to fit.
        sent: What the model was told.
        secrets: What is cut out of the value.

    Returns:
        The value, and what is wrong with it; the value is None where there is no JSON, or it is not clear which counts.

    Raises:
        ValueTooLarge: It fits, but no run can hold it.
    """
    value, problems = await _judged(tenant, text, schema, secrets)
    if not problems or problems[0].code != NOT_JSON:
        return value, problems
    found = await asyncio.to_thread(json_spans, text)
    fitting: list[tuple[Span, Json]] = []
    for span in found.spans:
        inner, wrong = await _judged(tenant, span.text, schema, secrets)
        if not wrong:
            fitting.append((span, inner))
        elif wrong[0].code != NOT_JSON:
            problems = wrong
    if not fitting:
        return None, problems
    if not found.is_all:
        detail = "Not all JSON in the answer can be read: an object or a list is not closed, or there are too many."
        return None, [ErrorItem(code=AMBIGUOUS, detail=detail)]
    count = len({canonical_json(one) for _, one in fitting})
    if count == 1 or await asyncio.to_thread(_is_last_word, fitting, sent):
        return fitting[-1][1], []
    detail = f"The answer holds {count} different values that fit, so it is not clear which one counts."
    return None, [ErrorItem(code=AMBIGUOUS, detail=detail)]


def _is_last_word(fitting: Sequence[tuple[Span, Json]], sent: SentTexts) -> bool:
    """Tell whether the last value is meant, and the others are only spoken of."""
    *others, (last, _) = fitting
    return last.is_last_word and all(span.is_aside for span, _ in others) and not sent.hold([last.text])


async def _judged(
    tenant: Hashable, text: str, schema: Mapping[str, Json], secrets: Sequence[str]
) -> tuple[Json, list[ErrorItem]]:
    content = without_fence(text).encode()
    with judging("the answer by the `response_schema`"):
        try:
            if len(content) > MAX_BYTES_IN_PLACE:
                value, found = await validate_large_reply(tenant, content, schema, secrets)
                return value, as_items(found)
            value = parse_json(content, big_integers="text")
        except (MalformedJson, ValueRefused) as error:
            return None, [ErrorItem(code=NOT_JSON, detail=f"The answer is not JSON: {error.detail}")]
        return redact(value, secrets), await violations(tenant, value, schema)


def repair_request(problems: Sequence[ErrorItem]) -> str:
    """Write what the model is told about its reply."""
    lines = [f"- {problem.pointer or '/'}: {problem.detail}" for problem in problems[:MAX_TOLD]]
    return "\n".join(
        ["Your answer does not fit the required JSON Schema:", *lines, "Answer again with the corrected JSON only."]
    )


def reply_invalid(problems: Sequence[ErrorItem]) -> StepFailed:
    """Say that the model has not answered as it had to, also when asked again."""
    items: list[Json] = [
        {"pointer": problem.pointer, "code": problem.code, "detail": problem.detail} for problem in problems[:MAX_TOLD]
    ]
    message = "The model's answer does not fit response_schema, and neither does its second try."
    return StepFailed("LLM_REPLY_INVALID", message, details={"errors": items})
