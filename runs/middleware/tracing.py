"""Tracing: a span for each attempt, in the trace of the request that started the run."""

from collections.abc import Awaitable

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from runs.runtime import current_runtime
from runs.step_api.base import Defer, Emit, Next, StepCall, StepFailed, StepType, Wait
from runs.traces import spans
from segments.catalog import Effect


class Tracing:
    """Makes a span where an SDK was set up before the host began; else only the run's trace is the present one.

    Whatever sends a request in the attempt finds its ``traceparent`` in the present context. A span never holds a
    message or a value: a failed one has the failure's code.
    """

    def __init__(self) -> None:
        current_runtime()  # an installation's setup may bring an SDK along
        self._tracer = trace.get_tracer(spans.NAME)
        self._records = spans.are_recorded()

    def wants(self, step_type: StepType) -> bool:
        """Pure steps send nothing: they have a span or nothing at all."""
        return self._records or step_type.effect is not Effect.PURE

    def __call__(self, call: StepCall, run: Next) -> Awaitable[Emit | Wait]:
        """Have the attempt belong to its run's trace."""
        if self._records:
            return self._with_span(call, run)
        return _in_trace(call, run) if call.traceparent else run(call)

    async def _with_span(self, call: StepCall, run: Next) -> Emit | Wait:
        with self._tracer.start_as_current_span(
            call.type_id,
            context=spans.run_context(call.run_id, call.traceparent),
            kind=SpanKind.INTERNAL,
            attributes=_attributes(call),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return await run(call)
            except Exception as error:
                _note(span, error)
                raise


async def _in_trace(call: StepCall, run: Next) -> Emit | Wait:
    token = context.attach(spans.caller_context(call.traceparent))
    try:
        return await run(call)
    finally:
        context.detach(token)


def _attributes(call: StepCall) -> dict[str, str | int]:
    return {
        "llmteam.run_id": str(call.run_id),
        "llmteam.step_id": call.step_id,
        "llmteam.activation": call.activation,
        "llmteam.attempt": call.attempt,
        "llmteam.tenant_id": str(call.context.tenant_id),
    }


def _note(span: Span, error: Exception) -> None:
    if isinstance(error, Defer):
        span.set_attribute("llmteam.deferred", error.reason)
    else:
        code = error.code if isinstance(error, StepFailed) else "STEP_CRASHED"
        span.set_status(Status(StatusCode.ERROR, code))
