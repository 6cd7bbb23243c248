"""Who may do what with a task, and what a decision does: pure."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from humantasks import forms, rules
from humantasks.rules import Person, TaskFacts, Vote
from humantasks.types import MISSING, TaskAnswer

ANN, BOB = UUID(int=1), UUID(int=2)
ann = Person("member:1", "Ann", "reviewer", ANN, frozenset({"finance"}))
bob = Person("member:2", "Bob", "reviewer", BOB, frozenset({"legal"}))
boss = Person("member:3", "Boss", "admin", UUID(int=3))
auditor = Person("member:4", "Otto", "auditor", UUID(int=4), frozenset({"finance"}))
program = Person("key:x", "canvas", "program")
stand_in = Person("member:5", "Sue", "reviewer", UUID(int=5), frozenset(), frozenset({ANN}))

OPEN = TaskFacts(status="open", task_type="approval")
OF_ANN = replace(OPEN, assignee_id=ANN)
OF_FINANCE = replace(OPEN, candidate_groups=frozenset({"finance"}))
OF_ALL = replace(OPEN, is_for_all=True)


def reason(refusal: Any) -> str | None:
    return None if refusal is None else refusal.reason


@pytest.mark.parametrize(
    ("facts", "asked"),
    [(OF_ANN, {"Ann", "Sue"}), (OF_FINANCE, {"Ann"}), (OF_ALL, {"Ann", "Bob", "Boss", "Sue", "canvas"}), (OPEN, set())],
)
def test_who_is_asked(facts: TaskFacts, asked: set[str]) -> None:
    people = (ann, bob, boss, auditor, program, stand_in)
    assert {one.name for one in people if rules.is_asked(facts, one)} == asked
    sees = {one.name for one in people if rules.may_see(facts, one)}
    assert sees == asked | {"Boss", "Otto", "canvas"}, "admins, auditors and programs see everything"
    decides = {one.name for one in people if rules.may_decide(facts, one) is None}
    assert decides == asked | {"Boss", "canvas"}, "nothing is ever undecidable to all"


def test_who_holds_it_decides_it_alone_and_gives_it_back() -> None:
    held = replace(OF_ALL, claimed_by=ANN)
    assert rules.may_claim(OF_ALL, ann) is None
    assert rules.may_claim(held, ann) is None, "claiming again"
    assert reason(rules.may_claim(held, bob)) == "not_yours"
    assert rules.may_decide(held, ann) is None
    assert reason(rules.may_decide(held, bob)) == "not_yours"
    assert rules.may_release(held, ann) is None
    assert rules.may_release(held, boss) is None
    assert reason(rules.may_release(held, bob)) == "not_yours"
    assert reason(rules.may_release(OF_ALL, ann)) == "not_claimed"
    assert reason(rules.may_claim(OF_ALL, program)) == "program"


def test_who_holds_it_sees_it_also_when_they_are_asked_no_more() -> None:
    held = replace(OF_FINANCE, claimed_by=BOB)
    assert rules.may_see(held, bob)
    assert rules.may_decide(held, bob) is None
    assert not rules.may_see(OF_FINANCE, bob)


def test_whoever_started_the_run_may_not_decide_nor_be_handed_it() -> None:
    facts = replace(OF_ALL, four_eyes=True, started_by=ann.actor)
    assert reason(rules.may_decide(facts, ann)) == "four_eyes"
    assert reason(rules.may_claim(facts, ann)) == "four_eyes"
    assert reason(rules.may_delegate(facts, bob, ann)) == "four_eyes"
    assert rules.may_decide(facts, bob) is None
    assert rules.may_decide(replace(facts, four_eyes=False), ann) is None
    assert reason(rules.may_decide(replace(facts, started_by="key:x"), program)) == "four_eyes"
    assert reason(rules.may_decide(replace(facts, started_by=boss.actor), boss)) == "four_eyes", "admins too"


def test_it_is_handed_on_to_who_can_decide() -> None:
    assert rules.may_delegate(OF_FINANCE, ann, bob) is None
    assert reason(rules.may_delegate(OF_FINANCE, ann, auditor)) == "cannot_take"
    assert reason(rules.may_delegate(OF_FINANCE, bob, ann)) == "not_asked"
    assert reason(rules.may_delegate(replace(OF_ALL, claimed_by=ANN), bob, stand_in)) == "not_yours"
    assert rules.may_delegate(replace(OF_ALL, claimed_by=ANN), boss, bob) is None
    assert reason(rules.may_delegate(replace(OF_ALL, voters=2, needed=2), ann, bob)) == "many_decide"


@pytest.mark.parametrize("status", ["completed", "timed_out", "cancelled"])
def test_nothing_is_done_with_what_is_over(status: str) -> None:
    over = replace(OF_ALL, status=status, claimed_by=ANN)
    found = [rules.may_claim(over, ann), rules.may_release(over, ann), rules.may_decide(over, ann)]
    assert [reason(one) for one in [*found, rules.may_delegate(over, ann, bob)]] == ["over"] * 4


def votes(*decisions: str) -> list[Vote]:
    return [Vote(f"member:{number}", decision) for number, decision in enumerate(decisions)]


@pytest.mark.parametrize(
    ("needed", "voters", "decisions", "ended"),
    [
        (1, 1, ["approved"], "approved"),
        (1, 1, ["rejected"], "rejected"),
        (2, 2, ["approved"], None),
        (2, 2, ["approved", "approved"], "approved"),
        (2, 2, ["rejected"], "rejected"),
        (2, 2, ["approved", "rejected"], "rejected"),
        (2, 3, ["rejected"], None),
        (2, 3, ["rejected", "approved"], None),
        (2, 3, ["rejected", "approved", "approved"], "approved"),
        (2, 3, ["rejected", "rejected"], "rejected"),
        (2, 5, ["rejected", "rejected", "rejected"], None),
        (2, 5, ["rejected", "rejected", "rejected", "rejected"], "rejected"),
        (3, 3, ["approved", "modified"], "modified"),
        (1, 1, [], None),
    ],
)
def test_a_quorum_ends_as_soon_as_it_is_sure(needed: int, voters: int, decisions: list[str], ended: str | None) -> None:
    assert rules.tally(replace(OF_ALL, needed=needed, voters=voters), votes(*decisions)) == ended


def test_nobody_decides_twice_and_nobody_claims_what_many_decide() -> None:
    facts = replace(OF_ALL, needed=2, voters=3, votes=(Vote(ann.actor, "approved"),))
    assert reason(rules.may_decide(facts, ann)) == "decided_already"
    assert rules.may_decide(facts, bob) is None
    assert reason(rules.may_claim(facts, bob)) == "many_decide"


FORM = {"type": "object", "properties": {"amount": {"type": "number", "maximum": 10}}, "required": ["amount"]}


@pytest.mark.parametrize(
    ("task_type", "answer", "found"),
    [
        ("approval", TaskAnswer("approved"), []),
        ("approval", TaskAnswer("modified"), [("/decision", "DECISION_UNKNOWN"), ("/data", "REQUIRED")]),
        ("approval", TaskAnswer("approved", {"a": 1}), [("/data", "NOT_OF_THIS_TYPE")]),
        ("approval", TaskAnswer("approved", choice="x"), [("/choice", "NOT_OF_THIS_TYPE")]),
        ("approval", TaskAnswer("approved", comment="x" * 10_001), [("/comment", "TOO_LONG")]),
        ("review", TaskAnswer("approved"), []),
        ("review", TaskAnswer("modified", {"amount": 3}), []),
        ("review", TaskAnswer("modified"), [("/data", "REQUIRED")]),
        ("review", TaskAnswer("modified", {"amount": 30}), [("/data/amount", "MAXIMUM")]),
        ("review", TaskAnswer("modified", {}), [("/data/amount", "REQUIRED")]),
        ("review", TaskAnswer("modified", None), [("/data", "TYPE")]),
        ("input", TaskAnswer("approved", {"amount": 3}), []),
        ("input", TaskAnswer("approved"), [("/data", "REQUIRED")]),
        ("input", TaskAnswer("rejected", {"amount": 3}), [("/decision", "DECISION_UNKNOWN")]),
        ("choice", TaskAnswer("approved", choice="red"), []),
        ("choice", TaskAnswer("approved"), [("/choice", "REQUIRED")]),
        ("choice", TaskAnswer("approved", choice="green"), [("/choice", "ENUM")]),
    ],
)
def test_an_answer_fits_or_every_misfit_is_told(
    task_type: str, answer: TaskAnswer, found: list[tuple[str, str]]
) -> None:
    facts = replace(OF_ALL, task_type=task_type, choices=("red", "blue"), form=FORM)
    violations = forms.check("acme", FORM, answer.data) if rules.brings_data(task_type, answer) else ()
    assert [(item.pointer, item.code) for item in rules.problems(facts, answer, violations)] == found


def test_what_goes_on_is_what_was_shown_or_what_was_made_of_it() -> None:
    shown = {"amount": 3}
    assert rules.settled_data("approval", shown, TaskAnswer("approved")) == shown
    assert rules.settled_data("review", shown, TaskAnswer("rejected")) == shown
    assert rules.settled_data("review", shown, TaskAnswer("modified", {"amount": 1})) == {"amount": 1}
    assert rules.settled_data("input", shown, TaskAnswer("approved", {"amount": 2})) == {"amount": 2}
    assert TaskAnswer("approved").data is MISSING


def test_a_choice_leaves_by_its_own_port_where_there_is_one() -> None:
    assert rules.port_of("approved", "red", ["approved", "red"]) == "red"
    assert rules.port_of("approved", "blue", ["approved", "red"]) == "approved"
    assert rules.port_of("rejected", None, ["rejected"]) == "rejected"
