"""Lanes of deliveries: everything to one URL of a tenant goes one after the other."""

from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from kernel.clock import utc_now
from runs.models import Delivery, DeliveryAttempt, DeliveryStatus

URL_LOCK: Final = 0x6C6C6D75
"""First key of the advisory locks of URLs; the second is a hash of the tenant and the URL's hash."""


def lock_lane(tenant_id: UUID, url_hash: str) -> None:
    """Keep hosts from claiming and settling what goes to a URL until the open transaction ends.

    Before any row is locked: hosts lock a lane first, too.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [URL_LOCK, f"{tenant_id}{url_hash}"])


def dissolve_lane(tenant_id: UUID, url_hash: str) -> None:
    """Have what is queued looked at anew, as the first of the queue may have been taken out of it."""
    Delivery.objects.filter(tenant_id=tenant_id, url_hash=url_hash, is_queued=True).update(is_queued=False)


def give_up_for(deliveries: QuerySet[Delivery], error_code: str) -> int:
    """End what is pending of some deliveries, as ``give_up``, each with a line in its log that says why."""
    pending = deliveries.filter(status=DeliveryStatus.PENDING, is_claimed=False).select_for_update(no_key=True)
    rows = list(pending.order_by("id").values_list("id", "tenant_id", "attempts"))
    now = utc_now()
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(delivery_id=one, tenant_id=tenant_id, number=attempts + 1, at=now, error_code=error_code)
        for one, tenant_id, attempts in rows
    )
    Delivery.objects.filter(id__in=[one for one, _, _ in rows]).update(attempts=F("attempts") + 1)
    return give_up(deliveries)


def give_up(deliveries: QuerySet[Delivery]) -> int:
    """End what is pending of some deliveries without another try; what is under way ends by itself."""
    pending = deliveries.filter(status=DeliveryStatus.PENDING, is_claimed=False)
    return pending.update(status=DeliveryStatus.BLOCKED, next_at=None, is_queued=False, ended_at=Now())
