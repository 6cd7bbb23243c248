"""Errors about what a tenant's limits have no room for."""

from datetime import datetime

from kernel.errors import Conflict, Invalid, LimitReached, limit_facts
from tenants.entitlements.tiers import LIMITS


class LimitUsedUp(LimitReached):
    """A limit has no room for more; waiting a moment does not help. ``extra`` has limit, used, cap, resets_at."""

    code = "LIMIT_USED_UP"
    status = 402
    title = "The tenant's limit is used up"


class NotIncluded(LimitReached):
    """Something that neither the tenant's tier nor its licence opens; of a segment ``errors`` names each step."""

    code = "NOT_INCLUDED"
    status = 402
    title = "The tenant's tier does not include this"


class TooManyKept(Conflict):
    """There are as many of something as there may be of it. ``extra`` has limit, used, cap."""

    code = "TOO_MANY_KEPT"
    title = "There are as many of these as may be"


class UnknownLimit(Invalid):
    """A limit was named that does not exist."""

    code = "UNKNOWN_LIMIT"
    title = "There is no such limit"


def used_up(detail: str, *, limit: str, used: int, cap: int, resets_at: datetime | None = None) -> LimitUsedUp:
    """Make the refusal of what is beyond a limit, with how the tenant stands.

    Args:
        detail: The sentence for people.
        limit: Its name in ``LIMITS``.
        used: What is used, or was asked for.
        cap: The limit.
        resets_at: When there is room again by itself.
    """
    unit = LIMITS[limit].unit
    return LimitUsedUp(detail, extra=limit_facts(limit, unit=unit, used=used, cap=cap, resets_at=resets_at))
