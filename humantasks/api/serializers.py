"""Serializers of human tasks: their shape in the API, and the bodies callers send."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request

from foundation.request_fields import ChoiceList, Id
from foundation.requests import PageQuery, Strict
from foundation.shapes import JsonObject
from humantasks import rules
from humantasks.errors import TaskNotFound
from humantasks.facts import facts_of
from humantasks.models import HumanTask, TaskDecision
from humantasks.people import shown_name
from humantasks.report import GROUP, SEGMENT
from humantasks.rules import Person
from humantasks.selectors import BOXES, TaskQuery
from humantasks.types import DECISIONS, MISSING, Decision, TaskAnswer, TaskStatus, TaskType
from kernel.ids import parse_id
from tenants.models import Membership

DECIDE_EXAMPLE: Final = {"decision": "approved", "comment": "Within the budget.", "content_hash": "9f2c..."}


@extend_schema_field({})
class AnyJson(serializers.JSONField):
    """Any JSON value."""


class DecisionField(serializers.ChoiceField):
    """A decision; the rules refuse what is none, as they know what the task allows."""

    def to_internal_value(self, data: Any) -> Any:
        """Take any text."""
        return data if isinstance(data, str) else super().to_internal_value(data)


class TaskListQuery(PageQuery):
    """Filters of the task list; they add up."""

    box = serializers.ChoiceField(
        choices=BOXES,
        default="all",
        help_text="`mine`: asked by name, standing in, or claimed; `groups`: asked with others and free; `done`: over.",
    )
    status = ChoiceList(
        words=TaskStatus.values,
        noun="status",
        required=False,
        help_text="One or more of " + ", ".join(TaskStatus.values) + ", separated by commas.",
    )
    overdue = serializers.BooleanField(required=False)
    segment = serializers.CharField(required=False, max_length=64, help_text="Tasks of this segment_id.")
    run = Id(required=False, help_text="Tasks of this run.")


def task_query(fields: dict[str, Any]) -> TaskQuery:
    """Say which tasks a query asks for."""
    return TaskQuery(
        box=fields["box"],
        status=fields.get("status", ()),
        overdue=fields.get("overdue"),
        segment_id=fields.get("segment"),
        run_id=fields.get("run"),
        cursor=fields["cursor"],
        limit=fields["limit"],
    )


class ReportQuery(Strict):
    """Query of a report: its period and its grouping."""

    by = serializers.ChoiceField(choices=[SEGMENT, GROUP], default=SEGMENT, help_text="Grouping of the lines.")
    after = serializers.DateTimeField(required=False, help_text="Only tasks created after this time (RFC 3339).")
    before = serializers.DateTimeField(required=False, help_text="Only tasks created before this time.")


@extend_schema_serializer(examples=[OpenApiExample("An approval", DECIDE_EXAMPLE, request_only=True)])
class DecideFields(Strict):
    """Fields of a decision on a task."""

    decision = DecisionField(choices=[one.value for one in Decision], help_text="One that the task's type allows.")
    data = AnyJson(  # type: ignore[assignment]  # DRF takes fields out of the class
        required=False, help_text="Of an input, and of a review that is `modified`: what fits the form."
    )
    choice = serializers.CharField(required=False, max_length=300, help_text="Of a choice: one of the values.")
    comment = serializers.CharField(required=False, allow_blank=True, max_length=rules.MAX_COMMENT_LENGTH)
    content_hash = serializers.CharField(
        required=False,
        max_length=64,
        help_text="The `content_hash` you were shown; a task with other content answers 409.",
    )

    def answer(self) -> TaskAnswer:
        """Say it as the rules take it."""
        fields = self.validated_data
        data = fields.get("data", MISSING)
        return TaskAnswer(fields["decision"], data, fields.get("choice"), fields.get("comment", ""))


class DelegateFields(Strict):
    """To whom a task is handed on."""

    to = Id(help_text="The id of an active member.")


class PersonShape(serializers.Serializer[Any]):
    """A member, as far as others are told."""

    member_id = serializers.UUIDField()
    name = serializers.CharField()


class TaskDecisionShape(serializers.Serializer[Any]):
    """Decision of one person."""

    name = serializers.CharField()
    member_id = serializers.UUIDField(allow_null=True)
    key = serializers.CharField(
        allow_null=True, help_text="Public id of the key that decided, or acted for the member."
    )
    decision = serializers.ChoiceField(choices=[one.value for one in Decision])
    choice = serializers.CharField(allow_null=True)
    comment = serializers.CharField()
    decided_at = serializers.DateTimeField()


class QuorumShape(serializers.Serializer[Any]):
    """Number of approvals needed, and of voters."""

    approvals = serializers.IntegerField()
    of = serializers.IntegerField()


class ReceiptShape(serializers.Serializer[Any]):
    """Place of the receipt of your decision."""

    url = serializers.CharField(help_text="Address of the receipt; 404 `NOT_SEALED` until `n` is there.")
    n = serializers.IntegerField(
        allow_null=True, help_text="Number of the decision in the audit's log; null until it is sealed, about a second."
    )


class TaskShape(serializers.Serializer[Any]):
    """One human task."""

    task_id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    segment_id = serializers.CharField()
    step_id = serializers.CharField()
    activation = serializers.IntegerField()
    task_type = serializers.ChoiceField(choices=TaskType.choices)
    title = serializers.CharField()
    description = serializers.CharField()
    data = AnyJson(help_text="Data to decide about.")  # type: ignore[assignment]  # as above
    form = JsonObject(help_text="JSON Schema of the answer's data.")
    choices = serializers.ListField(child=JsonObject())
    content_hash = serializers.CharField(help_text="Hash of the shown content.")
    decisions_allowed = serializers.ListField(child=serializers.CharField())
    priority = serializers.CharField()
    quorum = QuorumShape()
    four_eyes = serializers.BooleanField()
    asked = serializers.CharField(help_text="Who is asked, as the step names them.")
    assignee = PersonShape(allow_null=True)
    candidate_groups = serializers.ListField(child=serializers.CharField())
    is_for_all = serializers.BooleanField(help_text="Every reviewer is asked.")
    is_flagged = serializers.BooleanField(help_text="The person the step names is unknown, so others are asked.")
    claimed_by = PersonShape(allow_null=True)
    claimed_at = serializers.DateTimeField(allow_null=True)
    level = serializers.IntegerField(help_text="Number of steps of the escalation chain that were asked already.")
    due_at = serializers.DateTimeField()
    is_overdue = serializers.BooleanField()
    status = serializers.ChoiceField(choices=TaskStatus.choices)
    decision = serializers.CharField(allow_null=True)
    choice = serializers.CharField(allow_null=True)
    decided_by = serializers.CharField(allow_null=True)
    decisions = TaskDecisionShape(many=True)
    receipt = ReceiptShape(allow_null=True, help_text="Of your own decision; null where you have not decided.")
    may = serializers.DictField(child=serializers.BooleanField(), help_text="What you may do now.")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    url = serializers.URLField(help_text="The task's page in the inbox.")


class SecondsShape(serializers.Serializer[Any]):
    """Duration in seconds; null where it never happened."""

    average = serializers.FloatField(allow_null=True)
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)


class ReportLineShape(serializers.Serializer[Any]):
    """Outcomes of the tasks of one segment or group."""

    name = serializers.CharField(allow_null=True, help_text="Null: tasks of no group.")
    created = serializers.IntegerField()
    open = serializers.IntegerField()
    completed = serializers.IntegerField()
    timed_out = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    overdue = serializers.IntegerField(help_text="Open and overdue now.")
    to_claim = SecondsShape(help_text="From the task's opening to the first claim.")
    to_decide = SecondsShape(help_text="From the task's opening to the decision that ended it.")


class ReportShape(serializers.Serializer[Any]):
    """A report; at most 1,000 lines, the most frequent first."""

    by = serializers.ChoiceField(choices=[SEGMENT, GROUP])
    lines = ReportLineShape(many=True)


def read_task_id(text: str) -> UUID:
    """Read a task's id out of an address.

    Raises:
        TaskNotFound: It is none.
    """
    task_id = parse_id(text)
    if task_id is None:
        raise TaskNotFound
    return task_id


def task_body(task: HumanTask, person: Person, request: Request, receipts: Mapping[UUID, int | None]) -> dict[str, Any]:
    """Fill a ``TaskShape``. To be called inside the tenant's scope; ``receipts`` as ``receipt_numbers`` finds them."""
    facts = facts_of(task)
    return {
        "task_id": task.id,
        "run_id": task.run_id,
        **{name: getattr(task, name) for name in ("segment_id", "step_id", "activation", "task_type", "title")},
        **{name: getattr(task, name) for name in ("description", "data", "form", "choices", "content_hash")},
        "decisions_allowed": [str(one) for one in DECISIONS[TaskType(task.task_type)]],
        "priority": task.priority_name,
        "quorum": {"approvals": task.needed, "of": task.voters},
        **{name: getattr(task, name) for name in ("four_eyes", "asked", "candidate_groups")},
        **{name: getattr(task, name) for name in ("is_for_all", "is_flagged")},
        "assignee": _member(task.assignee),
        "claimed_by": _member(task.claimed_by),
        **{name: getattr(task, name) for name in ("claimed_at", "level", "due_at", "is_overdue", "status")},
        "decision": task.decision or None,
        "choice": task.choice or None,
        "decided_by": task.decided_by_name or None,
        "decisions": [_decision(one) for one in task.decisions.all()],
        "receipt": _receipt(task, request, receipts) if task.id in receipts else None,
        "may": {
            "claim": rules.may_claim(facts, person) is None,
            "release": rules.may_release(facts, person) is None,
            "decide": rules.may_decide(facts, person) is None,
        },
        "created_at": task.created_at,
        "ended_at": task.ended_at,
        "url": request.build_absolute_uri(f"/inbox/tasks/{task.id}/"),
    }


def _receipt(task: HumanTask, request: Request, receipts: Mapping[UUID, int | None]) -> dict[str, Any]:
    return {"url": request.build_absolute_uri(f"/api/v1/human-tasks/{task.id}/receipt"), "n": receipts[task.id]}


def _member(member: Membership | None) -> dict[str, Any] | None:
    return None if member is None else {"member_id": member.id, "name": shown_name(member)}


def _decision(one: TaskDecision) -> dict[str, Any]:
    return {
        "name": one.name,
        "member_id": one.member_id,
        "key": one.key or None,
        "decision": one.decision,
        "choice": one.choice or None,
        "comment": one.comment,
        "decided_at": one.created_at,
    }
