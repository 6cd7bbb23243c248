"""Traces of whole runs: a run's own span, calls of HTTP and of models below its attempts, sent to a collector."""

import gzip
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from examples.model_server import ModelServer
from runs.runtime import current_runtime
from runs.traces.spans import run_span_id
from tenants.models import Tenant
from tests.support.engine import queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.model_runs import connect_model
from tests.support.process_ends import eventually
from tests.support.segments import segment, step
from tests.support.worker import running_worker

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `otel` is not installed here")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from runs.traces.sdk import run_tracer_provider

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = run_tracer_provider("tests")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def parent_of(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def calling(server: CountingServer) -> dict[str, Any]:
    call = step("call", "http_action", url=f"{server.url}/x?token=secret", method="GET", retry_count=0)
    return segment(call, step("last", "transform", expression="1"))


def test_a_run_is_a_span_below_its_caller_s_and_above_its_attempts(
    acme: Tenant, server: CountingServer, spans: InMemorySpanExporter
) -> None:
    server.route("GET", "/x", Answer(200, b"{}"))
    with running_host():
        run_id = queue_run(acme, calling(server), traceparent=PARENT)
        assert wait_until_over(run_id) == ["completed"]
        assert eventually(lambda: len(spans.get_finished_spans()) == 4, seconds=10)
    found = by_name(spans)
    (name,) = [name for name in found if name.startswith("run ")]
    run, http = found[name], found["GET"]
    assert {f"{span.context.trace_id:032x}" for span in found.values()} == {TRACE}
    assert f"{parent_of(run):016x}" == SPAN
    assert run.context.span_id == run_span_id(run_id)
    assert {parent_of(found[attempt]) for attempt in ("http_action", "transform")} == {run.context.span_id}
    assert parent_of(http) == found["http_action"].context.span_id
    assert http.kind is SpanKind.CLIENT
    assert told(http)["http.response.status_code"] == 200
    assert told(run)["llmteam.status"] == "completed"
    starts = [span.start_time or 0 for span in found.values()]
    assert (run.start_time or 0) <= min(starts) + 1_000_000
    assert "secret" not in "".join(span.to_json() for span in found.values())


def test_a_run_without_a_caller_s_trace_is_a_trace_of_its_own(acme: Tenant, spans: InMemorySpanExporter) -> None:
    with running_host():
        run_id = queue_run(acme, segment(step("first", "transform", expression="1 / 0")) | {"segment_id": "broken"})
        assert wait_until_over(run_id) == ["failed"]
        assert eventually(lambda: "run broken" in by_name(spans), seconds=10)
    found = by_name(spans)
    assert {span.context.trace_id for span in found.values()} == {run_id.int}
    assert found["run broken"].parent is None
    assert found["run broken"].status.status_code is StatusCode.ERROR


def test_a_model_s_call_has_its_attributes_and_none_of_its_words(acme: Tenant, spans: InMemorySpanExporter) -> None:
    asking = segment(step("ask", "llm_agent", prompt="a private question", max_tokens=50, temperature=0.5))
    with ModelServer(key="key") as model, running_host():
        connect_model(acme, model)
        assert wait_until_over(queue_run(acme, asking, traceparent=PARENT)) == ["completed"]
    (chat,) = [span for name, span in by_name(spans).items() if name.startswith("chat ")]
    assert chat.kind is SpanKind.CLIENT
    attributes = told(chat)
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.request.max_tokens"] == 50
    assert attributes["gen_ai.request.temperature"] == 0.5
    assert attributes["gen_ai.request.model"] in chat.name
    assert attributes["gen_ai.provider.name"]
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["gen_ai.usage.input_tokens"] > 0
    assert attributes["gen_ai.usage.output_tokens"] > 0
    assert parent_of(chat) == by_name(spans)["llm_agent"].context.span_id
    assert parent_of(by_name(spans)["POST"]) == chat.context.span_id
    assert "private question" not in "".join(span.to_json() for span in spans.get_finished_spans())


@pytest.mark.django_db(transaction=True)
def test_a_worker_sends_its_spans_to_the_collector(acme: Tenant, server: CountingServer) -> None:
    with CountingServer() as collector:
        collector.route("POST", "/v1/traces", Answer(200))
        told_to = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with running_worker(**told_to):
            run_id = queue_run(acme, segment(step("first", "transform", expression="1")), traceparent=PARENT)
            wait_until_over(run_id)
            assert eventually(lambda: len(sent_to(collector)) == 2, seconds=20), sent_to(collector)
        assert {span.trace_id.hex() for span in sent_to(collector)} == {TRACE}
        assert run_span_id(run_id).to_bytes(8, "big") in {span.span_id for span in sent_to(collector)}


def sent_to(collector: CountingServer) -> list[Any]:
    found = []
    for call in collector.calls:
        body = gzip.decompress(call.body) if call.headers.get("content-encoding") == "gzip" else call.body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            found += [span for scope in resource.scope_spans for span in scope.spans]
    return found


def test_without_the_extra_the_setting_is_refused_in_a_sentence(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = "http://127.0.0.1:4318"
    monkeypatch.setitem(sys.modules, "runs.traces.sdk", None)
    current_runtime.cache_clear()
    try:
        with pytest.raises(ImproperlyConfigured, match=r"pip install 'llmteam\[otel\]'"):
            current_runtime()
    finally:
        current_runtime.cache_clear()
