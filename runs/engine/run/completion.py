"""Completion of a run: its output, checked against the segment's ``output_schema``."""

from collections.abc import Hashable, Mapping
from typing import Final

from kernel.errors import LlmteamError
from kernel.schemas import SchemaUnusable
from kernel.types import Json
from runs.engine.journal.journal import Closing, Journal
from runs.engine.plans import ReadyPlan
from runs.engine.run import run_endings
from runs.inputs import violations

MAX_WARNINGS: Final = 20
MESSAGE_CHARACTERS: Final = 300
MISFIT: Final = "OUTPUT_MISFIT"
UNCHECKED: Final = "OUTPUT_UNCHECKED"


async def complete(journal: Journal, ready: ReadyPlan, output: Json) -> Closing:
    """End a run with its output, and warnings where that is not what the segment promises. They fail no run."""
    schema = ready.output_schema
    warnings = [] if schema is None else await output_warnings(journal.tenant_id, output, schema)
    return run_endings.completed(journal, output, warnings)


async def output_warnings(tenant: Hashable, output: Json, schema: Mapping[str, Json]) -> list[Json]:
    """Tell where an output does not fit a schema, at most in ``MAX_WARNINGS`` places, or that nobody could tell."""
    try:
        found = await violations(tenant, output, schema)
    except (LlmteamError, SchemaUnusable) as error:
        return [_warning(UNCHECKED, f"The output was not held against the segment's output_schema: {error}", "/output")]
    return [_warning(MISFIT, item.detail, f"/output{item.pointer or ''}") for item in found[:MAX_WARNINGS]]


def _warning(code: str, message: str, pointer: str) -> dict[str, Json]:
    return {"code": code, "message": message[:MESSAGE_CHARACTERS], "pointer": pointer}
