"""An attempt belongs to the trace of the request that started its run, whether spans are made of it or not."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from runs.runtime import current_runtime
from tenants.models import Tenant
from tests.support.engine import queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The SDK, set up as an installation does; the library allows that once a process, tests take it back."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def calling(server: CountingServer) -> dict[str, Any]:
    return segment(
        step("first", "transform", expression="input"),
        step("call", "outsider", url=f"{server.url}/x", retry={"max_attempts": 2, "initial_seconds": 0.01}),
    )


def test_without_an_sdk_the_callers_trace_goes_through(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/x", Answer(200))
    with running_host():
        wait_until_over(queue_run(acme, calling(server), traceparent=PARENT))
        wait_until_over(queue_run(acme, calling(server)))
    assert [call.headers.get("traceparent") for call in server.calls] == [PARENT, None]


def test_with_an_sdk_each_attempt_is_a_span_in_the_callers_trace(
    acme: Tenant, server: CountingServer, spans: InMemorySpanExporter
) -> None:
    server.route("POST", "/x", [Answer(500), Answer(200)])
    with running_host():
        run_id = queue_run(acme, calling(server), traceparent=PARENT)
        assert wait_until_over(run_id) == ["completed"]
    first, refused, failed, taken, done = spans.get_finished_spans()
    assert [span.name for span in (first, failed, done)] == ["transform", "outsider", "outsider"]
    for span in (first, failed, done):
        assert span.parent is not None
        assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
    for call, attempt in ((refused, failed), (taken, done)):
        assert call.name == "POST"
        assert call.parent is not None
        assert call.parent.span_id == attempt.context.span_id
    assert [call.headers["traceparent"] for call in server.calls] == [
        f"00-{TRACE}-{span.context.span_id:016x}-01" for span in (refused, taken)
    ]
    assert dict(done.attributes or {}) == {
        "llmteam.run_id": str(run_id),
        "llmteam.step_id": "call",
        "llmteam.activation": 1,
        "llmteam.attempt": 2,
        "llmteam.tenant_id": str(acme.id),
    }
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "HOST_FAILED")
    assert done.status.status_code is StatusCode.UNSET


def set_up_by_name(runtime: object) -> None:
    """What RUNTIME_SETUP may name: brings the SDK along."""
    assert PROVIDERS, runtime
    trace._TRACER_PROVIDER = PROVIDERS[-1]


PROVIDERS: list[TracerProvider] = []


def test_an_installation_s_setup_may_bring_the_sdk(
    acme: Tenant, spans: InMemorySpanExporter, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = trace._TRACER_PROVIDER
    assert isinstance(provider, TracerProvider)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(f"{__name__}.PROVIDERS", [provider])
    settings.RUNTIME_SETUP = [f"{__name__}.set_up_by_name"]
    current_runtime.cache_clear()
    with running_host():
        wait_until_over(queue_run(acme, segment(step("first", "transform", expression="input"))))
    current_runtime.cache_clear()
    assert [span.name for span in spans.get_finished_spans()] == ["transform"]


def test_a_crash_is_an_error_that_tells_nothing_of_what_was_said(acme: Tenant, spans: InMemorySpanExporter) -> None:
    with running_host():
        wait_until_over(queue_run(acme, segment(step("call", result_of="crash"))))
    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "STEP_CRASHED")
    assert "secret of the handler" not in span.to_json()


def test_what_is_put_off_is_no_error(acme: Tenant, server: CountingServer, spans: InMemorySpanExporter) -> None:
    server.route("POST", "/x", Answer(500))
    alone = segment(step("call", "outsider", url=f"{server.url}/x"))
    with running_host():
        wait_until_over(*[queue_run(acme, alone) for _ in range(10)])
        wait_until_over(queue_run(acme, alone, timeout_seconds=1))
    last = spans.get_finished_spans()[-1]
    assert (last.attributes or {})["llmteam.deferred"] == "circuit"
    assert last.status.status_code is StatusCode.UNSET
