"""Activations of a run's steps, folded from its journal page by page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Func, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTransform

from foundation.scope import tenant_scope
from kernel.paging import READ_BYTES, Page, fitting
from kernel.types import Json
from kernel.values import dump_json
from runs.core.events import REPLAYED_FROM, USAGE
from runs.journals.calls import PREFIX, calls_of
from runs.journals.records import emitted_values
from runs.large_values import VALUE_BYTES, WHOLE_BYTES, Path, link, shortened, value_url
from runs.models import Run, RunEvent
from runs.selectors import IN_BETWEEN, OUTCOMES, STARTED, get_run, read_seq
from runs.usage.sums import RunUsage
from tenants.models import Tenant

INPUTS_BYTES: Final = 512 * 1024
"""Of the inputs of one activation, a join's above all, so much is shown as values at most."""

_ActivationKey = tuple[str | None, int | None]
_Lines = dict[_ActivationKey, list[RunEvent]]


@dataclass(frozen=True, slots=True)
class _Source:
    """An event that values came from. Of a hollow one the payload was not read."""

    event: RunEvent
    has_items: bool
    is_shared: bool
    is_hollow: bool = False

    def path(self, ref: Mapping[str, Any]) -> Path:
        """Say where in the payload the value of a reference is."""
        if self.event.type == "segment.started":
            return ("input",)
        if self.event.type == "step.failed":
            return ("error",)
        if self.has_items and "item" in ref:
            return "items", ref["item"]
        return ("value",) if self.is_shared else ("ports", ref["port"])


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One activation of a step, folded from the journal. ``status``: running, retrying, waiting, or an outcome.

    Large values are links. ``seq`` is the number of its first event; ``calls`` has its latest calls to the outside.
    """

    seq: int
    step_id: str
    step_type: str | None
    activation: int
    status: str
    attempts: int
    inputs: dict[str, Json]
    output: Json
    error: Json
    started_at: datetime
    ended_at: datetime | None
    usage: dict[str, Json]
    calls: list[dict[str, Json]]


def list_steps(*, tenant: Tenant, run_id: UUID, cursor: str | None, limit: int) -> Page[StepRecord]:
    """Read one page of a run's activations, in the order they started.

    Only the events of the page's activations, and those their inputs came from, are read with their values; the page
    ends where 4 MiB of either are read.

    Raises:
        RunNotFound: The tenant has no such run.
        CursorRefused: Not a cursor of ours.
    """
    after = read_seq(cursor) if cursor else 0
    run = get_run(tenant=tenant, run_id=run_id)
    with tenant_scope(tenant.id):
        first = run.events.filter(type__in=[STARTED, "step.failed"], step_id__isnull=False).defer("payload")
        heads = _first_of_each(first.order_by("seq"), after, limit + 1)
        lines = _lines_of(run, heads[:limit])
        sources = _sources(run, lines)
    types = {step["step_id"]: step["type"] for step in run.revision.definition["steps"]}
    shown = [head for head in heads if (head.step_id, head.activation) in lines]
    records = [_step_record(lines[(head.step_id, head.activation)], sources, types) for head in shown]
    next_cursor = str(shown[-1].seq) if len(heads) > len(shown) else None
    return Page(records, next_cursor, lambda record: str(record.seq))


def first_step(run: Run) -> StepRecord | None:
    """Read a run's first activation; None before there is one."""
    return next(iter(list_steps(tenant=run.tenant, run_id=run.id, cursor=None, limit=1).rows), None)


def _first_of_each(events: QuerySet[RunEvent], after: int, limit: int) -> list[RunEvent]:
    """Take the first event of each activation behind ``after``; a later attempt's start is not a new activation."""
    earlier = set(events.filter(seq__lte=after).values_list("step_id", "activation")) if after else set()
    heads: dict[_ActivationKey, RunEvent] = {}
    for event in events.filter(seq__gt=after).iterator():
        key = (event.step_id, event.activation)
        if key not in earlier:
            heads.setdefault(key, event)
        if len(heads) == limit:
            break
    return list(heads.values())


def _lines_of(run: Run, heads: Sequence[RunEvent]) -> _Lines:
    """Read the events of the first of some activations, as many as fit."""
    lines: _Lines = {(head.step_id, head.activation): [] for head in heads}
    if not heads:
        return lines
    of_activations = Q(type__startswith="step.") | Q(type__startswith=PREFIX) | Q(type__in=IN_BETWEEN)
    steps = {head.step_id for head in heads}
    events = run.events.filter(of_activations, seq__gte=heads[0].seq, step_id__in=steps)
    for event in events.order_by("seq").defer("payload"):
        if (event.step_id, event.activation) in lines:
            lines[(event.step_id, event.activation)].append(event)
    count = fitting([sum(event.bytes for event in found) for found in lines.values()], READ_BYTES)
    shown = dict(list(lines.items())[:count])
    by_seq = {event.seq: event for found in shown.values() for event in found}
    for seq, payload in run.events.filter(seq__in=by_seq).values_list("seq", "payload"):
        by_seq[seq].payload = payload
    return shown


def _inputs_of(lines: Sequence[RunEvent]) -> dict[str, Any]:
    """Return the references of the latest attempt's start, by port."""
    starts = [event for event in lines if event.type == STARTED]
    inputs: dict[str, Any] = starts[-1].payload.get("inputs", {}) if starts else {}
    return inputs


def _refs(inputs: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for refs in inputs.values():
        yield from refs if isinstance(refs, list) else [refs]


def _sources(run: Run, lines: _Lines) -> dict[int, _Source]:
    """Read the events that inputs came from; take from ``lines`` the last activations whose sources do not fit."""
    wanted = [{int(ref["seq"]) for ref in _refs(_inputs_of(found))} for found in lines.values()]
    sizes = dict(run.events.filter(seq__in=set().union(*wanted)).values_list("seq", "bytes"))
    count, fit = _fit(wanted, sizes)
    for late in list(lines)[count:]:
        del lines[late]
    return _whole(run, fit) | _hollow(run, set().union(*wanted[:count]) - fit)


def _fit(wanted: Sequence[set[int]], sizes: Mapping[int, int]) -> tuple[int, set[int]]:
    """Say how many activations have sources that fit, and which events these are.

    Of the first activation, which is shown in any case, some may not fit.
    """
    fit: set[int] = set()
    total = 0
    for number, seqs in enumerate(wanted):
        new = sorted(seqs - fit)
        count = fitting([total, *(sizes[seq] for seq in new)], READ_BYTES) - 1
        if number and count < len(new):
            return number, fit
        fit.update(new[:count])
        total += sum(sizes[seq] for seq in new[:count])
    return len(wanted), fit


def _whole(run: Run, seqs: set[int]) -> dict[int, _Source]:
    found = run.events.filter(seq__in=seqs)
    return {
        event.seq: _Source(
            event,
            has_items=isinstance(event.payload.get("items"), list),
            is_shared=isinstance(event.payload.get("ports"), list),
        )
        for event in found
    }


def _hollow(run: Run, seqs: set[int]) -> dict[int, _Source]:
    """Learn of events no more than where in them the values are."""
    found = (
        run.events.filter(seq__in=seqs)
        .defer("payload")
        .annotate(kind_of_ports=_type_of("ports"), kind_of_items=_type_of("items"))
    )
    return {
        event.seq: _Source(
            event, has_items=event.kind_of_items == "array", is_shared=event.kind_of_ports == "array", is_hollow=True
        )
        for event in found
    }


def _type_of(member: str) -> Func:
    return Func(KeyTransform(member, "payload"), function="json_typeof", output_field=TextField())


def _step_record(events: Sequence[RunEvent], sources: Mapping[int, _Source], types: Mapping[str, str]) -> StepRecord:
    lines = [event for event in events if not event.type.startswith(PREFIX)]
    first, last = lines[0], lines[-1]
    payload = shortened(last.payload, last.bytes, run_id=last.run_id, seq=last.seq)
    return StepRecord(
        seq=first.seq,
        step_id=first.step_id or "",
        step_type=types.get(first.step_id or ""),
        activation=first.activation or 1,
        status=OUTCOMES.get(last.type) or IN_BETWEEN.get(last.type, "running"),
        attempts=sum(event.type == STARTED for event in lines),
        inputs=_input_values(_inputs_of(lines), sources),
        output=emitted_values(payload) if last.type == "step.completed" else None,
        error=payload.get("error"),
        started_at=first.created_at,
        ended_at=last.created_at if last.type in OUTCOMES else None,
        usage=_usage_of(lines),
        calls=calls_of([event for event in events if event.type.startswith(PREFIX)]),
    )


def _usage_of(events: Sequence[RunEvent]) -> dict[str, Json]:
    """Add up what model calls took in all attempts; what was copied from another run was counted there."""
    usage = RunUsage()
    for event in events:
        if REPLAYED_FROM not in event.payload:
            usage.add(event.payload.get(USAGE, ()))
    return usage.to_dict()


def _input_values(inputs: Mapping[str, Any], sources: Mapping[int, _Source]) -> dict[str, Json]:
    """Look up the values the references (``runs.core.events.Ref``) of each port mean.

    They are whole where they have few bytes together. Of more, each large one is a link, and so is each for which no
    room is left.
    """
    most = sum(sources[ref["seq"]].event.bytes for ref in _refs(inputs))
    left = INPUTS_BYTES

    def shown(ref: Mapping[str, Any]) -> Json:
        nonlocal left
        source = sources[ref["seq"]]
        event, path = source.event, source.path(ref)
        url = value_url(event.run_id, event.seq, path)
        if source.is_hollow:
            return link(event.bytes, url)
        value: Any = event.payload
        for part in path:
            value = value[part]
        size = 0 if most <= WHOLE_BYTES else len(dump_json(value).encode())
        if size > min(VALUE_BYTES, left):
            return link(size, url)
        left -= size
        known: Json = value
        return known

    return {
        port: [shown(ref) for ref in refs] if isinstance(refs, list) else shown(refs) for port, refs in inputs.items()
    }
