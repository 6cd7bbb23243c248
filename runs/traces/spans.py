"""Spans of runs, of attempts' calls of models and of HTTP, and the context they stand in.

No span holds a message, a value, an address's path or query: names, numbers and codes only.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Final
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

KEPT_TRACES: Final = 4_096
"""More than a worker has runs at once: they ask in turn, so one too few would have each read anew by each attempt."""
NAME: Final = "llmteam"
_LOW_HALF: Final = (1 << 64) - 1

CHOSEN_RUN: Final[ContextVar[UUID | None]] = ContextVar("the run whose span is made", default=None)
"""Run whose ids the next span is given, so that what was below it before it was made is below it."""
_propagator = TraceContextTextMapPropagator()
Attributes = Mapping[str, str | int | float | bool | list[str]]


def are_recorded() -> bool:
    """Whether an SDK was set up: else spans are made by nobody."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider)


def run_span_id(run_id: UUID) -> int:
    """Give the id of a run's span: it is known before the span is made, on whichever host that will be."""
    return run_id.int & _LOW_HALF


@lru_cache(maxsize=KEPT_TRACES)
def caller_context(traceparent: str) -> Context:
    """Read the trace of the request that started a run."""
    return _propagator.extract({"traceparent": traceparent}, Context())


def run_context(run_id: UUID, traceparent: str) -> Context:
    """Give the context of a run's attempts: below its own span where one will be made, else below its caller's."""
    if not _makes_run_spans():
        return caller_context(traceparent)
    caller = trace.get_current_span(caller_context(traceparent)).get_span_context()
    trace_id, flags = (caller.trace_id, caller.trace_flags) if caller.is_valid else (run_id.int, TraceFlags.SAMPLED)
    span = SpanContext(trace_id, run_span_id(run_id), is_remote=True, trace_flags=TraceFlags(flags))
    return set_span_in_context(NonRecordingSpan(span), Context())


def record_run(
    run_id: UUID, traceparent: str, *, segment_id: str, started_at: float, status: str, attributes: Attributes
) -> None:
    """Make the span of a run that is over; it began when the run did, perhaps on another host."""
    if not _makes_run_spans():
        return
    chosen = CHOSEN_RUN.set(run_id)
    try:
        span = trace.get_tracer(NAME).start_span(
            f"run {segment_id}",
            context=caller_context(traceparent),
            kind=SpanKind.INTERNAL,
            attributes={"llmteam.run_id": str(run_id), "llmteam.status": status, **attributes},
            start_time=int(started_at * 1e9),
        )
    finally:
        CHOSEN_RUN.reset(chosen)
    if status != "completed":
        span.set_status(Status(StatusCode.ERROR, status))
    span.end()


@contextmanager
def client_span(name: str, attributes: Attributes) -> Iterator[Span]:
    """Have what is called belong to a span of its own; an error is told by its class or code, never by its words."""
    with trace.get_tracer(NAME).start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            code = str(getattr(error, "code", "") or type(error).__name__)
            span.set_attribute("error.type", code)
            span.set_status(Status(StatusCode.ERROR, code))
            raise


def _makes_run_spans() -> bool:
    return bool(getattr(trace.get_tracer_provider(), "makes_run_spans", False))
