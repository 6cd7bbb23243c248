"""A reviewer's day in Chromium, on a wide screen and on a phone: every page is looked at on the way."""

# ruff: noqa: RUF001 - Russian looks alike here and there

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import DEVICES, Visitor
from tests.support.desk import Desk
from tests.support.refund_desk import ORDER, refund_desk

Visit = Callable[..., AbstractContextManager[Visitor]]
every_device = pytest.mark.parametrize("device", list(DEVICES))


@every_device
def test_a_reviewer_claims_is_refused_bad_data_decides_and_the_run_goes_on(
    desk: Desk, visit: Visit, device: str
) -> None:
    title = f"Refund order 20417, {device}?"
    asked = {"title": title, "priority": "high", "description": "The customer waits.\n\nLook at the letter first."}
    with visit("ann", device, "finance") as visitor:
        page = visitor.page
        run = desk.start(refund_desk(candidate_groups=["finance"], **asked))
        visitor.go("/inbox/?box=groups")
        visitor.look("list")
        page.get_by_role("link", name=title).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        visitor.look("task")
        page.get_by_role("button", name="Claim").click()
        expect(page.get_by_role("button", name="Release")).to_be_visible()
        visitor.look("claimed")
        page.get_by_text("Change the data").click()
        page.get_by_label("Refund, EUR").fill("a lot")
        page.get_by_label("Comment").fill("half of it")
        with visitor.refused(422):
            page.get_by_role("button", name="Approve with changes").click()
            expect(page.get_by_text("This cannot be sent yet")).to_be_visible()
            visitor.look("refused")
        assert visitor.focused().startswith("This cannot be sent yet")
        assert page.get_by_label("Refund, EUR").input_value() == "a lot"
        assert page.get_by_label("Comment").input_value() == "half of it"
        page.get_by_role("link", name="Refund, EUR: Write a number").click()
        assert visitor.focused() == "data/amount"
        page.get_by_label("Refund, EUR").fill("6225,25")
        page.get_by_role("button", name="Approve with changes").click()
        expect(page.get_by_text(re.compile("^Changed: .* The run goes on."))).to_be_visible()
        visitor.look("decided")
        assert desk.end(run)["output"]["pay"] == {**ORDER, "amount": 6225.25}
        page.get_by_role("link", name="Done").click()
        page.get_by_role("link", name=title).click()
        expect(page.get_by_text("half of it")).to_be_visible()
        visitor.look("over")
        page.get_by_role("link", name="See the picture of the run").click()
        expect(page.get_by_role("heading", name="Refund desk")).to_be_visible()
        visitor.look("run")
        visitor.go("/inbox/absence/")
        visitor.look("absence")
        assert len(visitor.seen) == 8


@every_device
def test_a_choice_and_an_input_are_answered(desk: Desk, visit: Visit, device: str) -> None:
    choices = [{"value": "refund", "label": "Refund the customer"}, {"value": "replace", "label": "Send a new one"}]
    with visit("cy", device, f"cy_{device}") as visitor:
        page = visitor.page
        chosen = desk.start(refund_desk(task_type="choice", form=None, choices=choices, assignee_ref=f"cy_{device}"))
        asked = {
            "type": "object",
            "properties": {"when": {"type": "string", "format": "date", "title": "Call back on"}},
        }
        filled = desk.start(
            refund_desk(task_type="input", form={**asked, "required": ["when"]}, assignee_ref=f"cy_{device}")
        )
        visitor.go("/inbox/?box=groups")
        page.get_by_role("listitem").filter(has_text="choice").get_by_role("link").click()
        with visitor.refused(422):
            page.get_by_role("button", name="Send the choice").click()
            expect(page.get_by_role("link", name="Choose one of the values.")).to_be_visible()
        page.get_by_label("Send a new one").check()
        visitor.look("choice")
        page.get_by_role("button", name="Send the choice").click()
        expect(page.get_by_text(re.compile("^Send a new one: .* The run goes on."))).to_be_visible()
        page.get_by_role("link", name="My groups").click()
        page.get_by_role("listitem").filter(has_text="input").get_by_role("link").click()
        with visitor.refused(422):
            page.get_by_role("button", name="Send").click()
            expect(page.get_by_role("link", name="Call back on: This is required.")).to_be_visible()
            visitor.look("input")
        page.get_by_label("Call back on").fill("2026-12-24")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text(re.compile("^Sent: .* The run goes on."))).to_be_visible()
    desk.end(chosen)
    assert desk.end(filled)["output"]["pay"] == {"when": "2026-12-24"}


def test_a_decision_takes_nothing_but_a_keyboard(desk: Desk, visit: Visit) -> None:
    title = "Refund by keyboard?"
    with visit("kim", "desktop", "keys") as visitor:
        run = desk.start(refund_desk(task_type="approval", form=None, title=title, assignee_ref="keys"))
        visitor.go("/inbox/")
        visitor.tab_to("My groups")
        assert visitor.shows_focus()
        visitor.page.keyboard.press("Enter")
        expect(visitor.page.get_by_role("link", name=title)).to_be_visible()
        visitor.tab_to(title)
        assert visitor.shows_focus()
        visitor.page.keyboard.press("Enter")
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text(title)
        visitor.tab_to("comment")
        visitor.page.keyboard.type("typed, never clicked")
        visitor.page.keyboard.press("Enter")
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text(title)
        visitor.tab_to("Reject")
        assert visitor.shows_focus()
        visitor.page.keyboard.press("Enter")
        expect(visitor.page.get_by_text(re.compile("^Rejected: .* The run goes on."))).to_be_visible()
        assert title in visitor.focused()
    assert desk.end(run)["output"] == {"close": {"closed": True}}


def test_enter_in_a_field_decides_nothing(desk: Desk, visit: Visit) -> None:
    with visit("lee", "desktop", "enter") as visitor:
        run = desk.start(refund_desk(title="Enter?", assignee_ref="enter"))
        visitor.go("/inbox/?box=groups")
        visitor.page.get_by_role("link", name="Enter?").click()
        visitor.page.get_by_text("Change the data").click()
        visitor.page.get_by_label("Refund, EUR").press("Enter")
        visitor.page.wait_for_timeout(500)
        assert desk.state(run)["status"] == "waiting"


def test_deciding_works_without_javascript(desk: Desk, visit: Visit) -> None:
    with visit("jo", "desktop", "plain", java_script_enabled=False) as visitor:
        run = desk.start(refund_desk(title="Refund without scripts?", assignee_ref="plain"))
        page = visitor.page
        visitor.go("/inbox/?box=groups")
        page.get_by_role("link", name="Refund without scripts?").click()
        page.get_by_role("button", name="Claim").click()
        page.get_by_text("Change the data").click()
        page.get_by_label("Refund, EUR").fill("0")
        with visitor.refused(422):
            page.get_by_role("button", name="Approve with changes").click()
        expect(page.locator("p.error")).to_have_text("This must be at least 1.")
        page.get_by_label("Refund, EUR").fill("100")
        page.get_by_role("button", name="Approve with changes").click()
        expect(page.get_by_text(re.compile("^Changed: .* The run goes on."))).to_be_visible()
    assert desk.end(run)["output"]["pay"]["amount"] == 100


@every_device
def test_several_are_decided_together(desk: Desk, visit: Visit, device: str) -> None:
    titles = [f"Refund {number}?" for number in range(3)]
    asked = {"task_type": "approval", "form": None, "assignee_ref": f"many_{device}"}
    with visit("max", device, f"many_{device}") as visitor:
        runs = [desk.start(refund_desk(title=title, **asked)) for title in titles]
        page = visitor.page
        visitor.go("/inbox/?box=groups")
        for title in titles[:2]:
            page.get_by_label(f"Select {title}").check()
        visitor.look("ticked")
        page.get_by_role("button", name="Decide the selected together").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Decide together")
        visitor.look("together")
        page.get_by_role("button", name="Approve the ticked").click()
        expect(page.get_by_text("2 tasks were decided.")).to_be_visible()
        visitor.look("report")
    assert [desk.end(run)["status"] for run in runs[:2]] == ["completed", "completed"]
    assert desk.state(runs[2])["status"] == "waiting"


@every_device
def test_hostile_data_is_text_and_stays_on_the_page(desk: Desk, visit: Visit, device: str) -> None:
    long = "x" * 250
    hostile: dict[str, Any] = {
        "order_id": 1,
        "<img src=x onerror=alert(1)>": "<script>alert(1)</script>",
        "picture": "https://pictures.test/pixel.png",
        "link": "javascript:alert(1)",
        long: [long, {long: {long: [1, {"deep": {"deeper": {"deepest": long}}}]}}],
        "table": [{"a": "y" * 80, "b": -1e21, "c": None, "d": "y" * 80, "e": True, "f": "2026-11-27"}] * 30,
        "numbers": list(range(60)),
    }
    with visit("eve", device, f"eve_{device}") as visitor:
        run = desk.start(refund_desk(title=f"{long}?", form=None, assignee_ref=f"eve_{device}"), hostile)
        visitor.page.on("dialog", lambda dialog: visitor.complaints.append(dialog.message))
        visitor.go("/inbox/?box=groups")
        visitor.look("hostile-list")
        visitor.page.get_by_role("link", name=long).click()
        expect(visitor.page.get_by_text("Show 10 more rows")).to_be_visible()
        visitor.page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
        visitor.look("hostile")
        visitor.page.get_by_role("button", name="Approve as it is").click()
        expect(visitor.page.get_by_text(re.compile("^Approved: .* The run goes on."))).to_be_visible()
    assert desk.end(run)["output"]["pay"] == hostile


def test_counts_change_while_one_looks(desk: Desk, visit: Visit) -> None:
    with visit("liv") as visitor:
        page = visitor.page
        visitor.go("/inbox/")
        badge = page.locator("[data-count=mine]")
        expect(badge).to_be_hidden()
        page.wait_for_timeout(1_500)
        desk.start(refund_desk(title="Look up!", assignee_ref=visitor.email))
        expect(badge).to_have_text("1")
        expect(page.get_by_role("link", name="The list has changed. Show it again")).to_be_visible()
        visitor.look("news")
        page.get_by_role("link", name="The list has changed. Show it again").click()
        expect(page.get_by_role("link", name="Look up!")).to_be_visible()


@every_device
def test_it_speaks_russian(desk: Desk, visit: Visit, device: str) -> None:
    with visit("ira", device, f"ru_{device}", locale="ru-RU") as visitor:
        desk.start(refund_desk(title="Вернуть деньги за заказ 20417?", assignee_ref=f"ru_{device}", priority="urgent"))
        page = visitor.page
        visitor.go("/inbox/?box=groups")
        expect(page.get_by_role("heading", level=1)).to_have_text("Входящие")
        visitor.look("russian-list")
        page.get_by_role("link", name="Вернуть деньги").click()
        page.get_by_text("Изменить данные").click()
        page.get_by_label("Refund, EUR").fill("много")
        with visitor.refused(422):
            page.get_by_role("button", name="Одобрить с изменениями").click()
            expect(page.get_by_text("Напишите число").first).to_be_visible()
            visitor.look("russian-refused")


@every_device
def test_who_signs_out_is_out(visit: Visit, device: str) -> None:
    with visit("ada", device) as visitor:
        page = visitor.page
        expect(page.get_by_role("banner")).to_contain_text("Acme Returns")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(re.compile(r"^(?!.*/inbox/)"))
        visitor.foreign.clear()  # as in sign_in
        visitor.complaints.clear()
        visitor.go("/inbox/tasks/01890000-0000-7000-8000-000000000000/")
        expect(page).to_have_url(re.compile("/sign-in/"))
        visitor.look("sign-in")


@every_device
def test_the_second_of_two_is_told_who_was_first(desk: Desk, visit: Visit, device: str) -> None:
    group = f"race_{device}"
    with visit("rae", device, group) as rae, visit("sam", device, group) as sam:
        run = desk.start(refund_desk(title="Who is first?", assignee_ref=group))
        for visitor in (rae, sam):
            visitor.go("/inbox/?box=groups")
            visitor.page.get_by_role("link", name="Who is first?").click()
        sam.page.get_by_label("Comment").fill("I was about to approve")
        rae.page.get_by_role("button", name="Reject").click()
        expect(rae.page.get_by_text(re.compile("^Rejected: .* The run goes on."))).to_be_visible()
        with sam.refused(409):
            sam.page.get_by_role("button", name="Approve as it is").click()
            expect(sam.page.get_by_text(re.compile("^Rae Reviewer has decided: Rejected, "))).to_be_visible()
            expect(sam.page.get_by_text("I was about to approve")).to_be_visible()
            sam.look("too-late")
        assert sam.focused().startswith("This was decided already")
        with sam.refused(404):
            sam.go("/inbox/tasks/01890000-0000-7000-8000-000000000000/")
            sam.look("not-there")
    assert desk.end(run)["output"] == {"close": {"closed": True}}
