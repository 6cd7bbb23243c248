"""History of a task in sentences, from the journal."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext

from humantasks.inbox.cards import decided_text, who_decided_text
from humantasks.models import HumanTask, TaskDecision
from humantasks.people import shown_name
from kernel.ids import parse_id
from runs.models import RunEvent
from tenants.models import Membership

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One thing that happened."""

    at: datetime
    text: str


def history_lines(
    task: HumanTask, events: Iterable[RunEvent], decisions: Iterable[TaskDecision] = ()
) -> list[HistoryLine]:
    """Tell events as people would, oldest first; what the journal does not say is not made up.

    Of a task that takes several people, the journal tells the end only: each decision is told as well.
    """
    lines = [
        HistoryLine(event.created_at, _SENTENCES[event.type](task, event.payload))
        for event in events
        if event.type in _SENTENCES
    ]
    votes = [HistoryLine(vote.created_at, _voted(task, vote)) for vote in decisions] if task.voters > 1 else []
    return sorted([*lines, *votes], key=lambda line: line.at)


def _voted(task: HumanTask, vote: TaskDecision) -> str:
    name = _name({"name": vote.name, "key": vote.key, "member_id": vote.member_id})
    return who_decided_text(task, name, vote.decision, vote.choice)


def _created(task: HumanTask, payload: Payload) -> str:
    return gettext("Asked: %(whom)s") % {"whom": _whom(payload)}


def _assigned(task: HumanTask, payload: Payload) -> str:
    by = _name(payload.get("by"))
    if "claimed_by" in payload:
        if payload["claimed_by"] is None:
            return gettext("%(name)s released it") % {"name": by}
        return gettext("%(name)s claimed it") % {"name": _name(payload["claimed_by"])}
    return gettext("%(name)s handed it on to %(whom)s") % {"name": by, "whom": _whom(payload)}


def _escalated(task: HumanTask, payload: Payload) -> str:
    return gettext("Nobody answered in time; now asked: %(whom)s") % {"whom": _whom(payload)}


def _completed(task: HumanTask, payload: Payload) -> str:
    if payload.get("decision") is None:
        return gettext("Nobody answered in time")
    decision, choice = str(payload["decision"]), str(payload.get("choice") or "")
    if task.voters > 1:
        return gettext("That decided it: %(what)s") % {"what": decided_text(task, decision, choice)}
    return who_decided_text(task, _name(payload.get("decided_by")), decision, choice)


def _name(person: object) -> str:
    if not isinstance(person, Mapping):
        return "?"
    name = str(person.get("name") or "?")
    if person.get("key") and person.get("member_id"):
        return gettext("%(name)s (through key %(key)s)") % {"name": name, "key": person["key"]}
    return name


def _whom(payload: Payload) -> str:
    """Say who is asked: as the step or somebody named them, a member's id by the member's name."""
    asked = str(payload.get("asked") or "")
    member_id = parse_id(asked)
    member = None if member_id is None else Membership.objects.select_related("user").filter(id=member_id).first()
    return shown_name(member) if member is not None else asked or gettext("every reviewer")


_SENTENCES: Final[Mapping[str, Callable[[HumanTask, Payload], str]]] = {
    "human.task_created": _created,
    "human.task_assigned": _assigned,
    "human.task_escalated": _escalated,
    "human.task_completed": _completed,
}
