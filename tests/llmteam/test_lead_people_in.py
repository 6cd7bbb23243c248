"""Addresses that people enter lead where they expect, and nowhere is said in words."""

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from tenants.models import Membership
from tests.conftest import Customer
from tests.support.inbox import a_member, client_of


@pytest.fixture
def ann(acme: Customer) -> Membership:
    return a_member(acme.tenant, "ann")


def test_the_bare_host_leads_members_to_their_inbox_and_operators_to_the_console(
    ann: Membership, admin_client: Client
) -> None:
    assert client_of(ann).get("/")["Location"] == "/inbox/"
    assert admin_client.get("/")["Location"] == "/admin/"
    stranger = Client().get("/", follow=True)
    assert stranger.redirect_chain[-1][0].startswith("/sign-in/")
    assert stranger.status_code == 200


@pytest.mark.parametrize(
    ("entered", "led"),
    [
        ("/inbox", "/inbox/"),
        ("/inbox?box=done", "/inbox/?box=done"),
        ("/admin", "/admin/"),
        ("/sign-in", "/sign-in/"),
        ("/inbox/absence", "/inbox/absence/"),
    ],
)
def test_a_missing_slash_is_no_dead_end(client: Client, entered: str, led: str) -> None:
    answer = client.get(entered)
    assert (answer.status_code, answer["Location"]) == (302, led)


def test_nothing_is_a_page_for_people_and_a_problem_for_programs(client: Client, db: None) -> None:
    page = client.get("/nowhere")
    assert page.status_code == 404
    assert "There is nothing at this address" in page.text
    assert "style-src 'self'" in page["Content-Security-Policy"]
    assert client.post("/inbox").status_code == 404
    problem = client.get("/api/v1/nowhere")
    assert problem.json()["code"] == "ROUTE_NOT_FOUND"


def test_every_page_has_an_icon(client: Client, db: None) -> None:
    assert client.get("/favicon.ico")["Location"] == "/static/inbox/icon.svg"
    assert finders.find("inbox/icon.svg")
    assert 'rel="icon"' in client.get("/sign-in/").text
    assert "inbox/icon.svg" in client.get("/admin/login/").text
