"""Replies that must fit a schema."""

from collections.abc import Hashable, Mapping, Sequence

from kernel.errors import ErrorItem
from kernel.parsing import parse_strangers_json
from kernel.values import Json, MalformedJson, ValueRefused
from runs.inputs import misfits
from runs.steps.base import StepFailed

MOST_TOLD = 20


async def read_reply(tenant: Hashable, text: str, schema: Mapping[str, Json]) -> tuple[Json, list[ErrorItem]]:
    """Read a model's text as JSON and hold it against a schema.

    Returns:
        The value, and what is wrong with it; the value is None where the text is no JSON.
    """
    try:
        value = await parse_strangers_json(tenant, _bare(text))
    except (MalformedJson, ValueRefused) as error:
        return None, [ErrorItem(code="NOT_JSON", detail=f"The answer is not JSON: {error.detail}")]
    return value, await misfits(tenant, value, schema)


def repair_request(problems: Sequence[ErrorItem]) -> str:
    """Write what the model is told about its reply."""
    lines = [f"- {problem.pointer or '/'}: {problem.detail}" for problem in problems[:MOST_TOLD]]
    return "\n".join(
        ["Your answer does not fit the required JSON Schema:", *lines, "Answer again with the corrected JSON only."]
    )


def reply_invalid(problems: Sequence[ErrorItem]) -> StepFailed:
    """Say that the model has not answered as it had to, also when asked again."""
    items: list[Json] = [
        {"pointer": problem.pointer, "code": problem.code, "detail": problem.detail} for problem in problems[:MOST_TOLD]
    ]
    message = "The model's answer does not fit response_schema, also when asked again."
    return StepFailed("LLM_REPLY_INVALID", message, details={"errors": items})


def _bare(text: str) -> bytes:
    """Take off the fence that models like to put around JSON."""
    inner = text.strip()
    if inner.startswith("```") and inner.endswith("```"):
        inner = inner[3:-3].strip().removeprefix("json").strip()
    return inner.encode()
