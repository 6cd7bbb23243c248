"""Error edges whose condition fails: no edge takes the failure, and the run tells it however it ends."""

from typing import Any

import pytest

from tenants.models import Tenant
from tests.support.engine import events_of, get_run, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step

HEAVY = "sum((a*3) % 3 for a in range(12000)) >= 0"
FAILING = [("nope.x == 1", "EXPRESSION_MISSING_NAME"), (HEAVY, "COMPUTE_LIMIT")]


def compensating(condition: str, strategy: str) -> dict[str, Any]:
    edges: list[dict[str, Any]] = [
        {"from": "split", "from_port": "branch_1", "to": "breaks"},
        {"from": "split", "from_port": "branch_2", "to": "other"},
        {"from": "breaks", "to": "join"},
        {"from": "breaks", "from_port": "error", "to": "repair", "condition": condition},
        {"from": "repair", "to": "join"},
        {"from": "other", "to": "join"},
    ]
    return segment(
        step("split", "parallel_split"),
        step("breaks", "transform", expression="input.nope"),
        step("repair", "transform", expression="'repaired'"),
        step("other", "transform", expression="'other'"),
        step("join", "parallel_join", merge_strategy=strategy),
        edges=edges,
    )


@pytest.mark.parametrize(("condition", "code"), FAILING)
def test_a_failure_that_no_edge_could_take_is_told_however_the_run_ends(
    acme: Tenant, condition: str, code: str
) -> None:
    with running_host():
        fine, green, red = (
            queue_run(acme, compensating(*told), input={})
            for told in (("1 == 1", "all"), (condition, "any"), (condition, "all"))
        )
        wait_until_over(fine, green, red)
    assert (get_run(fine).status, get_run(fine).warnings) == ("completed", [])
    assert "repair" in {event.step_id for event in events_of(fine)}
    for run_id in (green, red):
        (failed,) = (event for event in events_of(run_id) if event.type == "step.failed" and event.step_id == "breaks")
        assert (failed.payload["edges"], failed.payload["edge_error"]["code"]) == ([], code)
        assert failed.payload["edge_error"]["details"] == {"edge": 3, "from": "breaks", "to": "repair"}
    run = get_run(green)
    (warning,) = run.warnings
    assert (run.status, warning["code"], warning["pointer"]) == ("completed", "ERROR_EDGE_FAILED", "/edges/3/condition")
    assert "the edge from breaks to repair failed" in warning["message"]
    assert events_of(green)[-1].payload["warnings"] == run.warnings
    run = get_run(red)
    (cause,) = run.error["details"]["causes"]
    assert (run.status, cause["details"]["edge_error"]["code"]) == ("failed", code)
