"""A run asks people, parks without an owner, and goes on by the way of the decision."""

import time
from typing import Any

import pytest

from foundation.scope import unscoped
from humantasks.errors import AnswerInvalid
from humantasks.services import claim_task, delegate_task
from humantasks.types import TaskStatus
from runs.commands import command_run
from runs.engine.host.host import Host
from runs.models import SignalKind
from runs.replay import replay_run
from tenants.models import Membership, Tenant, User
from tests.support.engine import event_types, events_of, get_run, queue_run, wait_for, wait_until_over
from tests.support.stand_in_catalog import document
from tests.support.tasks import ask, decide, is_parked, make_member, person, task_of


def test_it_parks_and_goes_on_by_the_decision(acme: Tenant, ann: Membership, host: Host) -> None:
    run_id = queue_run(acme, ask(title="Pay {{ amount }}?"), input={"amount": 12})
    task = task_of(run_id)
    wait_for(lambda: is_parked(run_id))
    run = get_run(run_id)
    (waiting,) = run.waiting_for
    assert (waiting["kind"], waiting["ref"], waiting["task_id"]) == ("human", "ask#1", str(task.id))
    assert waiting["task_url"] == f"/inbox/tasks/{task.id}/"
    assert (task.title, task.data, run.active) == ("Pay 12?", {"amount": 12}, 1)
    decide(ann, task, "approved", comment="fine")
    assert wait_until_over(run_id) == ["completed"]
    (told,) = get_run(run_id).output.values()
    assert (told["way"], told["told"]["decision"], told["told"]["data"]) == ("yes", "approved", {"amount": 12})
    assert told["told"]["decided_by"] == {"member_id": str(ann.id), "name": "Ann"}
    assert told["told"]["comment"] == "fine"
    assert event_types(run_id) == [
        "segment.started",
        "step.started ask",
        "human.task_created ask",
        "human.task_completed ask",
        "step.completed ask",
        "step.started yes",
        "step.completed yes",
        "segment.completed",
    ]
    assert [event.seq for event in events_of(run_id)] == [*range(1, 9)]
    assert task_of(run_id).status == TaskStatus.COMPLETED


def test_a_text_that_data_made_too_long_is_cut_and_no_run_is_lost(acme: Tenant, ann: Membership, host: Host) -> None:
    for length in (5, 30_000):
        subject = "s" * length
        run_id = queue_run(acme, ask(title="{{ subject }}", description="{{ subject }}"), input={"subject": subject})
        task = task_of(run_id)
        if length == 5:
            assert (task.title, task.description) == (subject, subject)
        else:
            assert (task.title, task.description) == ("s" * 299 + "\u2026", "s" * 19_999 + "\u2026")
            assert task.data == {"subject": subject}


LISTS = [
    ["finance"],
    [f"g{number:05d}" for number in range(60)],
    [f"person{number:03d}@department.example" for number in range(12)],
    [letter * 100 for letter in "abcd"],
]


@pytest.mark.parametrize("are_known", [True, False])
@pytest.mark.parametrize("groups", LISTS)
def test_of_a_long_list_of_groups_only_the_words_that_show_it_are_cut(
    acme: Tenant, ann: Membership, host: Host, groups: list[str], are_known: bool
) -> None:
    bob = make_member(acme, "bob", *(groups if are_known else ["others"]))
    run_id = queue_run(acme, ask(task_type="approval", candidate_groups=groups))
    task = task_of(run_id)
    words = ", ".join(groups)
    assert task.asked == (words if len(words) <= 300 else f"{words[:299]}\u2026")
    is_for_all = not are_known and groups != ["finance"]
    assert (task.is_for_all, task.candidate_groups) == (is_for_all, [] if is_for_all else groups)
    decide(ann if groups == ["finance"] else bob, task)
    assert wait_until_over(run_id) == ["completed"]


TOO_LONG: list[tuple[dict[str, Any], str]] = [
    ({"assignee_ref": "{{ who }}"}, "/config/assignee_ref"),
    ({"candidate_groups": "{{ [who] }}"}, "/config/candidate_groups/0"),
    ({"escalation_chain": ["boss", "{{ who }}"]}, "/config/escalation_chain/1"),
    ({"task_type": "choice", "choices": "{{ ['red', who] }}"}, "/config/choices/1"),
]


@pytest.mark.parametrize(("config", "pointer"), TOO_LONG)
def test_a_name_that_data_made_too_long_fails_its_step_with_a_sentence(
    acme: Tenant, ann: Membership, host: Host, config: dict[str, Any], pointer: str
) -> None:
    task_of(queue_run(acme, ask(**config), input={"who": "x" * 300}))
    run_id = queue_run(acme, ask(**config), input={"who": "x" * 301})
    assert wait_until_over(run_id) == ["failed"]
    error = get_run(run_id).error
    assert error["code"] == "CONFIG_INVALID"
    assert error["message"].startswith(pointer)
    assert "at most 300 characters" in error["message"]


def test_the_longest_name_a_person_may_have_is_kept(acme: Tenant, ann: Membership, host: Host) -> None:
    with unscoped("tests look everywhere"):
        User.objects.filter(id=ann.user_id).update(first_name="a" * 150, last_name="b" * 150)
        ann.refresh_from_db()
    run_id = queue_run(acme, ask(assignee_ref="finance"))
    task = task_of(run_id)
    ended = decide(ann, delegate_task(tenant=acme, person=person(ann), task_id=task.id, to=ann.id))
    assert ended.decided_by_name == ended.asked == "a" * 150 + " " + "b" * 148 + "\u2026"
    assert wait_until_over(run_id) == ["completed"]


SHOWN = {"amount": 12}
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
def test_each_type_goes_its_own_way(acme: Tenant, ann: Membership, host: Host, case: tuple[Any, ...]) -> None:
    config, said, way, data = case
    ports = ["approved", "rejected", "modified"] + (["express"] if config["task_type"] == "choice" else [])
    run_id = queue_run(acme, ask(*(f"{port} -> {port}_way" for port in ports), **config), input=SHOWN)
    decide(ann, task_of(run_id), **said)
    assert wait_until_over(run_id) == ["completed"]
    output = get_run(run_id).output
    assert list(output) == [f"{way}_way"]
    told = output[f"{way}_way"]["told"]
    assert (told["decision"], told["data"], told["choice"]) == (said["decision"], data, said.get("choice"))


def test_what_a_review_only_shows_is_changed_by_nobody(acme: Tenant, ann: Membership, host: Host) -> None:
    amount = {"type": "integer", "readOnly": True}
    form = {"type": "object", "properties": {"note": {"type": "string"}, "amount": amount}}
    run_id = queue_run(acme, ask("modified -> yes", task_type="review", form=form), input={"note": "x", **SHOWN})
    for data in ({"note": "y", "amount": 500}, {"note": "y"}):
        with pytest.raises(AnswerInvalid) as refused:
            decide(ann, task_of(run_id), "modified", data=data)
        assert [(one.pointer, one.code) for one in refused.value.errors] == [("/data/amount", "READ_ONLY")]
    decide(ann, task_of(run_id), "modified", data={"note": "y", **SHOWN})
    assert wait_until_over(run_id) == ["completed"]


def test_who_modifies_is_asked_again_in_the_next_round(acme: Tenant, ann: Membership, host: Host) -> None:
    looping = document(
        {"draft": {"expression": "input"}, "ask:human_task": {"task_type": "review"}, "end": {"expression": "input"}},
        ["draft -> ask", "ask.modified -> again", "again -> ask", "ask.approved -> end"],
    )
    looping["steps"].append({"step_id": "again", "type": "transform", "config": {"expression": "input.data"}})
    run_id = queue_run(acme, looping, input={"text": "one"})
    decide(ann, task_of(run_id), "modified", data={"text": "two"})
    second = task_of(run_id, activation=2)
    assert second.data == {"text": "two"}
    decide(ann, second, "modified", data={"text": "three"})
    decide(ann, task_of(run_id, activation=3), "approved")
    assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output["data"] == {"text": "three"}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_three_are_open_at_once_and_answered_in_any_order(
    acme: Tenant, ann: Membership, host: Host, order: tuple[int, ...]
) -> None:
    names = ["one", "two", "three"]
    asking = {f"{name}:human_task": {} for name in names}
    into = [f"split.branch_{number} -> {name}" for number, name in enumerate(names, 1)]
    out = [f"{name}.approved -> join.branch_{number}" for number, name in enumerate(names, 1)]
    parallel = document({"split:parallel_split": {"branches": 3}, **asking, "join:parallel_join": {}}, [*into, *out])
    run_id = queue_run(acme, parallel)
    tasks = [task_of(run_id, name) for name in names]
    wait_for(lambda: is_parked(run_id))
    assert {wait["ref"] for wait in get_run(run_id).waiting_for} == {"one#1", "two#1", "three#1"}
    for number in order:
        assert get_run(run_id).status != "completed"
        decide(ann, tasks[number], comment=names[number])
    assert wait_until_over(run_id) == ["completed"]
    assert [arrived["comment"] for arrived in get_run(run_id).output] == names


def test_other_branches_go_on_while_one_asks(acme: Tenant, ann: Membership, host: Host) -> None:
    beside = document(
        {"split:parallel_split": {}, "ask:human_task": {}, "work": {"expression": "1 + 1"}, "join:parallel_join": {}},
        ["split.branch_1 -> ask", "split.branch_2 -> work", "ask.approved -> join.branch_1", "work -> join.branch_2"],
    )
    run_id = queue_run(acme, beside)
    task = task_of(run_id)
    wait_for(lambda: is_parked(run_id))
    assert "step.completed work" in event_types(run_id)
    decide(ann, task)
    assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output[1] == 2


def test_what_nobody_waits_for_any_more_is_closed(acme: Tenant, ann: Membership, host: Host) -> None:
    asking = {"ask:human_task": {}, "also:human_task": {}}
    into = ["split.branch_1 -> ask", "split.branch_2 -> also"]
    out = ["ask.approved -> join.branch_1", "also.approved -> join.branch_2"]
    first_wins = document(
        {"split:parallel_split": {}, **asking, "join:parallel_join": {"merge_strategy": "any"}}, [*into, *out]
    )
    run_id = queue_run(acme, first_wins)
    other = task_of(run_id, "also")
    decide(ann, task_of(run_id))
    assert wait_until_over(run_id) == ["completed"]
    assert "step.skipped also" in event_types(run_id)
    assert task_of(run_id, "also").status == TaskStatus.CANCELLED
    assert other.is_open, "it was open before"


def test_a_cancelled_run_closes_its_tasks(acme: Tenant, ann: Membership, host: Host) -> None:
    run_id = queue_run(acme, ask())
    assert task_of(run_id).is_open
    wait_for(lambda: is_parked(run_id))
    command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.CANCEL)
    assert wait_until_over(run_id) == ["cancelled"]
    assert task_of(run_id).status == TaskStatus.CANCELLED


def test_who_claims_is_in_the_journal_and_the_run_parks_again(acme: Tenant, ann: Membership, host: Host) -> None:
    run_id = queue_run(acme, ask())
    task = task_of(run_id)
    wait_for(lambda: is_parked(run_id))
    claim_task(tenant=acme, person=person(ann), task_id=task.id)
    wait_for(lambda: "human.task_assigned ask" in event_types(run_id) and is_parked(run_id))
    told = next(event.payload for event in events_of(run_id) if event.type == "human.task_assigned")
    assert told["claimed_by"] == {"member_id": str(ann.id), "name": "Ann"}
    decide(ann, task)
    assert wait_until_over(run_id) == ["completed"]


def test_a_paused_run_takes_the_answer_and_goes_on_once_it_is_resumed(
    acme: Tenant, ann: Membership, host: Host
) -> None:
    run_id = queue_run(acme, ask())
    task = task_of(run_id)
    wait_for(lambda: is_parked(run_id))
    command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.PAUSE)
    wait_for(lambda: get_run(run_id).status == "paused")
    decide(ann, task)
    wait_for(lambda: "step.completed ask" in event_types(run_id) and get_run(run_id).status == "paused")
    assert "step.started yes" not in event_types(run_id)
    command_run(tenant=acme, actor="user:1", run_id=run_id, command=SignalKind.RESUME)
    assert wait_until_over(run_id) == ["completed"]


def test_waiting_for_people_is_not_charged_to_the_runs_time(acme: Tenant, ann: Membership, host: Host) -> None:
    run_id = queue_run(acme, ask(), timeout_seconds=2.0)
    task = task_of(run_id)
    wait_for(lambda: is_parked(run_id))
    left = get_run(run_id).seconds_left
    assert left is not None
    assert 0 < left <= 2
    time.sleep(2.5)
    assert is_parked(run_id), "its time stands still"
    decide(ann, task)
    assert wait_until_over(run_id) == ["completed"]


def test_a_replay_from_behind_a_decision_asks_nobody_again(acme: Tenant, ann: Membership, host: Host) -> None:
    run_id = queue_run(acme, ask())
    decide(ann, task_of(run_id))
    assert wait_until_over(run_id) == ["completed"]
    replayed = replay_run(tenant=acme, actor="user:1", run_id=run_id, from_activation="yes#1").run.id
    assert wait_until_over(replayed) == ["completed"]
    again = replay_run(tenant=acme, actor="user:1", run_id=run_id, from_activation="ask#1").run.id
    task = task_of(again)
    assert task.is_open, "from the step itself on, it asks"
    decide(ann, task)
    assert wait_until_over(again) == ["completed"]
