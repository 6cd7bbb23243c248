"""Ladder of a licence: valid, told of its end, ended with a day's grace, over. Pure: the clock is handed in."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from tenants.licences.terms import Licence

GRACE: Final = timedelta(hours=24)
"""Time after its end in which all works as before."""
NOTICE_DAYS: Final = (30, 7, 3, 1)
"""Days before the last day at which people are told."""
BANNER_DAYS: Final = 7


class LicenceState(StrEnum):
    """Rung of the ladder."""

    PENDING = "pending"
    VALID = "valid"
    GRACE = "grace"
    OVER = "over"


class NoticeStep(StrEnum):
    """Step at which people are told, once each."""

    DAYS_30 = "30_days"
    DAYS_7 = "7_days"
    DAYS_3 = "3_days"
    DAYS_1 = "1_day"
    ENDED = "ended"
    OVER = "over"


_STEPS: Final = dict(
    zip(NOTICE_DAYS, (NoticeStep.DAYS_30, NoticeStep.DAYS_7, NoticeStep.DAYS_3, NoticeStep.DAYS_1), strict=True)
)


@dataclass(frozen=True, slots=True)
class LicenceStanding:
    """Standing of a licence at a moment.

    Attributes:
        state: Its rung.
        days_left: Days until its last day, which counts as 0; never less.
        ends_at: The end of its last day (UTC).
        works_until: The end of the grace.
    """

    state: LicenceState
    days_left: int
    ends_at: datetime
    works_until: datetime

    @property
    def has_effect(self) -> bool:
        """Whether what it grants holds."""
        return self.state in {LicenceState.VALID, LicenceState.GRACE}


def standing(licence: Licence, now: datetime) -> LicenceStanding:
    """Tell how a licence stands.

    Args:
        licence: Signed by whom it must be: that is not looked at here.
        now: The time, aware.
    """
    begins_at = datetime.combine(licence.first_day, time(), UTC)
    ends_at = datetime.combine(licence.last_day, time(), UTC) + timedelta(days=1)
    works_until = ends_at + GRACE
    if now < begins_at:
        state = LicenceState.PENDING
    elif now < ends_at:
        state = LicenceState.VALID
    else:
        state = LicenceState.GRACE if now < works_until else LicenceState.OVER
    days_left = max(0, (licence.last_day - now.astimezone(UTC).date()).days)
    return LicenceStanding(state, days_left, ends_at, works_until)


def in_force(licences: Iterable[Licence], now: datetime) -> Licence | None:
    """Choose the licence that holds: of those with effect the one issued last; a trial only where there is none."""
    holding = [one for one in licences if standing(one, now).has_effect]
    return max(holding, key=lambda one: (not one.is_trial, one.licence_id), default=None)


def last_over(licences: Iterable[Licence], now: datetime) -> Licence | None:
    """Choose the one that ended last, of those that are over."""
    over = [one for one in licences if standing(one, now).state == LicenceState.OVER]
    return max(over, key=lambda one: (one.last_day, one.licence_id), default=None)


def is_followed(licence: Licence, others: Iterable[Licence]) -> bool:
    """Whether another one takes over without a gap, so that its end is nothing to tell of."""
    works_until = licence.last_day + timedelta(days=1) + GRACE
    return any(one.first_day <= works_until and one.last_day > licence.last_day for one in others)


def notice_due(licence: Licence, now: datetime) -> NoticeStep | None:
    """Tell of which step people should have been told by now: the last one only, however many were missed.

    A step that comes no sooner than the licence itself began is none: a trial of 14 days is not told of 30 days before.
    """
    stands = standing(licence, now)
    if stands.state == LicenceState.PENDING:
        return None
    if stands.state != LicenceState.VALID:
        return NoticeStep.ENDED if stands.state == LicenceState.GRACE else NoticeStep.OVER
    length = (licence.last_day - licence.first_day).days
    due = [days for days in NOTICE_DAYS if stands.days_left <= days < length]
    return _STEPS[min(due)] if due else None


def needs_banner(licence: Licence, now: datetime) -> bool:
    """Whether pages say that it ends soon, or has ended."""
    stands = standing(licence, now)
    return stands.state != LicenceState.PENDING and stands.days_left <= BANNER_DAYS
