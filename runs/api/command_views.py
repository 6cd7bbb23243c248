"""The API's routes that ask something of a run: pause, resume, cancel, replay; and its snapshot."""

from functools import partial
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.idempotent_requests import IDEMPOTENCY_REFUSALS, idempotency_of
from foundation.requests import read_fields
from kernel.errors import LlmteamError
from runs import errors
from runs.answer_options import answer_options_of
from runs.api import serializers
from runs.api.presentation import run_body, run_location, runs_location
from runs.api.streaming import ChunksResponse
from runs.api.views import READ, START_PARAMETERS, START_RESPONSES, WRITE, started_response
from runs.api.waiting import RunResponse
from runs.callbacks.serializers import callback_spec
from runs.commands import command_run
from runs.journals.snapshots import snapshot_run
from runs.models import SignalKind
from runs.replay import replay_run
from runs.selectors import read_run_id
from tenants.access.callers import caller_of
from tenants.errors import TenantSuspended
from tenants.limits.errors import LimitUsedUp, NotIncluded

_describe_command = partial(extend_schema, request=serializers.CommandFields, responses={202: serializers.RunShape})


class CommandView(APIView):
    """One command to a run."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar[dict[str, tuple[type[LlmteamError], ...]]] = {
        "POST": (errors.RunNotFound, errors.RunAlreadyOver)
    }


class PauseRunView(CommandView):
    """A run stands still on demand."""

    refusals: ClassVar[dict[str, tuple[type[LlmteamError], ...]]] = {
        "POST": (errors.RunNotFound, errors.RunAlreadyOver, errors.TooManyCommands)
    }

    @_describe_command(
        operation_id="pause_run",
        summary="Pause a run",
        description="Returns the run as it is now. No new step starts, steps in flight finish; then it is "
        "`paused`, until then `running` with `pause_requested`. Its timeout does not run while it is paused. "
        "Repeatable. "
        "A run that is over answers 409 with its `state`.",
    )
    def post(self, request: Request, run_id: str) -> Response:
        """Ask for a pause."""
        return _command(request, run_id, SignalKind.PAUSE)


class ResumeRunView(CommandView):
    """A run that stands still goes on."""

    refusals: ClassVar[dict[str, tuple[type[LlmteamError], ...]]] = {
        "POST": (errors.RunNotFound, errors.RunAlreadyOver, errors.TooManyCommands, TenantSuspended)
    }

    @_describe_command(
        operation_id="resume_run",
        summary="Resume a run",
        description="Ends a pause, and lets a `paused` or `stalled` run continue where it stopped: it is `queued` "
        "until a worker has room. A run stalled with `OUTCOME_UNKNOWN` tries its step again. Repeatable. A run "
        "that is over answers 409 with its `state`.",
    )
    def post(self, request: Request, run_id: str) -> Response:
        """Ask to go on."""
        return _command(request, run_id, SignalKind.RESUME)


class CancelRunView(CommandView):
    """The end of a run on demand."""

    @_describe_command(
        operation_id="cancel_run",
        summary="Cancel a run",
        description="Returns the run as it is now; it ends soon after. Repeatable. A run that ended in another way "
        "answers 409 with its `state`.",
    )
    def post(self, request: Request, run_id: str) -> Response:
        """Ask for the end."""
        return _command(request, run_id, SignalKind.CANCEL)


class ReplayRunView(APIView):
    """A run again."""

    required_scopes: ClassVar = {"POST": WRITE}
    reads_query: ClassVar = {"POST"}
    refusals: ClassVar = {
        "POST": (
            TenantSuspended,
            errors.RunNotFound,
            errors.ActivationUnknown,
            errors.CallbackRefused,
            *IDEMPOTENCY_REFUSALS,
            errors.StartInProgress,
            NotIncluded,
            LimitUsedUp,
        )
    }

    @extend_schema(
        operation_id="replay_run",
        summary="Replay a run",
        description="Starts a new run of the same revision with the same input, however this one ended. With "
        "`from_activation` it begins with what this run had recorded before that activation began: outcomes among it "
        "stand and no call of theirs is made again; what was in flight then is done again.",
        parameters=START_PARAMETERS,
        request=serializers.ReplayFields,
        responses=START_RESPONSES,
        examples=[OpenApiExample("From one activation", {"from_activation": "step_2#1"}, request_only=True)],
    )
    def post(self, request: Request, run_id: str) -> RunResponse:
        """Start the new run, or find the one an earlier request made."""
        fields, caller, options = (
            read_fields(serializers.ReplayFields, request.data),
            caller_of(request),
            answer_options_of(request),
        )
        started = replay_run(
            tenant=caller.tenant,
            actor=caller.actor,
            api_key=caller.api_key,
            run_id=read_run_id(run_id),
            once=idempotency_of(request, replay=run_id),
            **_with_callback(fields, request),
        )
        return started_response(request, started, options=options)


class RunSnapshotView(APIView):
    """A run as one document."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (errors.RunNotFound, errors.SnapshotTooLarge)}

    @extend_schema(
        operation_id="read_run_snapshot",
        summary="Export a run",
        description="Its revision, its whole journal and the resulting state, in canonical JSON (RFC 8785). "
        "`checksum` is the SHA-256, as hex digits, of the document without that member. Values are complete; the "
        "document is streamed.",
        responses=serializers.SnapshotShape,
    )
    def get(self, request: Request, run_id: str) -> Response:
        """Answer the document."""
        return ChunksResponse(snapshot_run(tenant=caller_of(request).tenant, run_id=read_run_id(run_id)))


def _with_callback(fields: dict[str, Any], request: Request) -> dict[str, Any]:
    if "callback" not in fields:
        return fields
    return {**fields, "callback": callback_spec(fields["callback"], runs_url=runs_location(request))}


def _command(request: Request, run_id: str, command: SignalKind) -> Response:
    fields, caller = read_fields(serializers.CommandFields, request.data), caller_of(request)
    run = command_run(tenant=caller.tenant, actor=caller.actor, run_id=read_run_id(run_id), command=command, **fields)
    return Response(run_body(run, request), status=202, headers={"Location": run_location(run.id, request)})
