"""People are told that a licence ends: each step once, in the audit and by mail, and on the pages of admins."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.core import mail

from audit.models import Entry
from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.licences.notices import keep_due_notices, mail_due_notices
from tenants.licences.selectors import licence_of
from tenants.licences.services import LicenceManager
from tenants.models import LicenceNotice, MemberRole, Membership
from tests.conftest import Customer
from tests.support.inbox import a_member, client_of
from tests.support.licences import licence, signed
from tests.support.moved_clock import MovedClock

DAY = timedelta(days=1)


@pytest.fixture
def admin(acme: Customer) -> Membership:
    a_member(acme.tenant, "rita")
    return a_member(acme.tenant, "ada", role=MemberRole.ADMIN)


@pytest.fixture
def start() -> datetime:
    """The beginning of today, from which the days of a licence are counted."""
    return datetime.combine(utc_now().date(), time(), UTC)


def told() -> list[tuple[str, str]]:
    with unscoped("what the audit has"):
        entries = Entry.objects.filter(action__startswith="tenant.licence_e").order_by("id")
        return [(entry.action, entry.after["step"]) for entry in entries]


def test_each_step_is_told_once(acme: Customer, admin: Membership, moved_clock: MovedClock, start: datetime) -> None:
    LicenceManager().install(acme.tenant, signed(licence(first_day=start.date(), days=60)))
    for day in (0, 29, 30, 45, 53, 55, 57, 58, 59, 60, 61, 62, 65):
        moved_clock.move_to(start + (day + 0.5) * DAY)
        new = keep_due_notices()
        assert keep_due_notices() == 0
        assert sum(mail_due_notices() for _ in range(3)) == new
    assert told() == [
        ("tenant.licence_expiring", "30_days"),
        ("tenant.licence_expiring", "7_days"),
        ("tenant.licence_expiring", "3_days"),
        ("tenant.licence_expiring", "1_day"),
        ("tenant.licence_ended", "ended"),
        ("tenant.licence_ended", "over"),
    ]
    assert [one.to for one in mail.outbox] == [["ada@acme.test"]] * 6
    assert "for the tier professional covers" in mail.outbox[0].body
    assert "For a day more everything works" in mail.outbox[4].body
    assert "its day of grace is over" in mail.outbox[5].body
    assert "may use what the tier free includes" in mail.outbox[5].body


def test_of_steps_that_were_missed_the_last_one_is_told(
    acme: Customer, moved_clock: MovedClock, start: datetime
) -> None:
    LicenceManager().install(acme.tenant, signed(licence(first_day=start.date(), days=60)))
    moved_clock.move_to(start + 58 * DAY)
    assert (keep_due_notices(), told()) == (1, [("tenant.licence_expiring", "3_days")])


def test_what_holds_depends_on_no_sweep(acme: Customer, moved_clock: MovedClock, start: datetime) -> None:
    LicenceManager().install(acme.tenant, signed(licence(first_day=start.date(), days=60)))
    assert licence_of(acme.tenant.id) is not None
    moved_clock.move_to(start + 63 * DAY)
    assert licence_of(acme.tenant.id) is None
    assert told() == []


def test_nobody_is_told_of_an_end_that_another_licence_takes_over(
    acme: Customer, moved_clock: MovedClock, start: datetime
) -> None:
    LicenceManager().install(acme.tenant, signed(licence(first_day=start.date(), days=60)))
    moved_clock.move_to(start + 31 * DAY)
    assert keep_due_notices() == 1
    renewal = licence(first_day=start.date() + 61 * DAY)
    LicenceManager().install(acme.tenant, signed(renewal))
    for day in (58, 60.5, 61.5, 64):
        moved_clock.move_to(start + day * DAY)
        assert keep_due_notices() == 0
        assert licence_of(acme.tenant.id) is not None


def test_a_mail_that_cannot_go_out_says_why(acme: Customer, moved_clock: MovedClock, start: datetime) -> None:
    LicenceManager().enable_trial(acme.tenant)
    moved_clock.move_to(start + 8 * DAY)
    assert (keep_due_notices(), mail_due_notices(), mail_due_notices()) == (1, 1, 0)
    with unscoped("a look"):
        assert LicenceNotice.objects.get().mail_error == "The tenant has no admin with an e-mail."
    assert mail.outbox == []


def test_the_inbox_says_it_to_admins(
    acme: Customer, admin: Membership, moved_clock: MovedClock, start: datetime
) -> None:
    LicenceManager().install(acme.tenant, signed(licence(first_day=start.date(), days=60)))
    reviewer = a_member(acme.tenant, "rob")
    for day, says in [
        (50, ""),
        (53.5, "The licence ends on"),
        (61.5, "All works until"),
        (62.5, "New runs may use what the tier free includes"),
    ]:
        moved_clock.move_to(start + day * DAY)
        page, others = (client_of(member).get("/inbox/").text for member in (admin, reviewer))
        assert says in page
        assert ("licence" in page.lower()) == bool(says), day
        assert "licence" not in others.lower()
