"""What a human_task's config may say, found when a segment is saved: beside each flaw the same segment without it."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from segments.validation import KnownNames, validate
from tests.conftest import Customer, make_customer
from tests.support.stand_in_catalog import stand_in_catalog
from tests.support.tasks import ask, make_member

Api = Callable[[Customer], APIClient]
EDGES = ("approved -> yes", "rejected -> no", "timeout -> late")


def judged(*edges: str, people: set[str] | None = None, **config: Any) -> list[tuple[str, str, str]]:
    found = validate(ask(*(edges or EDGES), **config), stand_in_catalog(), KnownNames(people=people)).findings
    return [(one.severity, one.code, one.pointer) for one in found]


def flaw(pointer: str = "", code: str = "SCHEMA_VIOLATION") -> tuple[str, str, str]:
    return ("error", code, f"/steps/0/config{pointer}")


def test_a_blank_choice_of_words_is_told_to_be_blank() -> None:
    def told(priority: str) -> list[str]:
        asked = ask(*EDGES, task_type="approval", priority=priority)
        return [one.message for one in validate(asked, stand_in_catalog()).findings if one.severity == "error"]

    assert told("high") == []
    assert told("") == ["'priority': This is blank: leave it out, or write 'low', 'normal', 'high' or 'urgent'."]
    assert told("asap") == ["'priority': Input should be 'low', 'normal', 'high' or 'urgent'."]


CHOICE = {"task_type": "choice", "choices": ["red", "blue"]}
REVIEW = {"task_type": "review"}
APPROVAL = {"task_type": "approval"}
TWO_OF_THREE = {**REVIEW, "quorum": {"approvals": 2, "of": 3}}


@pytest.mark.parametrize(
    ("good", "flawed", "found"),
    [
        (CHOICE, {"task_type": "choice"}, flaw()),
        (CHOICE, {**CHOICE, "choices": []}, flaw("/choices")),
        (CHOICE, {**CHOICE, "task_type": "approval"}, flaw()),
        ({**REVIEW, "form": {"type": "object"}}, {**REVIEW, "form": {"type": "objekt"}}, flaw("/form/type")),
        (
            {**REVIEW, "form": {"type": "object"}},
            {**REVIEW, "form": {"$ref": "https://a.example"}},
            flaw("/form/$ref", "NOT_AVAILABLE"),
        ),
        ({**REVIEW, "form": {"type": "object"}}, {"task_type": "approval", "form": {"type": "object"}}, flaw()),
        ({**REVIEW, "quorum": {"approvals": 2}}, {**CHOICE, "quorum": {"approvals": 2}}, flaw()),
        (
            {**REVIEW, "quorum": {"approvals": 2, "of": 3}},
            {**REVIEW, "quorum": {"approvals": 2, "of": 1}},
            flaw("/quorum"),
        ),
        ({**REVIEW, "quorum": {"approvals": 1}}, {**REVIEW, "quorum": {"approvals": 0}}, flaw("/quorum/approvals")),
        ({"task_type": "approval", "timeout_hours": 1}, {"task_type": "approval", "timeout_hours": 0}, flaw()),
        (
            {"task_type": "approval", "priority": "high"},
            {"task_type": "approval", "priority": "asap"},
            flaw("/priority"),
        ),
        ({"task_type": "approval", "title": "x" * 300}, {"task_type": "approval", "title": "x" * 301}, flaw()),
        (
            {**APPROVAL, "assignee_ref": "x" * 300},
            {**APPROVAL, "assignee_ref": "x" * 301},
            flaw("/assignee_ref"),
        ),
        (
            {**APPROVAL, "candidate_groups": ["x" * 300] * 60},
            {**APPROVAL, "candidate_groups": ["x" * 300] * 59 + ["x" * 301]},
            flaw("/candidate_groups/59"),
        ),
        (
            {**APPROVAL, "escalation_chain": ["x" * 300]},
            {**APPROVAL, "escalation_chain": ["x" * 301]},
            flaw("/escalation_chain/0"),
        ),
        ({**CHOICE, "choices": ["x" * 300]}, {**CHOICE, "choices": ["x" * 301]}, flaw("/choices/0")),
        (
            {"task_type": "approval", "escalation_chain": ["a"], "on_timeout": "escalate"},
            {"task_type": "approval", "on_timeout": "escalate"},
            flaw(),
        ),
        (
            {"task_type": "approval", "on_timeout": "timeout"},
            {"task_type": "approval", "on_timeout": "nowhere"},
            flaw("/on_timeout", "UNKNOWN_PORT"),
        ),
        (
            {"task_type": "approval", "on_timeout": "rejected"},
            {"task_type": "approval", "on_timeout": "modified"},
            flaw("/on_timeout", "UNKNOWN_PORT"),
        ),
    ],
)
def test_what_could_not_work_is_an_error(
    good: dict[str, Any], flawed: dict[str, Any], found: tuple[str, str, str]
) -> None:
    assert [one for one in judged(**good) if one[0] == "error"] == []
    assert found in judged(**flawed)


@pytest.mark.parametrize("field", ["assignee_ref", "candidate_groups", "escalation_chain", "choices"])
def test_a_long_template_may_give_a_short_name(field: str) -> None:
    def with_name(name: str) -> dict[str, Any]:
        return {**(CHOICE if field == "choices" else APPROVAL), field: name if field == "assignee_ref" else [name]}

    template = "{{ input.who or '" + "x" * 290 + "' }}"
    assert len(template) > 300
    assert [one for one in judged(**with_name(template)) if one[0] == "error"] == []
    assert [one for one in judged(**with_name("x" * len(template))) if one[0] == "error"]


def test_who_is_unknown_is_a_warning_with_a_suggestion() -> None:
    config = {"task_type": "approval", "assignee_ref": "finanse", "escalation_chain": ["BOSS@acme.example", "gone"]}
    people = {"finance", "boss@acme.example"}
    unknown = [one for one in judged(people=people, **config) if one[1] == "UNKNOWN_ASSIGNEE"]
    assert unknown == [
        ("warning", "UNKNOWN_ASSIGNEE", "/steps/0/config/assignee_ref"),
        ("warning", "UNKNOWN_ASSIGNEE", "/steps/0/config/escalation_chain/1"),
    ]
    assert not [one for one in judged(**config) if one[1] == "UNKNOWN_ASSIGNEE"], "nobody's people: not looked at"
    assert not [
        one for one in judged(people=people, task_type="approval", assignee_ref="{{ who }}") if "ASSIGNEE" in one[1]
    ]


def test_a_choice_has_a_port_of_its_name_where_an_edge_leaves_by_it() -> None:
    assert [one for one in judged("approved -> yes", "red -> stop", **CHOICE) if one[0] == "error"] == []
    wrong = judged("approved -> yes", "green -> stop", **CHOICE)
    assert ("error", "UNKNOWN_PORT", "/edges/1/from_port") in wrong
    assert ("error", "UNKNOWN_PORT", "/edges/1/from_port") in judged(
        "approved -> yes", "red -> stop", task_type="approval"
    )


def test_the_api_knows_the_tenants_people(db: None, api: Api) -> None:
    acme, globex = make_customer("acme", "Acme"), make_customer("globex", "Globex")
    make_member(acme.tenant, "ann", "finance")
    segment = ask(task_type="approval", assignee_ref="finance", candidate_groups=["ann@acme.example"])
    for customer, codes in ((acme, set()), (globex, {"UNKNOWN_ASSIGNEE"})):
        verdict = api(customer).post("/api/v1/segments/validate", segment).json()
        assert verdict["valid"]
        assert {one["code"] for one in verdict["findings"]} == codes


def test_a_human_task_is_not_tried_out_alone(db: None, api: Api) -> None:
    refused = api(make_customer("acme", "Acme")).post("/api/v1/catalog/human_task/test", {"config": {}})
    assert (refused.status_code, refused.json()["code"]) == (422, "NOT_AVAILABLE")
    assert "real people" in refused.json()["detail"]
