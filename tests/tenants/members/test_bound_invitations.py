"""Invitations are bounded, by tenant and by address; each tenant has its own room."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from rest_framework.test import APIClient

from foundation.scope import tenant_scope, unscoped
from tenants.members.mails import mail_due_invitations
from tenants.members.services import invite_member
from tenants.models import Invitation, Tenant
from tests.conftest import Customer, make_customer
from tests.support.engine import wait_for
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.server import ServerProcess
from tests.support.worker import running_worker

Api = Callable[[Customer], APIClient]


@pytest.fixture
def mails(settings: Any) -> Iterator[MailServer]:
    with running_mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


def test_the_same_address_again_and_again_is_refused(acme: Customer, globex: Customer, api: Api) -> None:
    asked = {"email": "victim@example.com"}
    assert [api(acme).post("/api/v1/invitations", asked).status_code for _ in range(3)] == [201] * 3
    refused = api(acme).post("/api/v1/invitations", {"email": " Victim@Example.com"})
    body = refused.json()
    assert (refused.status_code, body["code"], body["cap"]) == (429, "INVITATIONS_LIMITED", 3)
    assert 3_500 < int(refused["Retry-After"]) <= 3_600
    assert "at most 3 an hour to one address" in body["detail"]
    assert api(acme).post("/api/v1/invitations", {"email": "other@example.com"}).status_code == 201
    assert api(globex).post("/api/v1/invitations", asked).status_code == 201, "another tenant has its own room"


def test_a_tenants_invitations_are_bounded(acme: Customer, globex: Customer, api: Api) -> None:
    client = api(acme)
    said = Counter(
        client.post("/api/v1/invitations", {"email": f"p{number}@example.com"}).status_code for number in range(210)
    )
    assert said == {201: 200, 429: 10}
    assert api(globex).post("/api/v1/invitations", {"email": "p1@example.com"}).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_at_once_to_one_address_three_go_out(acme: Customer, server: ServerProcess) -> None:
    with server.caller(acme.key) as caller, ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda _: caller.post("/api/v1/invitations", json={"email": "v@example.com"}), range(100))
        said = Counter(answer.status_code for answer in answers)
    assert said == {201: 3, 429: 97}
    with tenant_scope(acme.tenant.id):
        assert Invitation.objects.count() == 1
    assert (mail_due_invitations(), mail_due_invitations()) == (1, 0), "and one mail, as none had gone out meanwhile"


@pytest.mark.soak
def test_workers_mail_invitations_of_tenants_in_turn(transactional_db: None, mails: MailServer) -> None:
    acme, globex = make_customer("acme", "Acme").tenant, make_customer("globex", "Globex").tenant
    for number in range(150):
        invite_member(tenant=acme, actor="system", email=f"p{number}@acme.example", role="reviewer", groups=[])
    invite_member(tenant=globex, actor="system", email="gil@globex.example", role="reviewer", groups=[])
    assert mail_due_invitations() == 2, "one of each"
    assert [mail["To"] for mail in mails.mails].count("gil@globex.example") == 1
    with running_worker(EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(mails.port)):
        wait_for(lambda: len(mails.mails) == 151, seconds=60)
    assert len({mail["To"] for mail in mails.mails}) == 151, "each once"


def test_those_of_an_inactive_tenant_wait(acme: Customer, mails: MailServer) -> None:
    invite_member(tenant=acme.tenant, actor="system", email="ann@acme.example", role="reviewer", groups=[])
    with unscoped("as an operator does in the console"):
        Tenant.objects.update(is_active=False)
    assert mail_due_invitations() == 0
    with unscoped("as an operator does in the console"):
        Tenant.objects.update(is_active=True)
    assert mail_due_invitations() == 1


@pytest.mark.parametrize(
    ("role", "words"), [("admin", "as an admin"), ("auditor", "as an auditor"), ("reviewer", "as a reviewer")]
)
def test_an_invitation_s_mail_names_the_role(acme: Customer, mails: MailServer, role: str, words: str) -> None:
    invite_member(tenant=acme.tenant, actor="system", email="ann@acme.example", role=role, groups=[])
    assert mail_due_invitations() == 1
    (mail,) = mails.mails
    assert f"You are invited to Acme {words}" in mail.get_content()
