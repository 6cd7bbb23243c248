"""Calls of resume links, and their effect on a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db import connection
from django.db.models.fields.json import KeyTextTransform

from audit.services import record
from foundation.scope import reading_scope, tenant_scope
from kernel.errors import ErrorItem
from kernel.schemas import judging, violations_in
from kernel.types import Json
from kernel.values import check_size, pointer_of
from runs.commands import signal_run
from runs.core import EventType
from runs.core.call_places import is_same_place
from runs.errors import CallRefused, LinkOver, LinkUnknown, TooManyEarlyCalls
from runs.metrics import CALLS
from runs.models import Run, RunEvent, Signal, SignalKind
from runs.resuming.forms import as_the_schema_has_it
from runs.resuming.links import ResumeLink
from runs.selectors import OUTCOMES

MAX_EARLY_CALLS: Final = 20
"""So many calls a run keeps that came before it waited for them."""
_OF_CALLS: Final = (SignalKind.CALL, SignalKind.EARLY_CALL)


class CallReceipt(StrEnum):
    """Results of a call."""

    RESUMED = "resumed"
    KEPT = "kept"
    """The run does not wait for it yet; it goes on at once when it comes to that."""


@dataclass(frozen=True, slots=True)
class _WaitingRun:
    """An activation that waits for a call, or did. ``until`` is when its time ends."""

    is_open: bool
    until: datetime


def take_call(*, link: ResumeLink, body: Json, is_form: bool = False) -> CallReceipt:
    """Resume a run that waits for a call, or keep the call for it. The first call wins.

    The run's row is locked, so of a call and another, the end of its time or a cancel one wins and the others are told.

    Args:
        link: What was called.
        body: What was sent.
        is_form: Whether it is an object of texts, which stand for what the schema of the step asks for.

    Raises:
        LinkUnknown: The run is gone, or has no such step.
        LinkOver: Nobody waits for it any more.
        CallRefused: The body does not fit; the link can be called again.
        TooManyEarlyCalls: The run keeps no more calls.
        ValueTooLarge: The body is larger than a value may be.
        ComputeLimit: The schema and the body are too large for each other; other errors of the compute pool as well.
    """
    check_size(body)
    body = _checked(link, body, is_form=is_form)
    with tenant_scope(link.tenant_id):
        run = Run.objects.select_for_update(of=("self",), no_key=True).filter(id=link.run_id).first()
        if run is None:
            raise LinkUnknown
        reception = _decide(run, link)
        call = {"step_id": link.step_id, "place": link.place, "body": body}
        if reception is CallReceipt.RESUMED:
            signal_run(run, SignalKind.CALL, call)
        else:
            Signal.objects.create(tenant_id=run.tenant_id, run=run, kind=SignalKind.EARLY_CALL, payload=call)
        record(f"run.call_{reception}", run, actor="link", after={"step_id": link.step_id})
    CALLS.labels(reception).inc()
    return reception


def preview_call(*, link: ResumeLink) -> CallReceipt:
    """Say what a call would do now; changes nothing.

    Raises:
        LinkUnknown: As ``take_call``; ``LinkOver`` and ``TooManyEarlyCalls`` as well.
    """
    with reading_scope(link.tenant_id):
        run = Run.objects.filter(id=link.run_id).first()
        if run is None:
            raise LinkUnknown
        return _decide(run, link)


def _checked(link: ResumeLink, body: Json, *, is_form: bool) -> Json:
    """Hold a body against the schema of the step, before anything is locked; return it as the schema reads it."""
    with reading_scope(link.tenant_id):
        run = Run.objects.select_related("revision").filter(id=link.run_id).first()
        if run is None:
            raise LinkUnknown
        config = _config_of(run, link.step_id)
    schema = (config.get("call") or {}).get("schema")
    if schema is None:
        return body
    if is_form and isinstance(body, dict):
        body = as_the_schema_has_it(body, schema)
    with judging("the body by the `schema` of the step", ""):
        found = violations_in(link.tenant_id, body, schema)
    if found:
        items = [
            ErrorItem(code=one.keyword.upper(), detail=one.sentence, pointer=pointer_of([*one.path])) for one in found
        ]
        raise CallRefused(errors=items)
    return body


def _config_of(run: Run, step_id: str) -> Mapping[str, Any]:
    for step in run.revision.definition["steps"]:
        if step["step_id"] == step_id:
            config: Mapping[str, Any] = step["config"]
            return config
    raise LinkUnknown


def _decide(run: Run, link: ResumeLink) -> CallReceipt:
    """Say what becomes of a call: what was recorded, and what the inbox holds, decide."""
    if run.is_over:
        raise LinkOver(f"The run is {run.status}: nobody waits for this call any more.")
    waits = _waits_of(run, link)
    unread = _calls_unread(run, link)
    is_open = [one for one in waits if one.is_open]
    if len(is_open) > unread:
        if _now() < is_open[unread].until:
            return CallReceipt.RESUMED
        raise LinkOver("The time for this call has passed.")
    if waits or unread:
        raise LinkOver("Somebody has called already, or the run has continued without a call.")
    if run.signals.filter(kind=SignalKind.EARLY_CALL, applied_seq=None).count() >= MAX_EARLY_CALLS:
        raise TooManyEarlyCalls
    return CallReceipt.KEPT


def _waits_of(run: Run, link: ResumeLink) -> list[_WaitingRun]:
    """Read which activations wait at the link's place, or did, oldest first."""
    kinds = (EventType.STEP_STARTED, EventType.STEP_WAITING, EventType.STEP_RETRYING, *OUTCOMES)
    events = RunEvent.objects.filter(run=run, step_id=link.step_id, type__in=kinds).order_by("seq")
    last = dict(events.values_list("activation", "type"))
    until: dict[int | None, datetime] = {}
    for event in events.filter(type=EventType.STEP_WAITING):
        if is_same_place(str(event.payload.get("place", "")), link.place):
            until[event.activation] = datetime.fromisoformat(event.payload["until"])
    return [_WaitingRun(last[one] == EventType.STEP_WAITING, time) for one, time in until.items()]


def _calls_unread(run: Run, link: ResumeLink) -> int:
    """Count the calls of the link that no event has told yet; bodies are not read."""
    rows = run.signals.filter(kind__in=_OF_CALLS, applied_seq=None)
    called = rows.values_list(KeyTextTransform("step_id", "payload"), KeyTextTransform("place", "payload"))
    return sum(step_id == link.step_id and is_same_place(place, link.place) for step_id, place in called)


def _now() -> datetime:
    """Read the database's clock, which goes on while a lock is waited for."""
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        row = cursor.fetchone()
    now: datetime = row[0]
    return now
