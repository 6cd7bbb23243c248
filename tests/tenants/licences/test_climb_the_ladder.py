"""The ladder of a licence, step by step of the clock."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tenants.licences.ladder import (
    LicenceState,
    NoticeStep,
    in_force,
    is_followed,
    last_over,
    needs_banner,
    notice_due,
    standing,
)
from tests.support.licences import licence

YEAR = licence(first_day=date(2026, 12, 1), days=365)
TRIAL = replace(licence(first_day=date(2026, 12, 1), days=14), licence_id="trial_" + "1" * 26)
LAST = datetime(2027, 12, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("now", "state", "days_left"),
    [
        (datetime(2026, 12, 1, tzinfo=UTC) - SECOND, LicenceState.PENDING, 366),
        (datetime(2026, 12, 1, tzinfo=UTC), LicenceState.VALID, 365),
        (LAST, LicenceState.VALID, 0),
        (LAST + timedelta(days=1) - SECOND, LicenceState.VALID, 0),
        (LAST + timedelta(days=1), LicenceState.GRACE, 0),
        (LAST + timedelta(days=2) - SECOND, LicenceState.GRACE, 0),
        (LAST + timedelta(days=2), LicenceState.OVER, 0),
        (LAST + timedelta(days=400), LicenceState.OVER, 0),
    ],
)
def test_it_covers_its_last_day_and_a_day_of_grace(now: datetime, state: LicenceState, days_left: int) -> None:
    stands = standing(YEAR, now)
    assert (stands.state, stands.days_left) == (state, days_left)
    assert stands.has_effect == (state in {LicenceState.VALID, LicenceState.GRACE})
    assert (stands.ends_at, stands.works_until) == (LAST + timedelta(days=1), LAST + timedelta(days=2))


def test_the_day_is_that_of_utc_wherever_the_clock_stands() -> None:
    elsewhere = datetime.fromisoformat("2027-12-02T10:00:00+14:00")
    assert standing(YEAR, elsewhere).state == LicenceState.VALID


@pytest.mark.parametrize(
    ("left", "step"),
    [
        (31, None),
        (30, NoticeStep.DAYS_30),
        (8, NoticeStep.DAYS_30),
        (7, NoticeStep.DAYS_7),
        (4, NoticeStep.DAYS_7),
        (3, NoticeStep.DAYS_3),
        (2, NoticeStep.DAYS_3),
        (1, NoticeStep.DAYS_1),
        (0, NoticeStep.DAYS_1),
        (-1, NoticeStep.ENDED),
        (-2, NoticeStep.OVER),
    ],
)
def test_the_last_step_passed_is_the_one_to_tell(left: int, step: NoticeStep | None) -> None:
    assert notice_due(YEAR, LAST - timedelta(days=left)) == step
    assert needs_banner(YEAR, LAST - timedelta(days=left)) == (left <= 7)


def test_nobody_is_told_of_a_step_that_lies_before_the_beginning() -> None:
    begins = datetime(2026, 12, 1, tzinfo=UTC)
    told = [notice_due(TRIAL, begins + timedelta(days=day)) for day in range(-1, 17)]
    assert told[:8] == [None] * 8
    assert list(dict.fromkeys(told[8:])) == [
        NoticeStep.DAYS_7,
        NoticeStep.DAYS_3,
        NoticeStep.DAYS_1,
        NoticeStep.ENDED,
        NoticeStep.OVER,
    ]


def test_the_licence_issued_last_holds_and_a_trial_only_without_one() -> None:
    now = datetime(2026, 12, 5, tzinfo=UTC)
    later = replace(YEAR, licence_id="lic_" + "z" * 26)
    pending = replace(later, licence_id="lic_" + "zz".ljust(26, "z"), first_day=date(2027, 1, 1))
    assert in_force([TRIAL], now) == TRIAL
    assert in_force([TRIAL, later, YEAR, pending], now) == later
    assert in_force([pending], now) is None
    over = LAST + timedelta(days=9)
    assert (in_force([YEAR, TRIAL], over), last_over([TRIAL, YEAR], over)) == (None, YEAR)


def test_an_end_that_another_licence_takes_over_is_nothing_to_tell_of() -> None:
    follows = replace(YEAR, first_day=date(2027, 12, 2), last_day=date(2028, 12, 1))
    assert is_followed(YEAR, [YEAR, follows])
    assert not is_followed(YEAR, [YEAR, replace(follows, first_day=date(2027, 12, 5))])
    assert not is_followed(YEAR, [YEAR, TRIAL])
