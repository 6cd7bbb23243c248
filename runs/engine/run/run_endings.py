"""Closings: the ways a host ends or releases a run, and the journal's rows read back."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from kernel.types import Json
from kernel.values import ValueTooLarge, dump_json
from runs.circuits.wording import open_sentence
from runs.core import Event, EventType
from runs.engine.journal.journal import Closing, Journal
from runs.engine.run.recovery import LOST
from runs.engine.run.waits import NEVER, Waits
from runs.engine.store.claimed import Claimed
from runs.models import RunStatus
from runs.models.wait_kinds import CIRCUIT
from runs.traces.spans import record_run

OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
MESSAGE_CHARACTERS = 2_000


def event_of(row: Sequence[Any]) -> Event:
    """Read an event from what ``store.journals.load_journal`` returns."""
    seq, event_type, step_id, activation, attempt, payload, _ = row
    return Event(seq, EventType(event_type), orjson.loads(payload), step_id, activation, attempt, at_of(row))


def at_of(row: Sequence[Any]) -> float:
    """Read when the event of such a row was recorded, by the database's clock."""
    return float(row[6])


def trace_end(claimed: Claimed, closing: Closing) -> None:
    """Make the span of a run that is over, where spans are made."""
    record_run(
        claimed.run_id,
        claimed.traceparent,
        segment_id=claimed.segment_id,
        started_at=claimed.started_at,
        status=str(closing.status),
        attributes={"llmteam.tenant_id": str(claimed.tenant_id), "llmteam.segment_id": claimed.segment_id},
    )


def run_error(code: str, message: str) -> dict[str, Json]:
    """Write an error that is no single step's."""
    return {"code": code, "message": message, "step_id": None, "activation": None, "attempts": 0, "details": {}}


def timed_out(seconds: float, waiting_for: list[Json]) -> dict[str, Json]:
    """Write the error of a run whose time is over, and what it waited for."""
    error = run_error("RUN_TIMED_OUT", f"The run took longer than {seconds:g} s.")
    if waiting_for:
        error["details"] = {"waiting_for": waiting_for}
    shut = [wait for wait in waiting_for if isinstance(wait, dict) and wait["kind"] == CIRCUIT and "host" in wait]
    error["message"] = " ".join([str(error["message"]), *dict.fromkeys(map(open_sentence, shut))])[:MESSAGE_CHARACTERS]
    return error


def begun(input_text: str | None) -> dict[str, Json]:
    """Write the payload of every journal's first event."""
    return {"input": None if input_text is None else orjson.loads(input_text)}


def completed(journal: Journal, output: Json, warnings: Sequence[Json] = ()) -> Closing:
    """End a run with its output, or with an error where the output, or the journal with it, is over its bound.

    Warnings that the journal has no room for are left out.
    """
    details: dict[str, Json] = {"warnings": list(warnings)} if warnings else {}
    try:
        closing = Closing(RunStatus.COMPLETED, over=True, output=dump_json(output))
        journal.end_with(closing, EventType.SEGMENT_COMPLETED, {"output": output, **details})
    except ValueTooLarge as error:
        return completed(journal, output) if warnings else failed(journal, run_error(error.code, error.detail))
    closing.warnings = dump_json(details["warnings"]) if details else None
    return closing


def failed(journal: Journal, error: Mapping[str, Json], *, status: RunStatus = RunStatus.FAILED) -> Closing:
    """End a run with an error."""
    closing = Closing(status, over=True, error=dump_json(dict(error)))
    journal.end_with(closing, EventType.SEGMENT_FAILED, {"error": dict(error)})
    return closing


def cancelled(journal: Journal, *, reason: Json, signal_ids: Sequence[int]) -> Closing:
    """End a run because somebody asked; the event takes the commands."""
    closing = Closing(RunStatus.CANCELLED, over=True, signal_ids=tuple(signal_ids))
    journal.end_with(closing, EventType.SEGMENT_CANCELLED, {"reason": reason})
    return closing


def stalled(journal: Journal, *, code: str, message: str, step: tuple[str, int] | None = None) -> Closing:
    """Stop a run that cannot be executed until a person does something about it; ``step``: the activation to blame."""
    error = run_error(code, message)
    if step is not None:
        error["step_id"], error["activation"] = step
    closing = Closing(RunStatus.STALLED, error=dump_json(error))
    payload: dict[str, Json] = {"reason": "stalled", "code": code, "message": message}
    journal.end_with(closing, EventType.SEGMENT_PAUSED, payload)
    return closing


def unknown(journal: Journal, keys: Sequence[tuple[str, int]]) -> Closing:
    """Stop a run until a person says what becomes of attempts whose outcome was lost."""
    names = ", ".join(f"{step_id}#{activation}" for step_id, activation in keys)
    message = f"{LOST} Resume the run to try {names} again, or cancel it."
    return stalled(journal, code=OUTCOME_UNKNOWN, message=message, step=keys[0])


def paused(journal: Journal, details: Mapping[str, Json] | None, *, waits: Waits) -> Closing:
    """Stop a run until somebody resumes it; ``details`` is None when the journal tells of the pause already.

    The times of what is parked run on.
    """
    waiting_for = list(waits.describe(of_parked=True))
    wake_at = _finite(waits.next_time(of_parked=True))
    closing = Closing(RunStatus.PAUSED, wake_at=wake_at, waiting_for=dump_json(waiting_for))
    if details is not None:
        journal.end_with(closing, EventType.SEGMENT_PAUSED, details)
    return closing


def parked(*, waits: Waits, deadline_at: float) -> Closing:
    """Give a run back that only waits. Waits that no step asked for are charged to its timeout."""
    waiting_for = dump_json(list(waits.describe()))
    if waits.stop_the_clock:
        return Closing(RunStatus.WAITING, wake_at=_finite(waits.next_time()), waiting_for=waiting_for)
    wake_at = min(deadline_at, waits.next_time())
    return Closing(RunStatus.WAITING, wake_at=wake_at, charged_until=wake_at, waiting_for=waiting_for)


def released(*, now: float, status: RunStatus = RunStatus.RUNNING) -> Closing:
    """Give a run to any other host; what is in its inbox is theirs to read."""
    return Closing(status, wake_at=now, yields_to_signals=False)


def _finite(at: float) -> float | None:
    return None if at == NEVER else at
