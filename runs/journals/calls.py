"""Outside calls of activations, folded from their journal."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rest_framework import serializers

from foundation.shapes import JsonObject
from kernel.types import Json
from runs.models import RunEvent
from runs.step_api.cookies import shown_cookies
from runs.step_api.recorded_calls import MADE
from runs.step_api.shown_requests import MAX_CHARACTERS

PREFIX: Final = "action."
MAX_CALLS: Final = 20
_STARTED: Final = "action.started"


class CallShape(serializers.Serializer[Any]):
    """One call to the outside, recorded before it was made. Secrets are cut out; large parts are a beginning."""

    attempt = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    sent = JsonObject(
        help_text="What was sent: of an HTTP call `method`, `url`, `headers`, `body`, `idempotency_key`, `connection`, "
        "and the names of `cookies`; of a language model's `connection`, `host`, `model`, `messages`, `turns`, "
        "`tools`, `max_tokens`."
    )
    result = JsonObject(
        required=False,
        help_text="What came of it: `status` or `code`, and `duration_ms`; the `redirects` it took (`status`, then "
        "`method` and `url`), and a `remark` where one turned a POST into a GET; where it set `cookies`, how many are "
        "`kept` and, for want of room, `dropped`; of a language model `answer`, `finish_reason`, `tool_calls`, "
        "`reasoning`; of a tool's POST or PATCH what the model was `told`. "
        "Absent while nobody knows.",
    )


def calls_of(events: Sequence[RunEvent]) -> list[dict[str, Json]]:
    """Fill a ``CallShape`` for each of an activation's latest calls; ``events`` are those of the action kinds."""
    calls: list[dict[str, Any]] = []
    for event in events:
        if event.type == _STARTED:
            calls.append(
                {
                    "attempt": event.attempt,
                    "started_at": event.created_at,
                    "sent": {name: value for name, value in event.payload.items() if name != MADE},
                }
            )
        elif calls and calls[-1]["attempt"] == event.attempt:
            calls[-1]["result"] = _shown_result(shown_cookies(event.payload))
    return calls[-MAX_CALLS:]


def _shown_result(payload: Mapping[str, Json]) -> Mapping[str, Json]:
    tool = payload.get(MADE)
    if not isinstance(tool, dict):
        return payload
    rest = {name: value for name, value in payload.items() if name != MADE}
    return {**rest, "told": str(tool.get("told"))[:MAX_CHARACTERS]}
