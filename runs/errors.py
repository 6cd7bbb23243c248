"""Errors about runs."""

from kernel.errors import Conflict, Invalid, NotFound, Unavailable


class RunNotFound(NotFound):
    """The tenant has no such run."""

    code = "RUN_NOT_FOUND"
    title = "There is no such run"


class ValueNotFound(NotFound):
    """The run has no such event, or the event no such value."""

    code = "VALUE_NOT_FOUND"
    title = "There is no such value"


class CircuitNotFound(NotFound):
    """The tenant has no open circuit of this name."""

    code = "CIRCUIT_NOT_FOUND"
    title = "There is no such open circuit"


class CircuitsUnknown(Unavailable):
    """Redis, which keeps the circuits, does not answer."""

    code = "CIRCUITS_UNKNOWN"
    title = "The open circuits are not known now, because Redis does not answer"


class RunAlreadyOver(Conflict):
    """The run has ended, which forbids the command; `extra` has its state."""

    code = "RUN_ALREADY_OVER"
    title = "The run is over already"


class LinkUnknown(NotFound):
    """A link that we did not sign, or that of a run that is gone."""

    code = "LINK_UNKNOWN"
    title = "There is nothing at this address"


class LinkOver(Conflict):
    """Nobody waits for this call any more: somebody else called, its time passed, or the run has ended."""

    code = "LINK_OVER"
    status = 410
    title = "Nobody waits for this call any more"


class TooManyCommands(Conflict):
    """The run has not taken the commands it was sent; ``extra`` has limit, used, cap."""

    code = "TOO_MANY_COMMANDS"
    title = "The run has not taken the commands it was sent"


class TooManyEarlyCalls(Conflict):
    """A run keeps as many calls as it may that came before it waited for them."""

    code = "TOO_MANY_EARLY_CALLS"
    title = "The run does not wait for this call yet, and can keep no more; call again later"


class CallRefused(Invalid):
    """The body of a call does not fit the schema of the step that waits for it."""

    code = "CALL_INVALID"
    title = "The body does not fit what is waited for"


class ActivationUnknown(Invalid):
    """The run's journal has no such activation."""

    code = "ACTIVATION_UNKNOWN"
    title = "The run has no such activation"


class SnapshotTooLarge(Conflict):
    """The run's journal is over the bound of one document."""

    code = "SNAPSHOT_TOO_LARGE"
    title = "The run's journal is too large for one document"


class UsageTooDetailed(Invalid):
    """A usage report would have too many rows."""

    code = "USAGE_TOO_DETAILED"
    title = "That would be more than 10000 rows: ask for fewer days, or group by less with `by`"


class InputRefused(Invalid):
    """The input does not fit the segment's ``input_schema``."""

    code = "INPUT_INVALID"
    title = "The input does not fit the segment's input_schema"


class InputSchemaUnusable(Invalid):
    """The segment's ``input_schema`` cannot be applied: it refers to something that is not in it."""

    code = "INPUT_SCHEMA_UNUSABLE"
    title = "The segment's input_schema cannot be applied"


class CallbackRefused(Invalid):
    """The callback's URL may not be called, or a header of it may not be sent; ``errors`` say which and why."""

    code = "CALLBACK_REFUSED"
    title = "The callback cannot be used"


class DeliveryNotFound(NotFound):
    """The run has no such delivery."""

    code = "DELIVERY_NOT_FOUND"
    title = "There is no such delivery"


class StartInProgress(Conflict):
    """Another request with the same key is starting its run right now."""

    code = "START_IN_PROGRESS"
    title = "A start with this Idempotency-Key is in progress"


class TrialInputsInvalid(Invalid):
    """A step is tried out with more values than it has places for."""

    code = "TRIAL_INPUTS_INVALID"
    title = "A step is tried out with one input: send `inputs` with one port, or none"


class ProcessStops(Unavailable):
    """The web process that serves a stream stops."""

    code = "PROCESS_STOPS"
    title = "This process is stopping; nothing is lost: reconnect with the last `cursor` you received"


class WebhookEndpointNotFound(NotFound):
    """The tenant has no such webhook endpoint."""

    code = "WEBHOOK_ENDPOINT_NOT_FOUND"
    title = "There is no such webhook endpoint"


class TooManyWebhookEndpoints(Conflict):
    """The tenant has as many webhook endpoints as it may have; ``extra`` says how many."""

    code = "TOO_MANY_WEBHOOK_ENDPOINTS"
    title = "The tenant has the maximum number of webhook endpoints"


class WebhookEndpointDisabled(Conflict):
    """The webhook endpoint is disabled, so that nothing is sent to it again."""

    code = "WEBHOOK_ENDPOINT_DISABLED"
    title = "The webhook endpoint is disabled: enable it first"


class TooMuchToRedeliver(Invalid):
    """More events would be sent again than one request may."""

    code = "TOO_MUCH_TO_REDELIVER"
    title = "These are too many events for one request: ask for a smaller range"
