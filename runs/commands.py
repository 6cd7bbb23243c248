"""Run commands: pause, resume, cancel. One table says which status allows which command."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final
from uuid import UUID

from django.db.models import F, FloatField, Func, Value
from django.db.models.functions import Greatest, Now

from audit.services import record
from foundation.scope import tenant_scope
from kernel.types import Json
from runs.bus.doorbell import poke_owner, ring
from runs.errors import RunAlreadyOver, RunNotFound, TooManyCommands
from runs.models import Run, RunStatus, Signal, SignalKind
from runs.models.wait_kinds import FREE
from runs.requirements import current_requirements_of
from tenants.lifecycle.suspension import check_may_resume
from tenants.models import Tenant


class Reply(Enum):
    """Effects of a command in a status."""

    TAKEN = auto()
    ALREADY = auto()
    """Accepted and without effect: the run is where the command would take it."""
    REFUSED = auto()


MAX_COMMANDS: Final = 50
"""Commands that wait in the inbox of one run."""
COMMANDS: Final = (SignalKind.CANCEL, SignalKind.PAUSE, SignalKind.RESUME)

REPLIES: Final[Mapping[SignalKind, Mapping[RunStatus, Reply]]] = {
    SignalKind.CANCEL: {
        RunStatus.QUEUED: Reply.TAKEN,
        RunStatus.RUNNING: Reply.TAKEN,
        RunStatus.WAITING: Reply.TAKEN,
        RunStatus.PAUSED: Reply.TAKEN,
        RunStatus.STALLED: Reply.TAKEN,
        RunStatus.COMPLETED: Reply.REFUSED,
        RunStatus.FAILED: Reply.REFUSED,
        RunStatus.CANCELLED: Reply.ALREADY,
        RunStatus.TIMED_OUT: Reply.REFUSED,
    },
    SignalKind.PAUSE: {
        RunStatus.QUEUED: Reply.TAKEN,
        RunStatus.RUNNING: Reply.TAKEN,
        RunStatus.WAITING: Reply.TAKEN,
        RunStatus.PAUSED: Reply.ALREADY,
        RunStatus.STALLED: Reply.ALREADY,
        RunStatus.COMPLETED: Reply.REFUSED,
        RunStatus.FAILED: Reply.REFUSED,
        RunStatus.CANCELLED: Reply.REFUSED,
        RunStatus.TIMED_OUT: Reply.REFUSED,
    },
    SignalKind.RESUME: {
        RunStatus.QUEUED: Reply.ALREADY,
        RunStatus.RUNNING: Reply.ALREADY,
        RunStatus.WAITING: Reply.ALREADY,
        RunStatus.PAUSED: Reply.TAKEN,
        RunStatus.STALLED: Reply.TAKEN,
        RunStatus.COMPLETED: Reply.REFUSED,
        RunStatus.FAILED: Reply.REFUSED,
        RunStatus.CANCELLED: Reply.REFUSED,
        RunStatus.TIMED_OUT: Reply.REFUSED,
    },
}
"""By command and status. Where a pause is asked for and not in effect yet, pausing is ``ALREADY`` and resuming
``TAKEN``. Snapshots and replays read only, so every status allows them."""


def command_run(
    *, tenant: Tenant, actor: str, run_id: UUID, command: SignalKind, reason: str = "", by_house: bool = False
) -> Run:
    """Ask a run to pause, to resume or to end for good.

    Writes a signal; the run's owner, or the next claimer, applies it. Asking again changes nothing. The run's row is
    locked until the transaction ends, so the answer to "may it still be done?" is final. A run that is resumed from
    standing still goes back into the queue at once, its losses forgotten, and needs a slot like any other.

    Args:
        tenant: Owner of the run; a run of another tenant counts as absent.
        actor: For the journal and the audit.
        run_id: The run.
        command: What is asked.
        reason: Shown to people in the run's history.
        by_house: Whether the platform itself asks: then there is always room.

    Returns:
        The run as it is now, not as it will be.

    Raises:
        RunNotFound: The tenant has no such run.
        RunAlreadyOver: The run is over, which forbids it.
        TenantSuspended: It is to be resumed, and its tenant's runs are paused.
        TooManyCommands: Many commands wait in its inbox, and this one would not end the run.
    """
    with tenant_scope(tenant.id):
        run = Run.objects.select_for_update(of=("self",)).select_related("revision").filter(id=run_id).first()
        if run is None:
            raise RunNotFound
        reply = _reply(run, command)
        if reply is Reply.REFUSED:
            raise RunAlreadyOver(f"The run is {run.status} already.", extra={"state": run.status})
        if reply is Reply.TAKEN:
            if command is SignalKind.RESUME:
                check_may_resume(tenant)
            if not by_house:
                _check_room(run, command)
            _send(run, command, actor=actor, reason=reason)
            run = Run.objects.select_related("revision").get(id=run_id)
    return run


def signal_task(run: Run, news: Mapping[str, Json]) -> None:
    """Put news of a human task into its run's inbox; as ``signal_run``.

    Args:
        run: The run.
        news: ``event`` and ``told``, one of the ``human.task_*`` events and its payload; ``step_id`` and
            ``activation``; with ``answer`` the activation is over: ``{port, value}``, or ``{error: {code, message}}``.
    """
    signal_run(run, SignalKind.TASK, news)


def signal_run(run: Run, kind: SignalKind, news: Mapping[str, Json]) -> None:
    """Put news into a run's inbox, in the transaction that decides the matter.

    The run goes on, or is woken for it, as soon as that commits; a stalled one reads it once it is resumed. The
    caller has locked the run's row and seen that the run is not over.

    Args:
        run: The run.
        kind: What the news is of.
        news: As the run's owner reads it.
    """
    Signal.objects.create(tenant_id=run.tenant_id, run=run, kind=kind, payload=dict(news))
    changes = {"signals_pending": True}
    Run.objects.filter(id=run.id).update(**(changes if run.status == RunStatus.STALLED else changes | _woken(run)))
    if run.owner:
        poke_owner(run.id)
    else:
        ring()


def _check_room(run: Run, command: SignalKind) -> None:
    """Keep who pauses and resumes a run again and again from filling its inbox; a run can always be cancelled."""
    if command is SignalKind.CANCEL:
        return
    waiting = run.signals.filter(kind__in=COMMANDS, applied_seq=None).count()
    if waiting >= MAX_COMMANDS:
        raise TooManyCommands(
            f"{waiting} commands wait for the run to take them; send more once it has. It can be cancelled.",
            extra={"limit": "commands_of_a_run", "used": waiting, "cap": MAX_COMMANDS},
        )


def _reply(run: Run, command: SignalKind) -> Reply:
    """Read the table, and what was asked before and is not in effect yet."""
    reply = REPLIES[command][RunStatus(run.status)]
    if command is SignalKind.CANCEL and reply is Reply.TAKEN:
        return Reply.ALREADY if run.signals.filter(kind=command).exists() else reply
    if run.pause_requested and reply is not Reply.REFUSED:
        return Reply.TAKEN if command is SignalKind.RESUME else Reply.ALREADY
    return reply


def _send(run: Run, command: SignalKind, *, actor: str, reason: str) -> None:
    Signal.objects.create(tenant_id=run.tenant_id, run=run, kind=command, payload={"reason": reason, "actor": actor})
    Run.objects.filter(id=run.id).update(**_changes(run, command))
    record(f"run.{command}_requested", run, actor=actor, after={"reason": reason}, personal=("reason",))
    if run.owner:
        poke_owner(run.id)
    else:
        ring()


def _changes(run: Run, command: SignalKind) -> dict[str, Any]:
    """Say what a command changes in the run's row, beside the inbox."""
    if command is SignalKind.RESUME and run.status in (RunStatus.PAUSED, RunStatus.STALLED):
        # No signal is pending: whoever claims the run finds it paused and reads its inbox. It is claimed in its turn.
        needs = {"step_types": current_requirements_of(run)} if run.status == RunStatus.STALLED else {}
        return {"status": RunStatus.QUEUED, "error": None, "losses": 0, "wake_at": Now(), **needs}
    changes: dict[str, Any] = {"signals_pending": True}
    if command is not SignalKind.CANCEL:
        changes["pause_requested"] = command is SignalKind.PAUSE
    return changes | _woken(run)


def _woken(run: Run) -> dict[str, Any]:
    """Say what changes in the row of a run that is to read its inbox now; whoever owns it is told otherwise."""
    if run.owner:
        return {}
    changes: dict[str, Any] = {"wake_at": Now()}
    if _has_paid_ahead(run):
        changes["seconds_left"] = F("seconds_left") + Greatest(_seconds_to_sleep(), Value(0.0))
    return changes


def _has_paid_ahead(run: Run) -> bool:
    """Whether the run's timeout was charged for all of the wait it is parked for."""
    is_free = any(wait["kind"] in FREE for wait in run.waiting_for)
    return run.status == RunStatus.WAITING and run.seconds_left is not None and not is_free


def _seconds_to_sleep() -> Func:
    """Return what a parked run was charged for a wait that is cut short here: it had paid for all of it."""
    template = "extract(epoch from %(expressions)s)::float8"
    return Func(F("wake_at") - Now(), template=template, output_field=FloatField())
