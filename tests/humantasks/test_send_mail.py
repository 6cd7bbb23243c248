"""Members are told of their tasks by mail: at least once, whatever goes away, and never what they decide about."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from humantasks.mail.outbox import NOT_NEEDED, PAUSES, send_again
from humantasks.mail.sender import send_due
from humantasks.models import Notice
from kernel.clock import utc_now
from tenants.context import unscoped
from tenants.models import Membership, Tenant
from tests.support.engine import queue_run, wait_for
from tests.support.host import running_host
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.tasks import ask, decide, task_of
from tests.support.worker import running_worker

CANARY = "canary-of-the-data"


@pytest.fixture
def mails(settings: Any) -> Iterator[MailServer]:
    with running_mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.PUBLIC_URL = "https://flows.example.com"
        yield server


def ask_somebody(tenant: Tenant, **config: Any) -> Any:
    with running_host():
        run_id = queue_run(tenant, ask(assignee_ref="finance", **config), input={"secret": CANARY})
        return task_of(run_id)


def notices() -> list[Notice]:
    with unscoped("tests look everywhere"):
        return list(Notice.objects.order_by("created_at"))


def make_due() -> None:
    with unscoped("tests look everywhere"):
        Notice.objects.exclude(next_at=None).update(next_at=utc_now() - timedelta(seconds=1))


def test_who_is_asked_gets_one_mail_with_one_link_and_none_of_the_data(
    acme: Tenant, ann: Membership, mails: MailServer
) -> None:
    task = ask_somebody(acme, title="Pay <b>12</b>?\r\nBcc: eve@example.com", description="{{ 7 * 6 }} & more")
    assert send_due() == 1
    assert send_due() == 0
    (mail,) = mails.mails
    assert mail["To"] == "ann@acme.example"
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[acme] Pay <b>12</b>? Bcc: eve@example.com"
    text, page = (part.get_content() for part in mail.iter_parts())
    assert "42 & more" in text
    assert "42 &amp; more" in page
    assert "Pay &lt;b&gt;12" in page
    link = f"https://flows.example.com/inbox/tasks/{task.id}/"
    assert text.count("http") == 1
    assert link in text
    assert f'href="{link}"' in page
    assert task.data == {"secret": CANARY}, "the canary is really there"
    assert CANARY not in mail.as_string()
    (notice,) = notices()
    assert notice.sent_at is not None


def test_a_server_that_is_away_gets_it_later_and_after_five_tries_it_is_given_up(
    acme: Tenant, ann: Membership, mails: MailServer
) -> None:
    ask_somebody(acme)
    mails.stop()
    for number, pause in enumerate(PAUSES, 1):
        assert send_due() == 1
        (notice,) = notices()
        assert (notice.tries, notice.error) == (number, "The mail server does not answer (ConnectionRefusedError).")
        assert notice.next_at is not None
        assert abs(notice.next_at - utc_now() - pause) < timedelta(seconds=20)
        make_due()
    assert send_due() == 1
    (notice,) = notices()
    assert (notice.tries, notice.next_at) == (5, None)
    mails.start()
    with unscoped("tests look everywhere"):
        assert send_again([notice.id]) == 1
    assert send_due() == 1
    assert len(mails.mails) == 1


def test_a_refused_recipient_is_told_and_others_get_theirs(
    acme: Tenant, ann: Membership, bob: Membership, mails: MailServer
) -> None:
    ask_somebody(acme)
    mails.refuses = True
    assert send_due() == 2
    assert {notice.error for notice in notices()} == {"The mail server refused it (SMTPRecipientsRefused)."}
    mails.refuses = False
    make_due()
    assert send_due() == 2
    assert {mail["To"] for mail in mails.mails} == {"ann@acme.example", "bob@acme.example"}


def test_nothing_is_sent_about_what_is_over_nor_to_who_is_gone(
    acme: Tenant, ann: Membership, bob: Membership, mails: MailServer
) -> None:
    decide(ann, ask_somebody(acme))
    assert send_due() == 0
    ask_somebody(acme)
    with unscoped("tests look everywhere"):
        Membership.objects.filter(id=bob.id).update(deactivated_at=utc_now())
    assert send_due() == 1
    assert [mail["To"] for mail in mails.mails] == ["ann@acme.example"]
    assert [notice.error for notice in notices()].count(NOT_NEEDED) == 3


def test_a_mail_outlives_the_worker_that_was_to_send_it(acme: Tenant, ann: Membership, mails: MailServer) -> None:
    mails.stop()
    mail_settings = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mails.port)}
    with running_worker("worker-1", **mail_settings) as first:
        run_id = queue_run(acme, ask(assignee_ref="finance"))
        task_of(run_id)
        wait_for(lambda: notices()[0].tries == 1)
        first.kill()
    assert notices()[0].sent_at is None
    mails.start()
    make_due()
    with running_worker("worker-2", **mail_settings):
        wait_for(lambda: notices()[0].sent_at is not None, what="the other worker sends it")
    assert [mail["To"] for mail in mails.mails] == ["ann@acme.example"]
