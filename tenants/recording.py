"""Telling the audit of changes: it stands above this app, so the setting AUDIT_RECORDER names who writes entries."""

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from kernel.values import Json
from tenants.models import Tenant


def record(
    *,
    tenant: Tenant | None,
    action: str,
    actor: str,
    object_type: str,
    object_id: str,
    before: Json = None,
    after: Json = None,
    outcome: str = "done",
) -> None:
    """Add an entry to the open transaction; arguments as for ``audit.services.record``. Never give it a secret."""
    recorder: Any = import_string(settings.AUDIT_RECORDER)
    recorder(
        tenant=tenant,
        action=action,
        actor=actor,
        object_type=object_type,
        object_id=object_id,
        before=before,
        after=after,
        outcome=outcome,
    )
