"""Replies that must fit a schema."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence

from kernel.errors import ErrorItem
from kernel.parsing import parse_strangers_json
from kernel.types import Json
from kernel.values import MalformedJson, ValueRefused
from runs.inputs import misfits
from runs.providers.answers import without_fence
from runs.providers.embedded import json_spans
from runs.step_api.base import StepFailed

MAX_TOLD = 20
NOT_JSON = "NOT_JSON"


async def read_reply(tenant: Hashable, text: str, schema: Mapping[str, Json]) -> tuple[Json, list[ErrorItem]]:
    """Find the JSON in a model's text, and hold it against a schema.

    The whole text counts, where it is JSON; else the last object or list within it that fits.

    Returns:
        The value, and what is wrong with it; the value is None where there is no JSON.
    """
    value, problems = await _judged(tenant, text, schema)
    if not problems or problems[0].code != NOT_JSON:
        return value, problems
    for found in await asyncio.to_thread(json_spans, text):
        inner, wrong = await _judged(tenant, found, schema)
        if not wrong:
            return inner, wrong
        if problems[0].code == NOT_JSON:
            problems = wrong
    return None, problems


async def _judged(tenant: Hashable, text: str, schema: Mapping[str, Json]) -> tuple[Json, list[ErrorItem]]:
    try:
        value = await parse_strangers_json(tenant, without_fence(text).encode())
    except (MalformedJson, ValueRefused) as error:
        return None, [ErrorItem(code=NOT_JSON, detail=f"The answer is not JSON: {error.detail}")]
    return value, await misfits(tenant, value, schema)


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
    message = "The model's answer does not fit response_schema, also when asked again."
    return StepFailed("LLM_REPLY_INVALID", message, details={"errors": items})
