"""Completion of a run: its output, checked against the segment's ``output_schema``."""

from collections.abc import Hashable, Mapping, Sequence
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
EDGE_FAILED: Final = "ERROR_EDGE_FAILED"
UNCHECKED: Final = "OUTPUT_UNCHECKED"


async def complete(
    journal: Journal, ready: ReadyPlan, output: Json, edge_errors: Sequence[Mapping[str, Json]] = ()
) -> Closing:
    """End a run with its output, and warnings; they fail no run.

    Where the output is not what the segment promises, and where an error edge could not be taken.
    """
    schema = ready.output_schema
    warnings = [] if schema is None else await output_warnings(journal.tenant_id, output, schema)
    lost = [_edge_warning(one) for one in edge_errors]
    return run_endings.completed(journal, output, [*lost, *warnings][:MAX_WARNINGS])


async def output_warnings(tenant: Hashable, output: Json, schema: Mapping[str, Json]) -> list[Json]:
    """Tell where an output does not fit a schema, at most in ``MAX_WARNINGS`` places, or that nobody could tell."""
    try:
        found = await violations(tenant, output, schema)
    except (LlmteamError, SchemaUnusable) as error:
        return [
            _warning(
                UNCHECKED, f"The output could not be checked against the segment's output_schema: {error}", "/output"
            )
        ]
    return [_warning(MISFIT, item.detail, f"/output{item.pointer or ''}") for item in found[:MAX_WARNINGS]]


def _edge_warning(error: Mapping[str, Json]) -> dict[str, Json]:
    details = error["details"]
    edge = details["edge"] if isinstance(details, dict) else ""
    return _warning(EDGE_FAILED, str(error["message"]), f"/edges/{edge}/condition")


def _warning(code: str, message: str, pointer: str) -> dict[str, Json]:
    return {"code": code, "message": message[:MESSAGE_CHARACTERS], "pointer": pointer}
