"""The pages on a real server: the reader's language stays with the reader, and programs have none."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test import Client

from tenants.members.services import invite_member
from tests.conftest import Customer
from tests.support.issuer import Issuer, begin, come_back, sign
from tests.support.server import ServerProcess


@pytest.fixture
def caller(transactional_db: None, server: ServerProcess) -> Iterator[httpx.Client]:
    with server.caller() as caller:
        yield caller


def test_each_page_speaks_the_language_of_who_reads_it(acme: Customer, caller: httpx.Client) -> None:
    russian = {"Accept-Language": "ru"}
    for headers, word in [
        (russian, "Войти"),
        ({}, "Sign in"),
        (russian, "Войти"),
        ({"Accept-Language": "fr"}, "Sign in"),
    ]:
        page = caller.get("/sign-in/", headers=headers)
        assert page.status_code == 200
        assert f"<h1>{word}</h1>" in page.text
        assert page.headers["Content-Language"] == ("ru" if word == "Войти" else "en")
    told = caller.get("/api/v1/me", headers={**russian, "Authorization": f"Bearer {acme.key}"})
    assert told.status_code == 200
    assert "Content-Language" not in told.headers
    assert caller.get("/static/pages/pages.css").status_code == 200


def test_members_are_sent_to_sign_in_and_strangers_get_no_session_for_it(acme: Customer, caller: httpx.Client) -> None:
    assert caller.get("/sign-in/tenant/").headers["Location"].startswith("/sign-in/?next=")
    assert caller.get("/oidc/login/").status_code == 404
    assert caller.get("/oidc/callback/?state=x&code=y").status_code == 400
    assert "sessionid" not in caller.cookies


@pytest.mark.django_db(transaction=True)
def test_of_any_number_who_show_one_state_at_once_one_is_let_in(acme: Customer, issuer: Issuer) -> None:
    invite_member(tenant=acme.tenant, actor="system", email="ann@acme.example", role="reviewer", groups=[])
    client = Client()
    begun = begin(client)
    userinfo = {"sub": "sub-ann", "email": "ann@acme.example", "email_verified": True}
    code = issuer.code_for(begun, sign(issuer.claims(begun, "sub-ann")), userinfo=userinfo)
    answers: list[Any] = []
    together = threading.Barrier(6)

    def show() -> None:
        twin = Client()
        twin.cookies = client.cookies.copy()  # type: ignore[assignment]  # the same browser in many windows
        together.wait()
        answers.append(come_back(twin, begun, code).status_code)
        connection.close()

    threads = [threading.Thread(target=show) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [302] + [400] * 5
