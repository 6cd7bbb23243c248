"""The time zone a page is written and read in."""

from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest

COOKIE: Final = "zone"
"""What a page's script keeps the browser's zone in."""
UTC_NAME: Final = "UTC"


def zone_of(request: HttpRequest) -> ZoneInfo:
    """Find the zone of a request: of the form that is posted, else of the browser; UTC where neither names one."""
    named = (request.POST.get("zone"), request.COOKIES.get(COOKIE), UTC_NAME)
    return ZoneInfo(next(name for name in named if name in _known()))


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())
