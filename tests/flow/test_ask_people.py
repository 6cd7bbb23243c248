"""People decide through the API, each with a token of their own, while a real worker runs what they decide about."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import httpx
import pytest
from pytest_django.plugin import DjangoDbBlocker

from tenants.models import Tenant
from tenants.services import create_api_key
from tests.support.platform import Platform, running_platform
from tests.support.process_ends import eventually
from tests.support.stand_in_catalog import document
from tests.support.tasks import ask, make_member

pytestmark = pytest.mark.django_db

SHOWN = {"amount": 12}
PEOPLE = {"ann": ["finance"], "bob": ["finance", "legal"], "carl": ["finance"]}


@pytest.fixture(scope="module")
def members(key: str, django_db_blocker: DjangoDbBlocker) -> dict[str, str]:
    """The members' ids by name."""
    with django_db_blocker.unblock():
        tenant = Tenant.objects.get(slug="acme")
        return {name: str(make_member(tenant, name, *groups).id) for name, groups in PEOPLE.items()}


@pytest.fixture(scope="module")
def keys(members: dict[str, str], django_db_blocker: DjangoDbBlocker) -> dict[str, str]:
    """A key for each member: one that acts for several counts as one for quorum and four eyes."""
    with django_db_blocker.unblock():
        tenant = Tenant.objects.get(slug="acme")
        return {name: create_api_key(tenant=tenant, name=f"canvas of {name}").text for name in members}


@pytest.fixture(scope="module")
def platform(key: str, members: dict[str, str]) -> Iterator[Platform]:
    with running_platform(key) as running:
        yield running


class People:
    """The members, each with a token that a key made for them."""

    def __init__(self, platform: Platform, keys: dict[str, str]) -> None:
        self._platform = platform
        self._keys = keys
        self._tokens: dict[str, str] = {}

    def call(self, name: str, method: str, path: str, body: Any = None) -> httpx.Response:
        if name not in self._tokens:
            scopes = ["tasks:read", "tasks:write", "runs:read"]
            made = self._platform.caller.post(
                "/api/v1/tokens",
                json={"scopes": scopes, "member": f"{name}@acme.example"},
                headers={"Authorization": f"Bearer {self._keys[name]}"},
            )
            assert made.status_code == 201, made.text
            self._tokens[name] = made.json()["token"]
        headers = {"Authorization": f"Bearer {self._tokens[name]}"}
        return self._platform.caller.request(method, f"/api/v1/{path}", json=body, headers=headers)

    def act(self, name: str, task: dict[str, Any], act: str, **body: Any) -> httpx.Response:
        return self.call(name, "POST", f"human-tasks/{task['task_id']}/{act}", body)

    def decide(self, name: str, task: dict[str, Any], decision: str = "approved", **more: Any) -> dict[str, Any]:
        answer = self.act(name, task, "complete", decision=decision, content_hash=task["content_hash"], **more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
def people(platform: Platform, keys: dict[str, str]) -> People:
    return People(platform, keys)


CHOICES = {"task_type": "choice", "choices": ["express", "later"]}
WAYS: list[tuple[dict[str, Any], dict[str, Any], str, Any]] = [
    ({"task_type": "approval"}, {"decision": "approved"}, "approved", SHOWN),
    ({"task_type": "approval"}, {"decision": "rejected"}, "rejected", SHOWN),
    ({"task_type": "review"}, {"decision": "approved"}, "approved", SHOWN),
    ({"task_type": "review"}, {"decision": "rejected"}, "rejected", SHOWN),
    ({"task_type": "review"}, {"decision": "modified", "data": {"amount": 9}}, "modified", {"amount": 9}),
    ({"task_type": "input"}, {"decision": "approved", "data": {"amount": 1}}, "approved", {"amount": 1}),
    (CHOICES, {"decision": "approved", "choice": "express"}, "express", SHOWN),
    (CHOICES, {"decision": "approved", "choice": "later"}, "approved", SHOWN),
]


@pytest.mark.parametrize("case", WAYS)
def test_each_type_and_outcome_has_its_own_branch(platform: Platform, people: People, case: tuple[Any, ...]) -> None:
    config, said, way, data = case
    ports = ["approved", "rejected", "modified"] + (["express"] if config["task_type"] == "choice" else [])
    segment = ask(*(f"{port} -> {port}_way" for port in ports), assignee_ref="finance", **config)
    run = platform.start(segment, SHOWN)
    people.decide("ann", platform.task(run), comment="so be it", **said)
    output = platform.over(run)["output"]
    assert list(output) == [f"{way}_way"]
    told = output[f"{way}_way"]["told"]
    assert (told["decision"], told["data"], told["comment"]) == (said["decision"], data, "so be it")
    assert told["decided_by"]["name"] == "Ann"
    assert told["decided_at"] is not None


def test_a_waiting_run_is_a_202_that_names_the_task_and_its_page(platform: Platform, people: People) -> None:
    answer = platform.caller.post("/api/v1/runs?wait=2", json={"segment": ask(assignee_ref="finance"), "input": SHOWN})
    assert answer.status_code == 202
    run = answer.json()
    (waiting,) = run["waiting_for"]
    assert (run["status"], waiting["kind"]) == ("waiting", "human")
    assert waiting["task_url"].startswith("http")
    assert waiting["task_url"].endswith(f"/inbox/tasks/{waiting['task_id']}/")
    (step,) = platform.steps(run)
    assert step["status"] == "waiting"
    people.decide("ann", platform.task(run))
    assert platform.over(run)["status"] == "completed"


def test_modified_loops_until_it_is_approved(platform: Platform, people: People) -> None:
    looping = document(
        {
            "ask:human_task": {"task_type": "review"},
            "again": {"expression": "input.data"},
            "end": {"expression": "input"},
        },
        ["ask.modified -> again", "again -> ask", "ask.approved -> end"],
    )
    run = platform.start(looping, {"text": "one"})
    people.decide("ann", platform.task(run), "modified", data={"text": "two"})
    people.decide("bob", platform.task(run), "modified", data={"text": "three"})
    people.decide("ann", platform.task(run))
    assert platform.over(run)["output"]["data"] == {"text": "three"}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_three_open_at_once_are_answered_in_any_order(
    platform: Platform, people: People, order: tuple[int, ...]
) -> None:
    names = ["one", "two", "three"]
    asking = {f"{name}:human_task": {"title": name} for name in names}
    into = [f"split.branch_{number} -> {name}" for number, name in enumerate(names, 1)]
    out = [f"{name}.approved -> join.branch_{number}" for number, name in enumerate(names, 1)]
    parallel = document({"split:parallel_split": {"branches": 3}, **asking, "join:parallel_join": {}}, [*into, *out])
    run = platform.start(parallel)

    def tasks() -> list[dict[str, Any]]:
        found = people.call("ann", "GET", f"human-tasks?run={run['run_id']}&status=open").json()["data"]
        return sorted(found, key=lambda task: names.index(task["title"]))

    assert eventually(lambda: len(tasks()) == 3, seconds=20)
    opened = tasks()
    for number in order:
        people.decide("ann", opened[number], comment=names[number])
    assert [arrived["comment"] for arrived in platform.over(run)["output"]] == names


def test_two_of_three_have_to_approve(platform: Platform, people: People) -> None:
    run = platform.start(ask(assignee_ref="finance", quorum={"approvals": 2, "of": 3}), SHOWN)
    task = platform.task(run)
    assert people.decide("ann", task, "rejected")["status"] == "open"
    again = people.act("ann", task, "complete", decision="approved")
    assert (again.status_code, again.json()["reason"]) == (403, "decided_already")
    assert people.decide("bob", task)["status"] == "open"
    assert people.decide("carl", task)["status"] == "completed"
    (told,) = platform.over(run)["output"].values()
    assert [one["decided_by"]["name"] for one in told["told"]["decisions"]] == ["Ann", "Bob", "Carl"]


def test_the_later_of_two_is_told_who_was_first(platform: Platform, people: People) -> None:
    run = platform.start(ask(assignee_ref="finance"), SHOWN)
    task = platform.task(run)
    people.decide("ann", task, "rejected")
    late = people.act("bob", task, "complete", decision="approved")
    assert (late.status_code, late.json()["code"]) == (409, "TASK_OVER")
    assert (late.json()["decided_by"], late.json()["decision"]) == ("Ann", "rejected")
    assert "Ann has decided this task: rejected" in late.json()["detail"]


def test_whoever_started_the_run_does_not_decide_it(platform: Platform, people: People) -> None:
    run = platform.start(ask(four_eyes=True), SHOWN)
    task = platform.task(run)
    own = platform.caller.post(f"/api/v1/human-tasks/{task['task_id']}/complete", json={"decision": "approved"})
    assert (own.status_code, own.json()["reason"]) == (403, "four_eyes")
    people.decide("ann", task)
    assert platform.over(run)["status"] == "completed"


def test_a_task_is_claimed_handed_on_and_decided_by_who_got_it(
    platform: Platform, people: People, members: dict[str, str]
) -> None:
    run = platform.start(ask(assignee_ref="finance"), SHOWN)
    task = platform.task(run)
    assert people.act("ann", task, "claim").json()["claimed_by"]["name"] == "Ann"
    taken = people.act("bob", task, "complete", decision="approved")
    assert (taken.status_code, taken.json()["claimed_by"]) == (409, "Ann")
    assert people.act("ann", task, "delegate", to=members["carl"]).json()["assignee"]["name"] == "Carl"
    assert people.act("ann", task, "complete", decision="approved").status_code == 404, "hers no more"
    people.decide("carl", task)
    assert platform.over(run)["status"] == "completed"
    types = [event["event_type"] for event in platform.events(run) if event["event_type"].startswith("human.")]
    assert types == ["human.task_created", "human.task_assigned", "human.task_assigned", "human.task_completed"]


@pytest.mark.parametrize("chain", [["legal"], ["legal", "carl@acme.example", "legal"]])
def test_nobody_answers_and_the_chain_is_asked(platform: Platform, people: People, chain: list[str]) -> None:
    segment = ask(
        "approved -> yes",
        "timeout -> late",
        assignee_ref="ann@acme.example",
        timeout_hours=1 / 3600,
        escalation_chain=chain,
    )
    run = platform.start(segment, SHOWN)
    over = platform.over(run)
    assert list(over["output"]) == ["late"]
    told = [event["payload"] for event in platform.events(run) if event["event_type"] == "human.task_escalated"]
    assert [one["asked"] for one in told] == chain
    (task,) = platform.caller.get("/api/v1/human-tasks", params={"run": run["run_id"]}).json()["data"]
    assert (task["status"], task["level"]) == ("timed_out", len(chain))
