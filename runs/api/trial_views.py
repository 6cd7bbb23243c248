"""The API's route that tries a step type out."""

from functools import partial
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.idempotent_requests import IDEMPOTENCY_REFUSALS, idempotency_of
from foundation.request_fields import ObjectField
from foundation.requests import NotAvailable, Strict, read_fields
from foundation.shapes import JsonObject
from runs import errors
from runs.answer_options import PREFER, WaitQuery, answer_options_of
from runs.api.presentation import run_links, run_location, run_usage, step_body
from runs.api.serializers import IDEMPOTENCY_KEY, FailureShape, LinksShape
from runs.api.waiting import RunResponse
from runs.events.bodies import error_member
from runs.journals.activations import first_step
from runs.models import Run
from runs.trials import try_step_type
from segments.errors import SegmentInvalid, StepTypeNotFound
from tenants.access.callers import caller_of
from tenants.errors import TenantSuspended
from tenants.limits.errors import LimitUsedUp, NotIncluded

WAIT_SECONDS = 10.0


class TrialFields(Strict):
    """One step: what it is told, and what it is given."""

    config = ObjectField(required=False, default=dict, help_text="The step's config.")
    inputs = ObjectField(required=False, default=dict, help_text="The value by input port; one at most.")


class BlockTrialShape(serializers.Serializer[Any]):
    """Result of one step."""

    run_id = serializers.UUIDField()
    status = serializers.CharField(help_text="Of the run.")
    outputs = JsonObject(allow_null=True, help_text="By output port, once there are any.")
    error = FailureShape(required=False)
    usage = JsonObject()
    duration_ms = serializers.IntegerField(allow_null=True)
    links = LinksShape()


class CatalogTestView(APIView):
    """One step of a type, tried out."""

    required_scopes: ClassVar = {"POST": "runs:write"}
    reads_query: ClassVar = {"POST"}
    refusals: ClassVar = {
        "POST": (
            TenantSuspended,
            StepTypeNotFound,
            NotAvailable,
            SegmentInvalid,
            errors.TrialInputsInvalid,
            *IDEMPOTENCY_REFUSALS,
            errors.StartInProgress,
            NotIncluded,
            LimitUsedUp,
        )
    }

    @extend_schema(
        operation_id="test_step_type",
        summary="Try a step type out",
        description="Runs one step for real: by a worker, with the tenant's connections, under its limits; its "
        "usage is marked as a test. Waits up to 10 s unless told otherwise. The list of runs leaves such runs out "
        "unless the query asks for them.",
        parameters=[WaitQuery, PREFER, IDEMPOTENCY_KEY],
        request=TrialFields,
        responses={
            200: OpenApiResponse(BlockTrialShape, "The step is over."),
            202: OpenApiResponse(BlockTrialShape, "It has not ended yet: see `Location`."),
        },
        examples=[
            OpenApiExample(
                "A transform",
                {"config": {"expression": "input.a + 1"}, "inputs": {"input": {"a": 1}}},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, type_id: str) -> Response:
        """Start it, and answer what came of it."""
        caller, fields = caller_of(request), read_fields(TrialFields, request.data)
        once = idempotency_of(request, type_id=type_id)
        started = try_step_type(
            tenant=caller.tenant, api_key=caller.api_key, actor=caller.actor, type_id=type_id, once=once, **fields
        )
        show = partial(trial_body, request=request)
        options = answer_options_of(request, default=WAIT_SECONDS)
        location = run_location(started.run.id, request)
        response = RunResponse(started.run, show, caller=caller, options=options, location=location)
        if started.replayed:
            response["Idempotent-Replayed"] = "true"
        return response


def trial_body(run: Run, request: Request) -> dict[str, Any]:
    """Fill a ``BlockTrialShape``."""
    step = first_step(run) if run.is_over else None
    shown = step_body(step) if step is not None else {"output": None, "duration_ms": None}
    return {
        "run_id": run.id,
        "status": run.status,
        "outputs": shown["output"],
        "usage": run_usage(run),
        "duration_ms": shown["duration_ms"],
        "links": run_links(run.id, request),
        **error_member(shown.get("error") or run.error),
    }
