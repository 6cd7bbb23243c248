"""Look after endpoints that fail: admins are told after a day, three and four; after five they are disabled."""

from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q

from audit.services import record
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.types import Json
from runs.errors import WebhookEndpointNotFound
from runs.models import DisabledReason, WebhookEndpoint
from runs.webhooks.bounds import DISABLED_AFTER, NOTICE_DAYS
from runs.webhooks.services import disable, lock_endpoint
from tenants.admin_mails.services import mail_admins

AT_ONCE: Final = 500
DAY_SECONDS: Final = 86_400.0


def look_after_endpoints() -> int:
    """Tell of endpoints that have failed for days, and disable those that did for five or are gone.

    May be called any number of times: each notice is given once.

    Returns:
        How many endpoints were looked at.
    """
    with unscoped("endpoints of all tenants are looked after together"):
        live = WebhookEndpoint.objects.filter(disabled_at=None, deleted_at=None, failing_since__isnull=False)
        doubtful = live.filter(Q(is_gone=True) | Q(failing_since__lte=_days_ago(utc_now(), NOTICE_DAYS[0])))
        found = list(doubtful.order_by("failing_since").values_list("tenant_id", "id")[:AT_ONCE])
    for tenant_id, endpoint_id in found:
        with suppress(WebhookEndpointNotFound):
            _look_after(tenant_id, endpoint_id)
    return len(found)


def _look_after(tenant_id: UUID, endpoint_id: UUID) -> None:
    with tenant_scope(tenant_id):
        endpoint = lock_endpoint(endpoint_id)
        if endpoint.failing_since is None or endpoint.is_disabled:
            return
        age = utc_now() - endpoint.failing_since
        days = max((days for days in NOTICE_DAYS if age.total_seconds() >= days * DAY_SECONDS), default=0)
        if endpoint.is_gone or age >= DISABLED_AFTER:
            disable(endpoint, DisabledReason.GONE if endpoint.is_gone else DisabledReason.FAILING)
            _tell(endpoint, "disabled", {"is_gone": endpoint.is_gone})
        elif days > endpoint.noticed_days:
            endpoint.noticed_days = days
            _tell(endpoint, "failing", {"days": days})
        endpoint.save(update_fields=["disabled_at", "disabled_reason", "noticed_days"])


def _tell(endpoint: WebhookEndpoint, what: str, more: dict[str, Json]) -> None:
    since = endpoint.failing_since
    facts: dict[str, Json] = {"host": endpoint.host, "failing_since": None if since is None else since.isoformat()}
    about: dict[str, Json] = {"endpoint_id": str(endpoint.id), "description": endpoint.description}
    mails = mail_admins(tenant=endpoint.tenant, template=f"webhooks/{what}", variables={**facts, **about, **more})
    record(f"webhook_endpoint.{what}", endpoint, actor="system", after={**facts, **more, "mails": mails})


def _days_ago(now: datetime, days: int) -> datetime:
    return datetime.fromtimestamp(now.timestamp() - days * DAY_SECONDS, tz=now.tzinfo)
