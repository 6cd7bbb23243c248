"""Everything that is wrong with an answer is told at once, each at its field, by the same rules as in the API."""

from typing import Any

import pytest

from humantasks.forms import check
from humantasks.inbox.form_builder import form_of
from humantasks.inbox.form_parser import place_problems, problems_in, read_form
from humantasks.types import TaskStatus
from kernel.errors import ErrorItem
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.inbox import a_task, again, client_of, send

ORDER = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "minimum": 1},
        "days": {"type": "integer"},
        "reason": {"type": "string", "minLength": 3},
        "site": {"type": "string", "format": "uri"},
        "at": {"type": "string", "format": "time"},
        "id": {"type": "string", "format": "uuid"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        "address": {
            "anyOf": [
                {"type": "object", "properties": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}}},
                {"type": "null"},
            ]
        },
    },
    "required": ["amount", "reason"],
}
RIGHT = {"data__amount": "5", "data__reason": "damaged", "data__site": "https://example.com/a", "data__at": "10:30"}
WRONG = {
    "data__amount": "0",
    "data__days": "soon",
    "data__reason": "x",
    "data__site": "example",
    "data__at": "25:00",
    "data__id": "7",
    "data__tags": "one",
    "data__address__zip": "12",
    "comment": "x" * 10_001,
}
SENTENCES = [
    "Amount: This must be at least 1.",
    "Days: Write a whole number, for example 12.",
    "Reason: This needs at least 3 characters.",
    "Site: Write a whole address, for example https://example.com/page.",
    "At: Write a time as hour:minute, for example 10:30.",
    "Id: Write an id such as 01a20c5e-0f10-757c-bbf4-2950405a5b83.",
    "Tags: This needs at least 2 entries.",
    "Zip: This does not have the required format.",
    "This is too long.",
]


def test_what_cannot_be_read_and_what_does_not_fit_is_told_together(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant, "input", form=ORDER, data={}), client_of(ann)
    answer = send(browser, task, "approved", **WRONG)
    page = answer.context["page"]
    said = [f"{problem.label}: {problem.text}" if problem.label else problem.text for problem in page.problems]
    assert (answer.status_code, said) == (422, SENTENCES)
    beside = [problem.pointer for problem in problems_in(page.answer.form)]
    assert beside == ["/amount", "/days", "/reason", "/site", "/at", "/id", "/tags", "/address/zip"]
    assert page.answer.comment_problem
    assert again(task).status == TaskStatus.OPEN
    assert send(browser, task, "approved", **RIGHT).status_code == 303
    assert again(task).decisions.get().data["at"] == "10:30:00"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2026-11-29", "29.11.2026"),
        ("date-time", "2026-11-29T10:30:00Z", "yesterday"),
        ("time", "10:30", "half past ten"),
        ("time", "10:30:15", "10:61"),
        ("time", "10:30:00+02:00", "24:00"),
        ("email", "ann@example.com", "ann"),
        ("uri", "https://example.com/a?b=c", "example.com"),
    ],
)
def test_api_and_inbox_judge_formats_alike(name: str, good: str, bad: str) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"x": {"type": "string", "format": name}}}
    reading = read_form(form_of(schema), {"data/x": [good]})
    assert check("acme", schema, {"x": good}) == []
    assert not reading.problems
    assert check("acme", schema, reading.value) == []
    refused = read_form(form_of(schema), {"data/x": [bad]})
    assert [item.code for item in check("acme", schema, {"x": bad})] == ["FORMAT"]
    assert refused.problems or check("acme", schema, refused.value)


def test_of_a_union_the_schema_that_was_meant_is_told() -> None:
    card = {"type": "object", "properties": {"kind": {"const": "card"}, "number": {"type": "string", "minLength": 12}}}
    bill = {"type": "object", "properties": {"kind": {"const": "bill"}, "days": {"type": "integer"}}}
    form = {"properties": {"pay": {"oneOf": [card, bill]}}}
    told = check("acme", form, {"pay": {"kind": "card", "number": "1"}})
    assert [(item.pointer, item.code) for item in told] == [("/data/pay/number", "MINLENGTH")]
    assert [item.code for item in check("acme", form, {"pay": {"kind": "cash"}})] == ["ONEOF"]


def test_a_finding_behind_a_removed_entry_stands_at_its_own() -> None:
    item = {"type": "object", "properties": {"sku": {"type": "string", "minLength": 2}}}
    form = form_of({"properties": {"items": {"type": "array", "items": item}}}, {"items": [{"sku": "aa"}] * 3})
    reading = read_form(form, {"drop/items/0": ["1"], "data/items/2/sku": ["b"]})
    assert reading.value == {"items": [{"sku": "aa"}, {"sku": "b"}]}
    placed, unplaced = place_problems(reading.form, [ErrorItem("MINLENGTH", "short", pointer="/items/1/sku")])
    assert [problem.detail for problem in placed.fields[0].fields[2].fields[0].problems] == ["short"]
    assert not unplaced
