"""Whatever happens on the way, what somebody has typed stays, and the page says what to do; on screen and phone."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from tests.support.browser import DEVICES, Visitor
from tests.support.desk import Desk
from tests.support.refund_desk import refund_desk

Visit = Callable[..., AbstractContextManager[Visitor]]
every_device = pytest.mark.parametrize("device", list(DEVICES))


def sign_out_everybody() -> None:
    Session.objects.all().delete()


def type_into(visitor: Visitor, title: str) -> None:
    page = visitor.page
    visitor.go("/inbox/?box=groups")
    page.get_by_role("link", name=title).click()
    page.get_by_text("Change the data").click()
    page.get_by_label("Refund, EUR").fill("77")
    page.get_by_label("Comment").fill("typed for an hour")


@every_device
def test_the_end_of_a_session_costs_nothing_that_was_typed(desk: Desk, visit: Visit, device: str) -> None:
    title = f"Refund at the end of the day, {device}?"
    with visit("flo", device, f"ends_{device}") as visitor:
        page = visitor.page
        run = desk.start(refund_desk(title=title, assignee_ref=f"ends_{device}"))
        type_into(visitor, title)
        desk.apart(sign_out_everybody)
        with visitor.refused(401):
            page.get_by_role("button", name="Approve with changes").click()
            expect(page.get_by_text("Your session has ended")).to_be_visible()
            visitor.look("session-ended")
        assert page.get_by_label("Comment").input_value() == "typed for an hour"
        page.get_by_role("link", name="Sign in again").click()
        page.locator("a[href^='/oidc/login/']").click()
        page.locator("input[name=sub]").fill(visitor.email)
        page.locator("button[type=submit]").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        visitor.foreign.clear()  # the provider's own page
        visitor.complaints.clear()
        expect(page.get_by_text("What you typed has been restored")).to_be_visible()
        expect(page.get_by_label("Refund, EUR")).to_have_value("77")
        expect(page.get_by_label("Comment")).to_have_value("typed for an hour")
        visitor.look("typed-again")
        page.get_by_role("button", name="Approve with changes").click()
        expect(page.get_by_text(re.compile("^Changed: .* The run goes on."))).to_be_visible()
    assert desk.end(run)["output"]["pay"]["amount"] == 77


def test_a_list_opened_after_the_end_leads_to_the_sign_in(desk: Desk, visit: Visit) -> None:
    with visit("gil") as visitor:
        visitor.go("/inbox/")
        desk.apart(sign_out_everybody)
        with visitor.refused(401):
            visitor.page.get_by_role("link", name="My groups").click()
            visitor.page.wait_for_url(re.compile(r"/sign-in/\?next="))
        assert "box%3Dgroups" in visitor.page.url


def test_a_refusal_that_is_no_page_and_a_server_that_is_away_leave_the_form(desk: Desk, visit: Visit) -> None:
    title = "Refund over a bad line?"
    with visit("hal", "desktop", "line") as visitor:
        page = visitor.page
        desk.start(refund_desk(title=title, assignee_ref="line"))
        type_into(visitor, title)
        page.route("**/decide/", lambda route: route.fulfill(status=502, body="Bad gateway"))
        with visitor.refused(502):
            page.get_by_role("button", name="Approve with changes").click()
            expect(page.get_by_text("This was not accepted (502)")).to_be_visible()
        page.unroute("**/decide/")
        page.route("**/decide/", lambda route: route.abort())
        page.get_by_role("button", name="Approve with changes").click()
        expect(page.get_by_text("The server cannot be reached")).to_be_visible()
        assert page.get_by_label("Comment").input_value() == "typed for an hour"
        visitor.complaints.clear()  # the browser tells of a request that failed
        page.unroute("**/decide/")
        page.get_by_role("button", name="Approve with changes").click()
        expect(page.get_by_text(re.compile("^Changed: .* The run goes on."))).to_be_visible()


def test_times_are_those_of_the_browser_s_zone(desk: Desk, visit: Visit) -> None:
    with visit("ike", "desktop", "zone", timezone_id="Asia/Tokyo") as visitor:
        desk.start(refund_desk(title="Refund in Tokyo?", assignee_ref="zone"))
        visitor.go("/inbox/?box=groups")
        expect(visitor.page.get_by_text(re.compile("[0-9]:[0-9]{2} JST"))).to_be_visible()
        visitor.go("/inbox/absence/")
        expect(visitor.page.get_by_text("In the zone Asia/Tokyo.").first).to_be_visible()
