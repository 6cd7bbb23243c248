"""The API's routes about runs."""

from functools import partial
from typing import ClassVar, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.idempotent_requests import IDEMPOTENCY_REFUSALS, idempotency_of
from foundation.requests import PageQuery, Strict, read_query
from foundation.responses import page_response
from foundation.shapes import page_shape
from kernel.compute.errors import COMPUTE_REFUSALS
from kernel.paging import CursorRefused
from runs import errors, selectors, services
from runs.answer_options import PREFER, AnswerOptions, WaitQuery, answer_options_of
from runs.api import serializers
from runs.api.presentation import read_run_body, run_body, run_location, runs_location, step_body
from runs.api.streaming import ChunksResponse
from runs.api.waiting import RunResponse
from runs.callbacks.selectors import callbacks_of
from runs.idempotency import StartedRun
from runs.journals.activations import list_steps
from runs.journals.stored_values import PointerRefused, find_value
from segments.errors import RevisionNotFound, SegmentArchived, SegmentInvalid, SegmentNotFound
from segments.examples import TWO_STEPS, TWO_STEPS_INPUT
from tenants.access.callers import caller_of
from tenants.errors import TenantSuspended
from tenants.limits.errors import LimitUsedUp, NotIncluded

READ, WRITE = "runs:read", "runs:write"
START_PARAMETERS: Final[list[OpenApiParameter | type[Strict]]] = [
    WaitQuery,
    PREFER,
    serializers.IDEMPOTENCY_KEY,
]
REFUSED_STARTS = (
    TenantSuspended,
    errors.InputRefused,
    errors.CallbackRefused,
    errors.InputSchemaUnusable,
    *COMPUTE_REFUSALS,
    *IDEMPOTENCY_REFUSALS,
    errors.StartInProgress,
    NotIncluded,
    LimitUsedUp,
)
START_RESPONSES = {
    200: OpenApiResponse(serializers.RunShape, "The run is over."),
    202: OpenApiResponse(serializers.RunShape, "The run has not ended yet: see `Location` and `Retry-After`."),
}


class StartSegmentView(APIView):
    """Runs of a saved segment."""

    required_scopes: ClassVar = {"POST": WRITE}
    reads_query: ClassVar = {"POST"}
    refusals: ClassVar = {"POST": (SegmentNotFound, RevisionNotFound, SegmentArchived, *REFUSED_STARTS)}
    accepts_form = True

    @extend_schema(
        operation_id="start_segment",
        summary="Start a saved segment",
        description="Also takes a form, in which a text that opens with `{` or `[` is read as JSON.",
        parameters=START_PARAMETERS,
        request={
            "application/json": serializers.SavedStart,
            "application/x-www-form-urlencoded": serializers.SavedStartForm,
        },
        responses=START_RESPONSES,
        examples=[OpenApiExample("With an input", {"input": TWO_STEPS_INPUT}, request_only=True)],
    )
    def post(self, request: Request, segment_id: str) -> Response:
        """Start, or find the run an earlier start made."""
        fields = serializers.SavedStart.read(request.data)
        return _start(request, fields.start_request(segment_id, runs_url=runs_location(request)), segment_id=segment_id)


class RunsView(APIView):
    """All runs of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ, "POST": WRITE}
    reads_query: ClassVar = {"GET", "POST"}
    refusals: ClassVar = {"GET": (CursorRefused,), "POST": (SegmentInvalid, *REFUSED_STARTS)}
    accepts_form = True

    @extend_schema(
        operation_id="list_runs",
        summary="List runs",
        description="Newest first.",
        parameters=[serializers.RunListQuery],
        responses=page_shape("RunPage", serializers.RunShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        query = read_query(serializers.RunListQuery, request)
        page = selectors.list_runs(tenant=caller_of(request).tenant, **query)
        callbacks = callbacks_of(page.rows)
        return page_response(request, page, lambda run: run_body(run, request, callbacks))

    @extend_schema(
        operation_id="start_inline",
        summary="Start an inline definition",
        description="The definition is validated and run; no segment is saved. Also takes a form, in which a text that "
        "opens with `{` or `[` is read as JSON.",
        parameters=START_PARAMETERS,
        request={
            "application/json": serializers.InlineStart,
            "application/x-www-form-urlencoded": serializers.InlineStartForm,
        },
        responses=START_RESPONSES,
        examples=[OpenApiExample("Two steps", {"segment": TWO_STEPS, "input": TWO_STEPS_INPUT}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Start, or find the run an earlier start made."""
        fields = serializers.InlineStart.read(request.data)
        return _start(request, fields.start_request(runs_url=runs_location(request)), segment_id=None)


class RunView(APIView):
    """One run."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (errors.RunNotFound,)}

    @extend_schema(
        operation_id="read_run",
        summary="Read a run",
        description="Without `wait` always a 200. With it the answer comes when the run is over (200), waits itself, "
        "or the time is up (202).",
        parameters=[WaitQuery, PREFER],
        responses=START_RESPONSES,
    )
    def get(self, request: Request, run_id: str) -> Response:
        """Answer the run as it is, or as it is once it is over."""
        options = answer_options_of(request)
        caller = caller_of(request)
        run = selectors.get_run(tenant=caller.tenant, run_id=selectors.read_run_id(run_id))
        show = partial(read_run_body, request=request)
        return RunResponse(run, show, caller=caller, options=options, is_read=not options.wait_seconds)


class RunStepsView(APIView):
    """The activations of a run."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (errors.RunNotFound, CursorRefused)}

    @extend_schema(
        operation_id="list_run_steps",
        summary="List a run's steps",
        description="Each activation, in the order they started.",
        parameters=[PageQuery],
        responses=page_shape("StepPage", serializers.StepShape()),
    )
    def get(self, request: Request, run_id: str) -> Response:
        """Answer one page."""
        query = read_query(PageQuery, request)
        run_uuid = selectors.read_run_id(run_id)
        page = list_steps(tenant=caller_of(request).tenant, run_id=run_uuid, **query)
        return page_response(request, page, step_body)


class RunValueView(APIView):
    """A value of a run's journal."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (errors.RunNotFound, errors.ValueNotFound, PointerRefused)}

    @extend_schema(
        operation_id="read_run_value",
        summary="Read a value",
        description="The payload of the event `seq` as it is stored, or the part of it that `pointer` names: the "
        "value that a `$large_value` in lists, steps and events stands for. It is complete, however large, and "
        "never changes.",
        parameters=[serializers.ValueQuery],
        responses=OpenApiResponse(OpenApiTypes.ANY, "The value, whatever JSON it is."),
    )
    def get(self, request: Request, run_id: str, seq: str) -> Response:
        """Answer the value."""
        query = read_query(serializers.ValueQuery, request)
        if selectors.SEQ.fullmatch(seq) is None or int(seq) > selectors.MAX_SEQ:
            raise errors.ValueNotFound
        run_uuid = selectors.read_run_id(run_id)
        value = find_value(tenant=caller_of(request).tenant, run_id=run_uuid, seq=int(seq), **query)
        return ChunksResponse(value.slices(), size=value.size)


def _start(request: Request, spec: services.StartRequest, *, segment_id: str | None) -> RunResponse:
    caller, answer = caller_of(request), answer_options_of(request)
    started = services.start_run(
        tenant=caller.tenant,
        api_key=caller.api_key,
        actor=caller.actor,
        spec=spec,
        once=idempotency_of(request, segment_id=segment_id),
    )
    return started_response(request, started, options=answer)


def started_response(request: Request, started: StartedRun, *, options: AnswerOptions) -> RunResponse:
    """Answer a start with its run, and where that can be read."""
    location = run_location(started.run.id, request)
    show = partial(run_body, request=request)
    response = RunResponse(started.run, show, caller=caller_of(request), options=options, location=location)
    if started.replayed:
        response["Idempotent-Replayed"] = "true"
    return response
