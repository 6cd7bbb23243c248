"""A key that ends is announced to the tenant's admins and in its audit: 14, 3 and 1 days before, each once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.utils import translation

from audit.models import Entry
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from tenants.access.expiry_reminders import days_passed, remind_of_ending_keys
from tenants.access.issuing import rotate_api_key
from tenants.admin_mails.sending import mail_due_to_admins
from tenants.admin_mails.services import mail_admins
from tenants.lifecycle.retention import sweep_retention
from tenants.models import AdminMail, ApiKey, Membership, Tenant
from tenants.services import create_api_key, revoke_api_key
from tests.conftest import Customer
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.tasks import make_member

DAY = timedelta(days=1)


@pytest.fixture
def mails(settings: Any) -> Iterator[MailServer]:
    with running_mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def ending(acme: Customer) -> ApiKey:
    make_member(acme.tenant, "ada", role="admin")
    return create_api_key(tenant=acme.tenant, name="n8n", scopes=["runs:read"], expires_at=utc_now() + 20 * DAY).api_key


def move(key: ApiKey, left: timedelta) -> None:
    """Let time pass until so much of a key's life is left."""
    with unscoped("the test turns the clock"):
        ApiKey.objects.filter(id=key.id).update(expires_at=utc_now() + left)


def told(customer: Customer) -> list[int]:
    with tenant_scope(customer.tenant.id):
        return [entry.after["days"] for entry in Entry.objects.filter(action="api_key.ending").order_by("created_at")]


def test_each_reminder_comes_once(acme: Customer, ending: ApiKey) -> None:
    assert remind_of_ending_keys() == 0, "twenty days are left"
    for left in (15, 14, 13, 4, 3, 2, 1, 0.5, -1):
        move(ending, left * DAY)
        remind_of_ending_keys()
        assert remind_of_ending_keys() == 0, left
    assert told(acme) == [14, 3, 1]
    with tenant_scope(acme.tenant.id):
        assert AdminMail.objects.count() == 3


def test_of_reminders_nobody_could_send_the_last_one_comes(acme: Customer, ending: ApiKey) -> None:
    move(ending, 0.9 * DAY)
    assert remind_of_ending_keys() == 1
    assert told(acme) == [1]


def test_a_key_made_for_a_short_time_is_announced_when_it_ends_soon(acme: Customer) -> None:
    key = create_api_key(tenant=acme.tenant, name="short", expires_at=utc_now() + 7 * DAY).api_key
    assert remind_of_ending_keys() == 0, "fourteen days before it was not there"
    move(key, 3 * DAY)
    assert remind_of_ending_keys() == 1
    assert told(acme) == [3]


def test_a_new_end_has_reminders_of_its_own(acme: Customer, ending: ApiKey) -> None:
    move(ending, DAY)
    assert remind_of_ending_keys() == 1
    rotate_api_key(tenant=acme.tenant, api_key_id=ending.id, expires_at=utc_now() + 60 * DAY)
    move(ending, 14 * DAY)
    assert remind_of_ending_keys() == 1
    assert told(acme) == [1, 14]


def test_revoked_keys_and_those_of_inactive_tenants_are_not_announced(
    acme: Customer, globex: Customer, ending: ApiKey
) -> None:
    other = create_api_key(tenant=globex.tenant, name="other", expires_at=utc_now() + 20 * DAY).api_key
    for key in (ending, other):
        move(key, DAY)
    revoke_api_key(tenant=acme.tenant, api_key_id=ending.id)
    with unscoped("as an operator does in the console"):
        Tenant.objects.filter(id=globex.tenant.id).update(is_active=False)
    assert remind_of_ending_keys() == 0
    with unscoped("as an operator does in the console"):
        Tenant.objects.filter(id=globex.tenant.id).update(is_active=True)
    assert remind_of_ending_keys() == 1
    assert (told(acme), told(globex)) == ([], [1])


@pytest.mark.django_db(transaction=True)
def test_many_at_once_remind_once(acme: Customer, ending: ApiKey) -> None:
    move(ending, DAY)

    def remind(_: int) -> int:
        try:
            return remind_of_ending_keys()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(remind, range(16))) == 1
    assert told(acme) == [1]


def test_every_active_admin_is_mailed_and_nobody_else(
    acme: Customer, globex: Customer, ending: ApiKey, mails: MailServer
) -> None:
    make_member(acme.tenant, "eve", role="admin", deactivated_at=utc_now())
    make_member(acme.tenant, "rita")
    make_member(acme.tenant, "abe", role="admin")
    make_member(globex.tenant, "gil", role="admin")
    move(ending, 14 * DAY)
    assert remind_of_ending_keys() == 1
    while mail_due_to_admins():
        pass
    assert sorted(each["To"] for each in mails.mails) == ["abe@acme.example", "ada@acme.example"]
    first = mails.mails[0]
    assert first["Subject"] == "The API key n8n of Acme ends within 14 days"
    assert first["Auto-Submitted"] == "auto-generated"
    assert ending.public_id in first.get_payload()
    assert "manage keys" not in first.get_payload()
    with tenant_scope(acme.tenant.id):
        assert Entry.objects.get(action="api_key.ending").after["mails"] == 2


def test_the_last_key_that_may_manage_keys_is_called_so(acme: Customer, ending: ApiKey) -> None:
    with tenant_scope(acme.tenant.id):
        manager = ApiKey.objects.get(name="tests")
    move(manager, DAY)
    assert remind_of_ending_keys() == 1
    with tenant_scope(acme.tenant.id):
        written = AdminMail.objects.get()
        assert Entry.objects.get(action="api_key.ending").after["is_last_admin_key"] is True
    assert written.subject == "The API key tests of Acme ends within a day"
    assert "the last key of Acme that may manage keys" in written.text


def test_a_mail_that_does_not_go_out_is_tried_five_times(acme: Customer, settings: Any) -> None:
    make_member(acme.tenant, "ada", role="admin")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    facts: dict[str, Any] = {"name": "k", "public_id": "p", "days": 1, "expires_at": "soon"}
    with tenant_scope(acme.tenant.id):
        assert mail_admins(tenant=acme.tenant, template="keys/ending", variables=facts) == 1
    for tries in range(1, 6):
        assert mail_due_to_admins() == 1
        assert mail_due_to_admins() == 0, "not before its pause is over"
        with tenant_scope(acme.tenant.id):
            row = AdminMail.objects.get()
            assert (row.tries, row.sent_at, bool(row.next_at)) == (tries, None, tries < 5)
            AdminMail.objects.filter(next_at__isnull=False).update(next_at=utc_now())
    assert "ConnectionRefusedError" in row.error


def test_a_sent_mail_is_sent_once_and_forgotten_after_its_days(acme: Customer) -> None:
    make_member(acme.tenant, "ada", role="admin")
    facts: dict[str, Any] = {"name": "k\nBcc: all@example.com", "public_id": "p", "days": 3, "expires_at": "soon"}
    with tenant_scope(acme.tenant.id):
        mail_admins(tenant=acme.tenant, template="keys/ending", variables=facts)
    assert (mail_due_to_admins(), mail_due_to_admins()) == (1, 0)
    (sent,) = mail.outbox
    assert sent.subject == "The API key k Bcc: all@example.com of Acme ends within 3 days"
    assert (sent.to, sent.bcc) == (["ada@acme.example"], [])
    with tenant_scope(acme.tenant.id):
        waiting = AdminMail.objects.create(tenant=acme.tenant, member=Membership.objects.get(), next_at=utc_now() + DAY)
        sweep_retention()
        assert AdminMail.objects.count() == 2
        AdminMail.objects.update(created_at=utc_now() - 91 * DAY)
        sweep_retention()
        assert AdminMail.objects.get() == waiting, "one that is still to be sent stays"


def test_the_time_of_a_reminder() -> None:
    now = utc_now()
    cases = {14.1: None, 14: 14, 3.5: 14, 3: 3, 1.01: 3, 1: 1, 0: 1}
    assert {left: days_passed(now + left * DAY, now) for left in cases} == cases
    assert days_passed(None, now) is None


@pytest.mark.parametrize(
    ("language", "days", "subject"),
    [
        ("en", 1, "The API key n8n of Acme ends within a day"),
        ("en", 3, "The API key n8n of Acme ends within 3 days"),
        ("ru", 1, "Ключ API n8n (Acme) заканчивается в течение 1 дня"),
        ("ru", 3, "Ключ API n8n (Acme) заканчивается в течение 3 дней"),
    ],
)
def test_it_speaks_the_language_of_the_installation_s_mails(
    acme: Customer, ending: ApiKey, language: str, days: int, subject: str
) -> None:
    move(ending, days * DAY)
    with translation.override(language):
        assert remind_of_ending_keys() == 1
    with tenant_scope(acme.tenant.id):
        written = AdminMail.objects.get()
    assert written.subject == subject
    assert written.text.startswith("The API key n8n" if language == "en" else "Ключ API n8n")
