"""Serializers of runs: the bodies callers send, and the shapes for the API's description."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from foundation.idempotent_requests import idempotency_parameter
from foundation.request_fields import ChoiceList, FiniteFloat, ObjectField, PatternText, whole
from foundation.requests import PageQuery, Strict
from foundation.shapes import JsonObject
from kernel.values import size_of
from runs.api.examples import RUN_EXAMPLE
from runs.callbacks.serializers import CallbackFields, CallbackShape, start_fields
from runs.circuits.shapes import WaitingForShape
from runs.journals.calls import CallShape
from runs.models import RunStatus
from runs.replay import ACTIVATION
from runs.services import RETURN_EXISTING, StartRequest
from runs.usage.serializers import StepUsageShape

MAX_TIMEOUT_SECONDS = 30 * 24 * 3600
MAX_PRIORITY = 10
MAX_METADATA_BYTES = 16 * 1024

IDEMPOTENCY_KEY = idempotency_parameter("the first run as it is now")


@extend_schema_field({})
class AnyValue(serializers.JSONField):
    """Any JSON value; null is one, as good as any other."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        """Take null for what it is; only a missing value is none."""
        return (True, None) if data is None else super().validate_empty_values(data)


class StartFields(Strict):
    """Fields of every start."""

    input = AnyValue(required=False, help_text="Input of the segment; an empty object by default.")
    client_reference = serializers.CharField(
        required=False, max_length=255, help_text="Your own name for the run; runs can be listed by it."
    )
    on_duplicate = serializers.ChoiceField(
        required=False,
        choices=[RETURN_EXISTING],
        help_text="With a client_reference this segment has a run for already: answer with that run.",
    )
    metadata = ObjectField(required=False, help_text="Kept with the run and shown with it; at most 16 KiB.")
    timeout_seconds = FiniteFloat(
        required=False,
        min_value=0.1,
        max_value=MAX_TIMEOUT_SECONDS,
        help_text="Instead of the segment's own timeout_seconds.",
    )
    priority = serializers.IntegerField(
        required=False,
        min_value=-MAX_PRIORITY,
        max_value=MAX_PRIORITY,
        help_text="Among the waiting runs of the tenant, higher ones go first; 0 by default.",
    )
    callback = CallbackFields(required=False, help_text="Callback for the run's events.")

    def validate_metadata(self, value: dict[str, Any]) -> dict[str, Any]:
        """Bound what is shown with every run."""
        if size_of(value) > MAX_METADATA_BYTES:
            raise serializers.ValidationError(f"At most {MAX_METADATA_BYTES} bytes are kept.", "VALUE_TOO_LARGE")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for the name that a duplicate would be known by."""
        if "on_duplicate" in attrs and not attrs.get("client_reference"):
            raise serializers.ValidationError(
                {"on_duplicate": [serializers.ErrorDetail("This needs a client_reference.", "NEEDS_CLIENT_REFERENCE")]}
            )
        return attrs


class SavedStart(StartFields):
    """Start of a saved segment."""

    revision = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="The current one by default."
    )

    def start_request(self, segment_id: str, *, runs_url: str) -> StartRequest:
        """Return the request to start; `runs_url` is where its caller reads runs."""
        return StartRequest(segment_id=segment_id, **start_fields(self.validated_data, runs_url=runs_url))


class InlineStart(StartFields):
    """Start of a definition brought along; nothing is saved under its id."""

    segment = ObjectField(help_text="The definition to run.")

    def start_request(self, *, runs_url: str) -> StartRequest:
        """Return the request to start; `runs_url` is where its caller reads runs."""
        fields = start_fields(self.validated_data, runs_url=runs_url)
        return StartRequest(definition=fields.pop("segment"), **fields)


class StartFormFields(StartFields):
    """Fields of every start as a form: each a text, those that are JSON spelled as JSON."""

    input = serializers.CharField(  # type: ignore[assignment]  # a form has texts only
        required=False, help_text="Text; read as JSON when it opens with `{` or `[`."
    )
    metadata = serializers.CharField(  # type: ignore[assignment]  # a form has texts only
        required=False, help_text="A JSON object."
    )
    callback = serializers.CharField(  # type: ignore[assignment]  # a form has texts only
        required=False, help_text="A JSON object, as in the JSON body."
    )


class SavedStartForm(StartFormFields, SavedStart):
    """The same start as a form: every field a text, those that are JSON spelled as JSON."""


class InlineStartForm(StartFormFields, InlineStart):
    """The same start as a form: every field a text, those that are JSON spelled as JSON."""

    segment = serializers.CharField(  # type: ignore[assignment]  # a form has texts only
        help_text="The definition to run, as JSON."
    )


class CommandFields(Strict):
    """Fields of a pause, a resume or a cancel."""

    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=500, help_text="Shown in the run's history."
    )


class ReplayFields(Strict):
    """From where on a run is replayed."""

    from_activation = PatternText(
        required=False,
        pattern=whole(ACTIVATION),
        max_length=80,
        help_text="`step_id#n`, as a run's steps and events name it; the whole run by default.",
    )
    callback = CallbackFields(
        required=False,
        help_text="Callback for the new run's events; the earlier run's callback is not taken over.",
    )


class RunListQuery(PageQuery):
    """Filters of the run list; they add up."""

    status = ChoiceList(
        words=RunStatus.values,
        noun="status",
        required=False,
        help_text="One or more of " + ", ".join(RunStatus.values) + ", separated by commas.",
    )
    segment = serializers.CharField(required=False, max_length=64, help_text="Runs of this segment_id.")
    client_reference = serializers.CharField(required=False, max_length=255)
    created_after = serializers.DateTimeField(required=False, help_text="RFC 3339.")
    created_before = serializers.DateTimeField(required=False, help_text="RFC 3339.")
    since = serializers.DateTimeField(required=False, help_text="Runs created at this time or later (RFC 3339).")
    ended_after = serializers.DateTimeField(required=False, help_text="Runs that ended after this time (RFC 3339).")
    is_test = serializers.BooleanField(default=False, help_text="Runs that try a step type out, instead of the others.")


class ValueQuery(Strict):
    """Query of a part of a payload."""

    pointer = PatternText(
        pattern="^(?:/|$)", default="", allow_blank=True, max_length=1000, help_text="A JSON pointer (RFC 6901)."
    )


class TicketShape(serializers.Serializer[Any]):
    """A ticket for one WebSocket."""

    ticket = serializers.CharField(help_text="Send it once, as the parameter `ticket` of the WebSocket's address.")
    expires_at = serializers.DateTimeField()


class FailureShape(serializers.Serializer[Any]):
    """Reason why a run or a step failed. Absent where there is no error."""

    code = serializers.CharField()
    message = serializers.CharField()
    step_id = serializers.CharField(allow_null=True, required=False)
    activation = serializers.IntegerField(allow_null=True, required=False)
    attempts = serializers.IntegerField(allow_null=True, required=False)
    details = JsonObject(required=False)


class ProgressShape(serializers.Serializer[Any]):
    """Progress of a run."""

    activations = serializers.IntegerField(help_text="Activations started so far.")
    active = serializers.IntegerField(help_text="Activations without an outcome yet.")


class LinksShape(serializers.Serializer[Any]):
    """Links of a run."""

    self = serializers.URLField()
    steps = serializers.URLField()
    events = serializers.URLField()
    snapshot = serializers.URLField()
    pause = serializers.URLField()
    resume = serializers.URLField()
    cancel = serializers.URLField()
    replay = serializers.URLField()
    deliveries = serializers.URLField()


class RunUsageShape(StepUsageShape):
    """Usage of a run: activations and model calls."""

    activations = serializers.IntegerField()


class WarningShape(serializers.Serializer[Any]):
    """Warning about a run that completed all the same."""

    code = serializers.ChoiceField(
        choices=[
            ("OUTPUT_MISFIT", "The output does not fit the segment's output_schema"),
            ("OUTPUT_UNCHECKED", "The output could not be checked against the segment's output_schema"),
            ("ERROR_EDGE_FAILED", "The condition of an error edge failed, so no edge handled a step's failure"),
        ]
    )
    message = serializers.CharField()
    pointer = serializers.CharField(
        help_text="A JSON pointer below `/output`, or to the condition of an edge of the segment."
    )


@extend_schema_serializer(examples=[OpenApiExample("A run that is over", RUN_EXAMPLE, response_only=True)])
class RunShape(serializers.Serializer[Any]):
    """One execution of one revision."""

    run_id = serializers.UUIDField()
    segment_id = serializers.CharField()
    revision = serializers.IntegerField(allow_null=True, help_text="Null for an inline definition.")
    status = serializers.ChoiceField(choices=RunStatus.choices)
    pause_requested = serializers.BooleanField(help_text="A pause was requested, and steps in flight still finish.")
    input = AnyValue()
    output = AnyValue()
    error = FailureShape(required=False)
    warnings = WarningShape(
        many=True, help_text="Set when the output does not fit `output_schema`, or an error edge failed."
    )
    waiting_for = WaitingForShape(many=True)
    progress = ProgressShape()
    usage = RunUsageShape()
    client_reference = serializers.CharField(allow_null=True)
    metadata = JsonObject()
    priority = serializers.IntegerField()
    timeout_seconds = serializers.FloatField()
    replay_of = serializers.UUIDField(allow_null=True, help_text="The run this one is a replay of.")
    callback = CallbackShape(allow_null=True)
    is_test = serializers.BooleanField(help_text="It tries a step type out.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    links = LinksShape()


class StepShape(serializers.Serializer[Any]):
    """One activation of a step."""

    step_id = serializers.CharField()
    step_type = serializers.CharField(allow_null=True)
    activation = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["running", "retrying", "waiting", "completed", "failed", "skipped"])
    attempts = serializers.IntegerField()
    inputs = JsonObject(help_text="By input port; of a join the list of what arrived.")
    output = JsonObject(allow_null=True, help_text="By output port.")
    error = FailureShape(required=False)
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    duration_ms = serializers.IntegerField(allow_null=True)
    usage = StepUsageShape()
    calls = CallShape(many=True, help_text="The latest calls to the outside, at most 20; the events have all.")


class EventShape(serializers.Serializer[Any]):
    """One fact about a run."""

    event_id = serializers.CharField()
    seq = serializers.IntegerField()
    event_type = serializers.CharField()
    timestamp = serializers.DateTimeField()
    tenant_id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    segment_id = serializers.CharField()
    step_id = serializers.CharField(allow_null=True)
    step_type = serializers.CharField(allow_null=True)
    activation = serializers.IntegerField(allow_null=True)
    attempt = serializers.IntegerField(allow_null=True)
    severity = serializers.ChoiceField(choices=["info", "warning", "error"])
    correlation_id = serializers.CharField()
    payload = JsonObject()
    error = FailureShape(required=False)
    duration_ms = serializers.IntegerField(allow_null=True)


class SnapshotShape(serializers.Serializer[Any]):
    """A run as one document."""

    format = serializers.CharField(help_text="`llmteam.run/1`")
    run = JsonObject(help_text="Facts of the run besides its journal.")
    revision = JsonObject(help_text="`definition` and its `content_hash`, `number`, and the `step_types` it relies on.")
    journal = serializers.ListField(
        child=JsonObject(),
        help_text="Every event: seq, type, step_id, activation, attempt, created_at, payload.",
    )
    state = JsonObject(
        allow_null=True, help_text="The state that the journal results in; null if a step type is no longer installed."
    )
    checksum = serializers.CharField(help_text="64 hex digits.")
