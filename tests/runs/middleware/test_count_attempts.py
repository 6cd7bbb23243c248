"""What a process counts; read as a scrape reads it."""

import pytest
from prometheus_client import REGISTRY, generate_latest

from runs import metrics
from tenants.models import Tenant
from tests.support.counts import Watch, count
from tests.support.engine import queue_run, queue_runs, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step


def attempts(step_type: str, outcome: str) -> Watch:
    return Watch("llmteam_step_attempts_total", step_type=step_type, outcome=outcome)


def test_attempts_are_counted_by_type_and_outcome(acme: Tenant) -> None:
    done, failed = attempts("probe", "completed"), attempts("probe", "failed")
    late, pure = attempts("probe", "timed_out"), attempts("transform", "completed")
    seconds = Watch("llmteam_step_attempt_seconds_sum", step_type="probe")
    document = segment(step("a", "transform", expression="input"), step("b", seconds=0.2), step("c", fail="X"))
    slow = segment(step("slow", seconds=5, timeout_seconds=0.2))
    with running_host():
        wait_until_over(queue_run(acme, document), queue_run(acme, slow))
    assert [watch.grown for watch in (done, failed, late, pure)] == [1, 1, 1, 1]
    assert 0.4 <= seconds.grown < 2


def test_what_is_put_off_and_what_opened_is_counted(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/", Answer(500))
    opened, put_off = Watch("llmteam_circuits_opened_total"), Watch("llmteam_steps_deferred_total", reason="circuit")
    alone = segment(step("call", "outsider", url=f"{server.url}/"))
    with running_host():
        wait_until_over(*queue_runs(acme, alone, 10))
        wait_until_over(queue_run(acme, alone, timeout_seconds=1))
    assert (opened.grown, put_off.grown) == (1, 1)


def test_tokens_and_cost_are_counted_by_provider_and_model(acme: Tenant) -> None:
    labels = {"provider": "test", "model": "model-a"}
    read = Watch("llmteam_model_tokens_total", direction="input", **labels)
    written = Watch("llmteam_model_tokens_total", direction="output", **labels)
    cost = Watch("llmteam_model_cost_dollars_total", **labels)
    spend = segment(step("spend", "spender", calls=2, takes=10, answers=5, cost="0.25"))
    broken = segment(step("spend", "spender", nonsense=True))
    with running_host():
        assert wait_until_over(queue_run(acme, spend)) == ["completed"]
        assert wait_until_over(queue_run(acme, broken)) == ["completed"]
    assert (read.grown, written.grown, cost.grown) == (20, 10, 0.5)
    assert generate_latest(REGISTRY), "whatever a provider called itself can be written"


def test_models_a_tenant_makes_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_models", set())
    metrics.model_labels.cache_clear()
    labels = {metrics.model_labels("openai", f"model-{number}") for number in range(5_000)}
    assert len(labels) == metrics.MAX_MODELS + 1
    assert ("openai", "model-0") in labels
    assert ("other", "other") in labels
    metrics.model_labels.cache_clear()


def test_runs_owned_and_given_up_and_commits_are_counted(acme: Tenant) -> None:
    ended, commits = Watch("llmteam_runs_given_up_total", status="completed"), Watch("llmteam_journal_commits_total")
    with running_host():
        run_ids = queue_runs(acme, segment(step("slow", seconds=1)), 3)
        wait_for(lambda: count("llmteam_runs_owned") == 3)
        wait_until_over(*run_ids)
        wait_for(lambda: count("llmteam_runs_owned") == 0)
    assert ended.grown == 3
    assert commits.grown >= 2


def test_no_metric_names_a_tenant(acme: Tenant) -> None:
    with running_host():
        wait_until_over(queue_run(acme, segment(step("one"))))
    labels = {label for family in REGISTRY.collect() for sample in family.samples for label in sample.labels}
    values = {value for family in REGISTRY.collect() for sample in family.samples for value in sample.labels.values()}
    assert "step_type" in labels
    assert not {label for label in labels if "tenant" in label}
    assert not {value for value in values if str(acme.id) in value or value == acme.slug}
