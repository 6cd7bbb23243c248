"""Mails about tasks are sent tenants in turn, and bounded for each; those of an inactive tenant wait."""

from collections.abc import Iterator
from typing import Any

import pytest

from foundation.scope import unscoped
from humantasks.lifecycle import MAX_WAITING, TOO_MANY
from humantasks.mail.sender import send_due
from humantasks.models import Notice
from tenants.models import Membership, Tenant
from tests.support.engine import make_tenant, queue_run
from tests.support.host import running_host
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.tasks import ask, make_member, task_of


@pytest.fixture
def mails(settings: Any) -> Iterator[MailServer]:
    with running_mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


def ask_somebody(tenant: Tenant) -> Any:
    with running_host():
        return task_of(queue_run(tenant, ask(assignee_ref="finance")))


def notices() -> list[Notice]:
    with unscoped("tests look everywhere"):
        return list(Notice.objects.order_by("created_at"))


def flood(tenant: Tenant, member: Membership, count: int) -> None:
    """Mails of one tenant that are due, about one task."""
    run_id = queue_run(tenant, ask(assignee_ref=member.user.email))
    with running_host():
        task = task_of(run_id)
    with unscoped("rows for a test"):
        Notice.objects.all().delete()
        rows = [Notice(tenant=tenant, task=task, member=member, kind="reminded") for _ in range(count)]
        Notice.objects.bulk_create(rows)


def test_thousands_of_one_tenant_keep_no_other_waiting(acme: Tenant, ann: Membership, mails: MailServer) -> None:
    flood(acme, ann, 3_000)
    globex = make_tenant("globex")
    gil = make_member(globex, "gil", "finance")
    ask_somebody(globex)
    send_due()
    to = [mail["To"] for mail in mails.mails]
    assert len(to) == 11, "ten of the one, the other's one"
    assert gil.user.email in to
    send_due()
    assert len(mails.mails) == 31, "what one does not need the other gets"


def test_the_mails_of_a_tenant_that_wait_are_bounded(acme: Tenant, ann: Membership, mails: MailServer) -> None:
    flood(acme, ann, MAX_WAITING - 1)
    bob = make_member(acme, "bob", "finance")
    carl = make_member(acme, "carl", "finance")
    ask_somebody(acme)
    told = {one.member_id: (one.next_at is None, one.error) for one in notices() if one.kind == "asked"}
    assert sorted(told.values()) == [(False, ""), (True, TOO_MANY), (True, TOO_MANY)]
    assert {ann.id, bob.id, carl.id} == set(told)
    globex = make_tenant("globex")
    make_member(globex, "gil", "finance")
    ask_somebody(globex)
    assert [one.error for one in notices() if one.tenant_id == globex.id] == [""], "another tenant has its own room"


def test_the_mails_of_an_inactive_tenant_wait(acme: Tenant, ann: Membership, mails: MailServer) -> None:
    ask_somebody(acme)
    with unscoped("as an operator does in the console"):
        Tenant.objects.filter(id=acme.id).update(is_active=False)
    assert send_due() == 0
    with unscoped("as an operator does in the console"):
        Tenant.objects.filter(id=acme.id).update(is_active=True)
    assert send_due() == 1
    assert [mail["To"] for mail in mails.mails] == [ann.user.email]
