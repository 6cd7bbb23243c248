"""History of a task in sentences, from the journal."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext

from humantasks.inbox.cards import decided_text
from humantasks.models import HumanTask
from runs.models import RunEvent

Told = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One thing that happened."""

    at: datetime
    text: str


def history_lines(task: HumanTask, events: Iterable[RunEvent]) -> list[HistoryLine]:
    """Tell events as people would; what the journal does not say is not made up."""
    told = [event for event in events if _is_told(event)]
    return [HistoryLine(event.created_at, _SENTENCES[event.type](task, event.payload)) for event in told]


def _is_told(event: RunEvent) -> bool:
    return event.type in _SENTENCES


def _created(task: HumanTask, told: Told) -> str:
    return gettext("Asked: %(whom)s") % {"whom": _whom(told)}


def _assigned(task: HumanTask, told: Told) -> str:
    by = _name(told.get("by"))
    if "claimed_by" in told:
        if told["claimed_by"] is None:
            return gettext("%(name)s released it") % {"name": by}
        return gettext("%(name)s claimed it") % {"name": _name(told["claimed_by"])}
    return gettext("%(name)s handed it on to %(whom)s") % {"name": by, "whom": _whom(told)}


def _escalated(task: HumanTask, told: Told) -> str:
    return gettext("Nobody answered in time; now asked: %(whom)s") % {"whom": _whom(told)}


def _completed(task: HumanTask, told: Told) -> str:
    if told.get("decision") is None:
        return gettext("Nobody answered in time")
    what = decided_text(task, str(told["decision"]), str(told.get("choice") or ""))
    return gettext("%(name)s decided: %(what)s") % {"name": _name(told.get("decided_by")), "what": what}


def _name(person: object) -> str:
    if not isinstance(person, Mapping):
        return "?"
    name = str(person.get("name") or "?")
    if person.get("key") and person.get("member_id"):
        return gettext("%(name)s (through key %(key)s)") % {"name": name, "key": person["key"]}
    return name


def _whom(told: Told) -> str:
    return str(told.get("asked") or "") or gettext("every reviewer")


_SENTENCES: Final[Mapping[str, Callable[[HumanTask, Told], str]]] = {
    "human.task_created": _created,
    "human.task_assigned": _assigned,
    "human.task_escalated": _escalated,
    "human.task_completed": _completed,
}
