"""Members are told of their tasks by mail: at least once, whatever goes away, and never what they decide about."""

import html
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from audit.models import Entry
from foundation.scope import unscoped
from humantasks.mail.outbox import LEASE, LOST, NOT_NEEDED, PAUSES, extend_lease, put_back, send_again, settle, take_due
from humantasks.mail.sender import send_due
from humantasks.models import Notice
from kernel.clock import utc_now
from runs.engine.store.connection import connect
from tenants.models import Membership, Tenant, User
from tests.support.engine import queue_run, wait_for
from tests.support.host import running_host
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.tasks import ask, decide, make_member, task_of
from tests.support.worker import running_worker

CANARY = "canary-of-the-data"
WRITTEN = ("tries", "next_at", "sent_at", "error")


@pytest.fixture
def mails(settings: Any) -> Iterator[MailServer]:
    with running_mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.PUBLIC_URL = "https://flows.example.com"
        yield server


def ask_somebody(tenant: Tenant, given: Any = None, **config: Any) -> Any:
    with running_host():
        run_id = queue_run(tenant, ask(assignee_ref="finance", **config), input={"secret": CANARY, **(given or {})})
        return task_of(run_id)


def notices() -> list[Notice]:
    with unscoped("tests look everywhere"):
        return list(Notice.objects.select_related("member__user").order_by("created_at"))


def make_due() -> None:
    with unscoped("tests look everywhere"):
        Notice.objects.exclude(next_at=None).update(next_at=utc_now() - timedelta(seconds=1))


def test_the_audit_names_who_is_asked_by_id_and_by_no_address(acme: Tenant, ann: Membership) -> None:
    with running_host():
        task_of(queue_run(acme, ask(assignee_ref="ann@acme.example"), input={}))
    with unscoped("tests look everywhere"):
        (entry,) = Entry.objects.filter(action="task.created")
    assert str(ann.id) in str(entry.after)
    assert "@" not in str(entry.after)


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


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("=?utf-8?q?=0ABcc=3A_eve=40example.com?=", "=?utf-8?q?=0ABcc=3A_eve=40example.com?="),
        (f"=?utf-8?b?QmNj?= {'and so on ' * 14}end", f"=?utf-8?b?QmNj?= {'and so on ' * 14}end"),
        ("=?utf-8?b?QmNj?= \u20ac", "=?utf-8?b?QmNj?= \u20ac"),
        ("a\x01\x1b[31mb\x7f\x85c", "a [31mb c"),
        ("Caf\u00e9 \U0001f469\u200d\U0001f680", "Caf\u00e9 \U0001f469\u200d\U0001f680"),
    ],
)
def test_a_subject_is_shown_as_it_was_written_and_read_as_nothing_else(
    acme: Tenant, ann: Membership, mails: MailServer, title: str, shown: str
) -> None:
    ask_somebody(acme, title="{{ input.title }}", given={"title": title})
    assert send_due() == 1
    (mail,) = mails.mails
    assert mail["Subject"] == f"[acme] {shown}"
    (line,) = (text for name, text in mail.raw_items() if name == "Subject")
    assert all(part.isascii() and part.isprintable() and len(part) <= 77 for part in line.splitlines())
    if "=?" in title:
        assert not any(part.strip().startswith("[acme]") for part in line.splitlines()), "it is encoded itself"


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


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_server_that_goes_away_at_one_mail_costs_no_other_a_try_or_a_second_sending(
    acme: Tenant, ann: Membership, bob: Membership, mails: MailServer, place: int
) -> None:
    make_member(acme, "zoe", "finance")
    ask_somebody(acme)
    asked = [notice.member.user.email for notice in notices() if notice.member]
    mails.leaves_at = asked[place]
    assert send_due() == 3
    assert [mail["To"] for mail in mails.mails] == asked[:place]
    assert send_due() == 2 - place, "those behind it are due at once"
    assert send_due() == 0
    assert [mail["To"] for mail in mails.mails] == [*asked[:place], *asked[place + 1 :]]
    gone = "The mail server does not answer (SMTPServerDisconnected)."
    assert [(notice.tries, notice.error) for notice in notices()] == [
        (1, gone if at == place else "") for at in range(3)
    ]
    mails.leaves_at = ""
    make_due()
    assert send_due() == 1
    assert sorted(mail["To"] for mail in mails.mails) == sorted(asked)


def test_a_mail_that_cannot_be_written_keeps_no_other_from_being_sent(
    acme: Tenant, ann: Membership, bob: Membership, mails: MailServer
) -> None:
    with unscoped("tests look everywhere"):
        User.objects.filter(id=ann.user_id).update(email="no address\nBcc: eve@example.com")
    ask_somebody(acme)
    assert send_due() == 2
    assert [mail["To"] for mail in mails.mails] == ["bob@acme.example"]
    assert [notice.error for notice in notices() if notice.sent_at is None] == ["It cannot be written (ValueError)."]


def test_a_mail_whose_every_sender_is_lost_is_given_up(acme: Tenant, ann: Membership, mails: MailServer) -> None:
    ask_somebody(acme)
    for _ in range(5):
        assert len(take_due()) == 1
        make_due()
    assert send_due() == 0
    (notice,) = notices()
    assert (notice.tries, notice.next_at, notice.error) == (5, None, LOST)


def test_two_senders_at_once_send_each_mail_once(acme: Tenant, ann: Membership, mails: MailServer) -> None:
    for number in range(30):
        make_member(acme, f"member{number}", "finance")
    ask_somebody(acme)

    def send_all() -> int:
        try:
            return sum(iter(send_due, 0))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        counts = [future.result() for future in [threads.submit(send_all) for _ in range(2)]]
    assert sum(counts) == 31
    assert all(counts), "both were at work"
    assert len({mail["To"] for mail in mails.mails}) == len(mails.mails) == 31


def test_who_counted_as_lost_changes_nothing_of_what_another_has_taken_or_sent(
    acme: Tenant, ann: Membership, mails: MailServer
) -> None:
    def late_changes_nothing() -> None:
        before = notices()[0].__dict__
        assert not extend_lease(late)
        settle(late, error="The mail server does not answer (TimeoutError).")
        put_back([late])
        after = notices()[0].__dict__
        assert {name: after[name] for name in WRITTEN} == {name: before[name] for name in WRITTEN}

    ask_somebody(acme)
    (late,) = take_due()
    assert not take_due(), "it is in hand"
    make_due()
    (other,) = take_due()
    late_changes_nothing()
    assert extend_lease(other)
    put_back([other])
    assert send_due() == 1
    late_changes_nothing()
    assert len(mails.mails) == 1


def test_nobody_waits_for_what_another_is_taking(
    acme: Tenant, ann: Membership, bob: Membership, mails: MailServer
) -> None:
    ask_somebody(acme)
    first, second = notices()
    with connect("test") as other, other.transaction():
        other.execute("select 1 from humantasks_notice where id = %s for update", [first.id])
        began = time.monotonic()
        assert [notice.id for notice in take_due()] == [second.id]
        assert time.monotonic() - began < 2


def test_a_decision_between_two_mails_keeps_the_second_back(
    acme: Tenant, ann: Membership, bob: Membership, mails: MailServer
) -> None:
    task = ask_somebody(acme)

    def decide_at_the_first() -> None:
        if not mails.mails:
            decide(bob, task)
            connection.close()

    mails.before_a_mail = decide_at_the_first
    assert send_due() == 2
    assert [mail["To"] for mail in mails.mails] == ["ann@acme.example"]
    assert [notice.error for notice in notices()] == ["", NOT_NEEDED]


def test_what_users_write_is_text_and_never_a_template(acme: Tenant, ann: Membership, mails: MailServer) -> None:
    written = "{{ task.data }} {% now 'Y' %} {{ settings.SECRET_KEY }} <script>"
    with running_host():
        document = ask(assignee_ref="finance", title="{{ words }}", description="{{ words }}")
        task_of(queue_run(acme, document, input={"words": written, "secret": CANARY}))
    send_due()
    (mail,) = mails.mails
    text, page = (part.get_content() for part in mail.iter_parts())
    assert mail["Subject"] == f"[acme] {written}"
    assert text.count(written) == 2
    assert page.count(html.escape(written)) == 2
    assert "<script>" not in page
    assert CANARY not in mail.as_string()


def test_machines_do_not_answer(acme: Tenant, ann: Membership, mails: MailServer) -> None:
    ask_somebody(acme)
    send_due()
    assert mails.mails[0]["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("asked", "You are asked to decide this."),
        ("reminded", "This still waits for somebody's decision."),
        ("escalated", "Nobody has decided this in time, so you are asked now."),
        ("delegated", "A colleague has handed this to you."),
    ],
)
def test_a_mail_says_why_it_comes_and_until_when(
    acme: Tenant, ann: Membership, mails: MailServer, kind: str, why: str
) -> None:
    task = ask_somebody(acme)
    with unscoped("tests look everywhere"):
        Notice.objects.update(kind=kind)
    send_due()
    (mail,) = mails.mails
    for part in mail.iter_parts():
        content = html.unescape(part.get_content())
        assert why in content
        assert f"{task.due_at:%Y-%m-%d %H:%M} UTC" in content


def test_a_mail_speaks_the_installations_language(acme: Tenant, ann: Membership, mails: MailServer) -> None:
    ask_somebody(acme)
    with translation.override("ru"):
        send_due()
    (mail,) = mails.mails
    for part in mail.iter_parts():
        assert re.search("[\u0430-\u044f]{5}", part.get_content())
        assert "You are asked" not in part.get_content()


def test_without_a_mail_server_mails_are_written_where_a_developer_reads_them(
    acme: Tenant, ann: Membership, settings: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    task = ask_somebody(acme)
    assert send_due() == 1
    out = capfd.readouterr().out
    assert f"/inbox/tasks/{task.id}/" in out
    assert CANARY not in out
    assert notices()[0].sent_at is not None


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


@pytest.mark.soak
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


@pytest.mark.soak
def test_a_worker_killed_while_the_server_takes_a_mail_has_it_sent_again_in_the_installations_language(
    acme: Tenant, ann: Membership, mails: MailServer
) -> None:
    in_hand, killed = threading.Event(), threading.Event()

    def hold_the_first() -> None:
        in_hand.set()
        killed.wait(30)

    mails.before_a_mail = hold_the_first
    mail_settings = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mails.port), "LANGUAGE_CODE": "ru"}
    with running_worker("worker-1", **mail_settings) as first:
        task_of(queue_run(acme, ask(assignee_ref="finance")))
        assert in_hand.wait(30)
        first.kill()
    killed.set()
    (notice,) = notices()
    assert (notice.tries, notice.sent_at, notice.error) == (1, None, "")
    assert notice.next_at is not None
    assert notice.next_at - utc_now() < LEASE, "it is due again by itself"
    make_due()
    with running_worker("worker-2", **mail_settings):
        wait_for(lambda: notices()[0].sent_at is not None, what="the other worker sends it")
    assert {mail["To"] for mail in mails.mails} == {"ann@acme.example"}
    assert re.search("[\u0430-\u044f]{5}", text_of(mails))


def text_of(mails: MailServer) -> str:
    return "".join(part.get_content() for part in mails.mails[-1].iter_parts())
