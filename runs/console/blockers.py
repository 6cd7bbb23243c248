"""Blockers of a run: sentences of the console that name who or what it waits for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Q
from django.urls import reverse

from foundation.console import changelist_url
from kernel.clock import utc_now
from runs.circuits.listing import OpenCircuit, list_circuits
from runs.errors import CircuitsUnknown
from runs.journals.asked_people import AskedPeople
from runs.models import OVER, Run, RunStatus, Signal, SignalKind, SuspendedRun, Worker
from runs.models.wait_kinds import CALL, CIRCUIT, HUMAN, PLATFORM, TIMER
from runs.selectors import slot_wait
from tenants.members.actors import names_of

MAX_BLOCKERS: Final = 20


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that holds a run up, and the page of the console where it can be looked at."""

    sentence: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class _BlockerFacts:
    """Facts that sentences are made of; open circuits are asked for once, and only where one is waited for."""

    run: Run
    asked: Mapping[str, AskedPeople]
    circuits: Sequence[OpenCircuit] = field(default_factory=tuple)


def blockers_of(run: Run, asked: Sequence[AskedPeople] = ()) -> list[Blocker]:
    """Name what a run waits for, in whole sentences; nothing of one that goes on or is over.

    Args:
        run: The run, which came with its tenant.
        asked: What people are asked in it.
    """
    if run.status in OVER:
        return []
    waits = [wait for wait in run.waiting_for or [] if isinstance(wait, dict)]
    questions = {f"{one.step_id}#{one.activation}": one for one in asked if one.is_open}
    circuits = _circuits(run) if any(wait.get("kind") == CIRCUIT for wait in waits) else ()
    known = _BlockerFacts(run, questions, circuits)
    found = [*_of_standing(run), *(_of_wait(wait, known) for wait in waits[:MAX_BLOCKERS])]
    if len(waits) > MAX_BLOCKERS:
        found.append(Blocker(f"And {len(waits) - MAX_BLOCKERS} more waits: its journal has them all."))
    return found or _of_queue(run)


def _of_standing(run: Run) -> list[Blocker]:
    """Say why a run does not go on whatever its steps wait for."""
    found = []
    if not run.tenant.is_active:
        found.append(Blocker(f"Its tenant {run.tenant} is not active: nothing of it is executed.", _tenant_page(run)))
    if run.status == RunStatus.STALLED:
        message = str((run.error or {}).get("message", "no worker could go on with it"))
        found.append(Blocker(f"It is stalled: {message} It goes on when it is resumed.", changelist_url("runs.worker")))
    if run.status == RunStatus.PAUSED:
        found.append(_of_pause(run))
    elif run.pause_requested:
        found.append(Blocker("A pause is asked for: steps in flight finish first."))
    return found


def _of_pause(run: Run) -> Blocker:
    if SuspendedRun.objects.filter(run=run).exists():
        return Blocker(f"It is paused since its tenant {run.tenant} is suspended.", _tenant_page(run))
    asked = Signal.objects.filter(run=run, kind=SignalKind.PAUSE).order_by("-id").first()
    if asked is None:
        return Blocker("It is paused until somebody resumes it.")
    actor = str(asked.payload.get("actor", ""))
    who = names_of([actor])[actor] or "somebody"
    reason = str(asked.payload.get("reason", ""))
    why = f": {reason}" if reason else ""
    return Blocker(f"It is paused since {_time(asked.created_at)} by {who}{why}. It goes on when it is resumed.")


def _of_queue(run: Run) -> list[Blocker]:
    """Say why a run that is due is not executed."""
    slot = slot_wait(run)
    if slot is None:
        return []
    workers = changelist_url("runs.worker")
    alive = Worker.objects.filter(lease_until__gt=utc_now())
    if not alive.exists():
        return [Blocker("No worker is alive: nothing is executed until one starts.", workers)]
    able = alive.filter(Q(step_types=[]) | Q(step_types__contains=run.step_types))
    if not able.exists():
        needs = ", ".join(sorted(run.step_types)[:10])
        return [Blocker(f"No worker that is alive can execute all that its steps need: {needs}.", workers)]
    ahead = f"{slot['ahead']} ahead" if slot["ahead"] else "it is the next of its tenant"
    return [
        Blocker(
            f"It waits for a slot since {_time(slot['since'])}: {slot['running']} of {slot['limit']} of its tenant "
            f"running, {ahead}.",
            _tenant_page(run),
        )
    ]


def _of_wait(wait: Mapping[str, Any], known: _BlockerFacts) -> Blocker:
    kind = str(wait.get("kind", ""))
    return _SENTENCES.get(kind, _of_retry)(wait, known)


def _of_person(wait: Mapping[str, Any], known: _BlockerFacts) -> Blocker:
    one = known.asked.get(str(wait.get("ref")))
    if one is None:
        return Blocker(f"A person decides at step {_step(wait)}{_until(wait)}.")
    claimed = f", claimed by {one.claimed_by}" if one.claimed_by else ", claimed by nobody"
    late = ", overdue" if one.due_at <= utc_now() else ""
    sentence = f"Human task “{one.title}” at step {_step(wait)}: {one.asked} asked{claimed}, due {_time(one.due_at)}"
    return Blocker(f"{sentence}{late}.", one.address)


def _of_circuit(wait: Mapping[str, Any], known: _BlockerFacts) -> Blocker:
    address = reverse("admin:tenants_connection_circuits")
    whose = f"connection {wait['connection']}" if wait.get("connection") else f"host {wait.get('host', 'unknown')}"
    model = f", model {wait['model']}" if wait.get("model") else ""
    named = ("connection", "host", "model")
    for one in known.circuits:
        if all((getattr(one, name) or None) == (wait.get(name) or None) for name in named):
            times = "once" if one.trips == 1 else f"{one.trips} times in a row"
            last = f" after {one.last_failure}" if one.last_failure else ""
            return Blocker(
                f"Step {_step(wait)} waits for {whose} ({one.host}{model}): breaker open since "
                f"{_time(one.opened_at)}{last}, opened {times}, next probe {_time(one.next_probe)}.",
                address,
            )
    last = f" after {wait['last_failure']}" if wait.get("last_failure") else ""
    since = f" since {_shown(wait['since'])}" if wait.get("since") else ""
    again = f"; the step is tried again at {_shown(wait['until'])}" if wait.get("until") else ""
    return Blocker(f"Step {_step(wait)} waits{since} for {whose}{model}: its breaker was open{last}{again}.", address)


def _of_timer(wait: Mapping[str, Any], known: _BlockerFacts) -> Blocker:
    return Blocker(f"Timer of step {_step(wait)}{_until(wait)}.")


def _of_call(wait: Mapping[str, Any], known: _BlockerFacts) -> Blocker:
    return Blocker(f"Step {_step(wait)} waits for a call to its link{_until(wait)}.")


def _of_platform(wait: Mapping[str, Any], known: _BlockerFacts) -> Blocker:
    return Blocker(f"Step {_step(wait)} met a fault of the platform and is tried again by another worker.")


def _of_budget(wait: Mapping[str, Any], known: _BlockerFacts) -> Blocker:
    sentence = f"Step {_step(wait)} waits for room in a budget of {known.run.tenant}{_until(wait)}."
    return Blocker(sentence, _tenant_page(known.run))


def _of_rate_limit(wait: Mapping[str, Any], known: _BlockerFacts) -> Blocker:
    whose = f" of connection {wait['connection']}" if wait.get("connection") else ""
    return Blocker(f"Step {_step(wait)} waits for the rate limit{whose}{_until(wait)}.")


def _of_retry(wait: Mapping[str, Any], known: _BlockerFacts) -> Blocker:
    return Blocker(f"Step {_step(wait)} waits for its next try{_until(wait)}.")


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any], _BlockerFacts], Blocker]]] = {
    HUMAN: _of_person,
    CIRCUIT: _of_circuit,
    TIMER: _of_timer,
    CALL: _of_call,
    PLATFORM: _of_platform,
    "budget": _of_budget,
    "rate_limit": _of_rate_limit,
}


def _circuits(run: Run) -> Sequence[OpenCircuit]:
    try:
        return list_circuits(run.tenant)
    except CircuitsUnknown:
        return ()


def _tenant_page(run: Run) -> str:
    return reverse("admin:tenants_tenant_change", args=[run.tenant_id])


def _step(wait: Mapping[str, Any]) -> str:
    return str(wait.get("ref") or "unknown").removesuffix("#1")


def _until(wait: Mapping[str, Any]) -> str:
    return f" until {_shown(wait['until'])}" if wait.get("until") else ""


def _shown(text: Any) -> str:
    try:
        return _time(datetime.fromisoformat(str(text)))
    except ValueError:
        return str(text)


def _time(moment: datetime) -> str:
    """Write a time to the second, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
