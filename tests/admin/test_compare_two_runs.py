"""Two runs side by side: what differs in path, output, cost and time, of one tenant only."""

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from runs.models import Run, RunStatus
from tests.support.console import World, a_run, an_event


def a_finished(world: World, value: str, *, output: str = "same") -> Run:
    run = a_run(world.revision, status=RunStatus.COMPLETED, output=output)
    an_event(run, type_="segment.started", payload={"input": {}})
    an_event(run, type_="step.started", payload={"inputs": {}}, step_id="hello", activation=1, attempt=1)
    done = {"ports": {"output": value}, "edges": []}
    an_event(run, type_="step.completed", payload=done, step_id="hello", activation=1, attempt=1)
    return run


def test_two_chosen_runs_are_shown_side_by_side(console: Client, acme_world: World) -> None:
    one, other = a_finished(acme_world, "tea"), a_finished(acme_world, "coffee", output="other")
    chosen = {"action": "compare_runs", ACTION_CHECKBOX_NAME: [str(other.pk), str(one.pk)]}
    answer = console.post("/admin/runs/run/", chosen, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("admin:runs_run_compare", args=[one.pk, other.pk])
    found = answer.context["comparison"]
    assert {line.name: line.differs for line in found.facts if line.name in {"Status", "Output"}} == {
        "Status": False,
        "Output": True,
    }
    ((state, _, value),) = found.steps
    assert (state.name, state.left, state.right) == ("hello", "completed", "completed")
    assert ("tea" in value.left, "coffee" in value.right) == (True, True)


def test_a_path_that_one_did_not_take_is_said(console: Client, acme_world: World) -> None:
    one, other = a_finished(acme_world, "tea"), a_run(acme_world.revision, status=RunStatus.FAILED)
    page = console.get(reverse("admin:runs_run_compare", args=[one.pk, other.pk]))
    ((state, _, _),) = page.context["comparison"].steps
    assert (state.left, state.right) == ("completed", "not reached")
    assert "not reached" in page.text


def test_runs_of_two_tenants_are_never_compared(console: Client, acme_world: World, globex_world: World) -> None:
    address = reverse("admin:runs_run_compare", args=[acme_world.run.pk, globex_world.run.pk])
    assert console.get(address).status_code == 404
    ids = [str(acme_world.run.pk), str(globex_world.run.pk)]
    answer = console.post("/admin/runs/run/", {"action": "compare_runs", ACTION_CHECKBOX_NAME: ids}, follow=True)
    assert "Choose two runs of one tenant" in answer.text
