"""Outputs that are not what ``output_schema`` says: a warning in the run and its events, and no failure."""

from typing import Any

from rest_framework.test import APIClient

from runs.engine.run import completion
from tenants.models import Tenant
from tenants.services import create_api_key
from tests.support.engine import events_of, get_run, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step

SCHEMA = {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}


def given(output_schema: dict[str, Any] | None, expression: str = "input") -> dict[str, Any]:
    more = {} if output_schema is None else {"output_schema": output_schema}
    return {**segment(step("one", "transform", expression=expression)), **more}


def test_an_output_that_does_not_fit_is_told_of_and_completes(acme: Tenant) -> None:
    with running_host():
        wrong = queue_run(acme, given(SCHEMA), input={"total": "much"})
        right = queue_run(acme, given(SCHEMA), input={"total": 7})
        free = queue_run(acme, given(None), input={"total": "much"})
        wait_until_over(wrong, right, free)
    run = get_run(wrong)
    assert (run.status, run.output, run.error) == ("completed", {"total": "much"}, None)
    (warning,) = run.warnings
    assert (warning["code"], warning["pointer"]) == ("OUTPUT_MISFIT", "/output/total")
    assert events_of(wrong)[-1].payload == {"output": {"total": "much"}, "warnings": run.warnings}
    client = APIClient(headers={"Authorization": f"Bearer {create_api_key(tenant=acme, name='tests').text}"})
    assert client.get(f"/api/v1/runs/{wrong}").json()["warnings"] == run.warnings
    last = client.get(f"/api/v1/runs/{wrong}/events").json()["data"][-1]
    assert (last["severity"], last["payload"]["warnings"]) == ("warning", run.warnings)
    for run_id in (right, free):
        assert (get_run(run_id).status, get_run(run_id).warnings) == ("completed", [])
        assert events_of(run_id)[-1].payload.keys() == {"output"}


def test_warnings_are_few_and_short(acme: Tenant) -> None:
    many = {"type": "array", "items": {"enum": ["x" * 1_000]}}
    with running_host():
        run_id = queue_run(acme, given(many), input=[{"n": n} for n in range(200)])
        wait_until_over(run_id)
    run = get_run(run_id)
    assert run.status == "completed"
    assert len(run.warnings) == completion.MAX_WARNINGS
    assert all(len(warning["message"]) <= completion.MESSAGE_CHARACTERS for warning in run.warnings)


def test_a_schema_that_cannot_be_applied_is_told_of_too(acme: Tenant) -> None:
    """A revision from before outputs were judged may have any."""
    with running_host():
        run_id = queue_run(acme, given({"$ref": "https://schemas.example.com/order"}))
        wait_until_over(run_id)
    run = get_run(run_id)
    assert run.status == "completed"
    assert [warning["code"] for warning in run.warnings] == ["OUTPUT_UNCHECKED"]
