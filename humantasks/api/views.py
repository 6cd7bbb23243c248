"""The API's routes about human tasks."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar, Final
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.errors import LogEmpty, NotSealed
from foundation.requests import NoFields, read_fields, read_query
from foundation.responses import page_response
from foundation.scope import reading_scope
from foundation.shapes import page_shape
from humantasks import errors, selectors, services
from humantasks.api.serializers import (
    DecideFields,
    DelegateFields,
    ReportQuery,
    ReportShape,
    TaskListQuery,
    TaskShape,
    read_task_id,
    task_body,
    task_query,
)
from humantasks.models import HumanTask
from humantasks.people import caller_as_person
from humantasks.receipts import own_receipt, receipt_numbers
from humantasks.report import report_times
from humantasks.rules import REVIEWER, Person
from kernel.compute.errors import COMPUTE_REFUSALS
from kernel.errors import LlmteamError
from kernel.ids import parse_id
from kernel.paging import CursorRefused
from tenants.access.callers import caller_of

READ, WRITE = "tasks:read", "tasks:write"
PROOF_TYPE: Final = "text/plain; charset=utf-8"
REFUSED = (errors.TaskNotFound, errors.TaskRefused, errors.TaskTaken, errors.TaskOver)
Act = Callable[..., HumanTask]
_describe_act = partial(extend_schema, responses=TaskShape)


class TasksView(APIView):
    """The tasks of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (CursorRefused,)}

    @extend_schema(
        operation_id="list_human_tasks",
        summary="List human tasks",
        description="Newest first, in `done` the last to end: those the caller may see. A key sees all of its tenant, "
        "a member what they are "
        "asked, and an admin or auditor all.",
        parameters=[TaskListQuery],
        responses=page_shape("HumanTaskPage", TaskShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        tenant = caller_of(request).tenant
        with reading_scope(tenant.id):
            person = caller_as_person(caller_of(request))
            query = task_query(read_query(TaskListQuery, request))
            page = selectors.list_tasks(tenant=tenant, person=person, query=query)
            receipts = receipt_numbers(page.rows, person)
            return page_response(request, page, lambda task: task_body(task, person, request, receipts))


class TaskReportView(APIView):
    """Report of people's times."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (errors.ReportRefused,)}

    @extend_schema(
        operation_id="report_human_tasks",
        summary="Report how long people take",
        description="Of the tasks created in a period: how many, what became of them, time to claim and to decide; by "
        "segment or by group. A task of several groups counts in each. For keys, admins and auditors.",
        parameters=[ReportQuery],
        responses=ReportShape,
    )
    def get(self, request: Request) -> Response:
        """Answer the report."""
        caller, query = caller_of(request), read_query(ReportQuery, request)
        if caller.member is not None and caller.member.role == REVIEWER:
            raise errors.ReportRefused
        lines = report_times(tenant=caller.tenant, **query)
        return Response({"by": query["by"], "lines": [asdict(line) for line in lines]})


class TaskView(APIView):
    """One task."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (errors.TaskNotFound,)}

    @extend_schema(operation_id="read_human_task", summary="Read a human task", responses=TaskShape)
    def get(self, request: Request, task_id: str) -> Response:
        """Answer the task as it is now."""
        tenant = caller_of(request).tenant
        with reading_scope(tenant.id):
            person = caller_as_person(caller_of(request))
            task = selectors.get_task(tenant=tenant, person=person, task_id=read_task_id(task_id))
            return Response(task_body(task, person, request, receipt_numbers([task], person)))


class ReceiptView(APIView):
    """The receipt of a decision."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (errors.DecisionNotFound, LogEmpty, NotSealed)}

    @extend_schema(
        operation_id="read_decision_receipt",
        summary="Read the receipt of your decision",
        description="A `.tlog-proof` text (c2sp.org/tlog-proof) that proves your own decision on the task to others, "
        "offline, with the key of the audit's log alone. About a second after the decision. It needs no `audit:read`; "
        "whoever has that reads those of others by `GET /audit/entries/{n}/proof`.",
        responses={(200, PROOF_TYPE): OpenApiResponse(OpenApiTypes.STR, "The proof.")},
    )
    def get(self, request: Request, task_id: str) -> HttpResponse:
        """Answer the proof."""
        tenant = caller_of(request).tenant
        with reading_scope(tenant.id):
            person = caller_as_person(caller_of(request))
        _, proof = own_receipt(tenant=tenant, person=person, task_id=parse_id(task_id) or UUID(int=0))
        return HttpResponse(proof, content_type=PROOF_TYPE)


class TaskActView(APIView):
    """One act on a task."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar[Mapping[str, tuple[type[LlmteamError], ...]]] = {"POST": REFUSED}


class ClaimTaskView(TaskActView):
    """A task is held by one member."""

    @_describe_act(
        operation_id="claim_human_task",
        summary="Claim a human task",
        description="Holds it for the calling member, so that nobody else decides it meanwhile. Repeatable.",
        request=NoFields,
    )
    def post(self, request: Request, task_id: str) -> Response:
        """Claim."""
        return _act(request, task_id, services.claim_task, _nothing)


class ReleaseTaskView(TaskActView):
    """A claimed task is given back."""

    @_describe_act(
        operation_id="release_human_task",
        summary="Release a human task",
        description="Gives a claimed task back to those who are asked: its holder, an admin, or a key.",
        request=NoFields,
    )
    def post(self, request: Request, task_id: str) -> Response:
        """Release."""
        return _act(request, task_id, services.release_task, _nothing)


class DelegateTaskView(TaskActView):
    """A task is handed on."""

    refusals: ClassVar = {"POST": (*REFUSED, errors.AnswerInvalid)}

    @_describe_act(
        operation_id="delegate_human_task",
        summary="Delegate a human task",
        description="Hands it on to one member, who is asked alone from then on. Its deadline stays.",
        request=DelegateFields,
    )
    def post(self, request: Request, task_id: str) -> Response:
        """Delegate."""
        return _act(request, task_id, services.delegate_task, partial(read_fields, DelegateFields))


class CompleteTaskView(TaskActView):
    """A task is decided."""

    refusals: ClassVar = {"POST": (*REFUSED, errors.TaskChanged, errors.AnswerInvalid, *COMPUTE_REFUSALS)}

    @_describe_act(
        operation_id="complete_human_task",
        summary="Decide a human task",
        description="The first decision that ends the task wins and wakes its run; a later one is a 409 that says who "
        "decided, what and when. With a quorum the task stays open until enough have decided.",
        request=DecideFields,
    )
    def post(self, request: Request, task_id: str) -> Response:
        """Decide."""
        return _act(request, task_id, services.decide_task, _answer)


def _act(request: Request, task_id: str, act: Act, read: Callable[[Any], dict[str, Any]]) -> Response:
    """Do something with a task as the caller, and answer the task as it is then.

    Args:
        request: Whose caller acts.
        task_id: The task; one that the caller may not see is a 404, whatever the body says.
        act: The service.
        read: Reads what else the service takes out of the body.
    """
    tenant, wanted = caller_of(request).tenant, read_task_id(task_id)
    with reading_scope(tenant.id):
        person: Person = caller_as_person(caller_of(request))
        selectors.get_task(tenant=tenant, person=person, task_id=wanted)
    task = act(tenant=tenant, person=person, task_id=wanted, **read(request.data))
    with reading_scope(tenant.id):
        return Response(task_body(task, person, request, receipt_numbers([task], person)))


def _nothing(data: Any) -> dict[str, Any]:
    return read_fields(NoFields, data)


def _answer(data: Any) -> dict[str, Any]:
    fields = DecideFields.read(data)
    return {"answer": fields.answer(), "content_hash": fields.validated_data.get("content_hash")}
