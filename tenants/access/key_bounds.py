"""Bounds on keys: so many live ones of a tenant, and so many made in a day."""

from datetime import timedelta
from typing import Final

from django.db.models import Q, QuerySet

from kernel.clock import utc_now
from tenants.errors import TooManyKeys, TooManyKeysMade
from tenants.models import ApiKey

MAX_LIVE: Final = 100
MAX_MADE_A_DAY: Final = 200
_DAY: Final = timedelta(days=1)
MANAGING: Final = "keys:write"
"""The scope that lets a key manage the tenant's keys."""


def live_keys() -> QuerySet[ApiKey]:
    """Return the live keys of the tenant in scope; of all tenants where that is the scope."""
    return ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=utc_now()), revoked_at=None)


def check_room_for_key() -> None:
    """Refuse another key where there are many. To be called with the tenant's row locked.

    Raises:
        TooManyKeys: 100 keys live.
        TooManyKeysMade: 200 were made within 24 hours, whatever became of them.
    """
    used = live_keys().count()
    if used >= MAX_LIVE:
        raise TooManyKeys(
            f"{used} API keys are live, and a tenant may have {MAX_LIVE}; revoke one that is not used.",
            extra={"limit": "live_keys", "used": used, "cap": MAX_LIVE},
        )
    now = utc_now()
    of_a_day = ApiKey.objects.filter(created_at__gt=now - _DAY).order_by("-created_at")
    first = of_a_day.values_list("created_at", flat=True)[MAX_MADE_A_DAY - 1 : MAX_MADE_A_DAY].first()
    if first is not None:
        seconds = max(1, round((first + _DAY - now).total_seconds()))
        raise TooManyKeysMade(
            f"A tenant makes at most {MAX_MADE_A_DAY} API keys in 24 hours; there is room again in {seconds} s.",
            extra={"limit": "keys_made_a_day", "cap": MAX_MADE_A_DAY, "retry_after": seconds},
        )


def is_last_admin_key(api_key: ApiKey) -> bool:
    """Whether no other live key of the tenant could manage keys. To be called with the tenant's row locked."""
    if MANAGING not in api_key.scopes or not api_key.is_live():
        return False
    return not live_keys().filter(scopes__contains=[MANAGING]).exclude(id=api_key.id).exists()
