"""OpenTelemetry's SDK, set up to send spans to a collector; imported only where the extra `otel` is installed."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from runs.traces.spans import CHOSEN_RUN, run_span_id


class RunIds(RandomIdGenerator):
    """Ids of spans: of a run's span those its attempts have named before, else any."""

    def generate_span_id(self) -> int:
        """Give the chosen run's, else any."""
        run_id = CHOSEN_RUN.get()
        return super().generate_span_id() if run_id is None else run_span_id(run_id)

    def generate_trace_id(self) -> int:
        """Give the chosen run's, where no caller has brought a trace, else any."""
        run_id = CHOSEN_RUN.get()
        return super().generate_trace_id() if run_id is None else run_id.int


class RunTracerProvider(TracerProvider):
    """Provider by which each run has a span of its own."""

    makes_run_spans = True


def run_tracer_provider(service_name: str) -> RunTracerProvider:
    """Make a provider without anywhere to send spans to."""
    return RunTracerProvider(id_generator=RunIds(), resource=Resource.create({SERVICE_NAME: service_name}))


def send_to_collector(endpoint: str, *, service_name: str) -> None:
    """Set the process up to send spans, in batches, by a thread of the SDK's own; what is left is sent at its end."""
    provider = run_tracer_provider(service_name)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(provider)
