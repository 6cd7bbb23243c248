"""Entitlements of tenants that this process has read a moment ago."""

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from kernel.bounded_cache import BoundedCache
from tenants.entitlements.effective import Entitlements

KEPT_SECONDS: Final = 4.0
"""Less than the 5 s within which a change holds in every process."""
_kept: Final[BoundedCache[UUID, Entitlements]] = BoundedCache(10_000)


def kept_entitlements(tenant_id: UUID, read: Callable[[UUID], Entitlements]) -> Entitlements:
    """Return what a tenant may use, as it was read less than ``KEPT_SECONDS`` ago, or read it.

    Args:
        tenant_id: Whose.
        read: Reads it anew.
    """
    until = time.monotonic() + KEPT_SECONDS
    found = _kept.get(tenant_id)
    if found is None:
        found = read(tenant_id)
        _kept.put(tenant_id, found, until=until)
    return found


def fresh_entitlements(tenant_id: UUID) -> Entitlements | None:
    """Return what a tenant may use if it was read less than ``KEPT_SECONDS`` ago; reads nothing."""
    return _kept.get(tenant_id)


def forget_entitlements(tenant_id: UUID) -> None:
    """Have this process read a tenant's entitlements again."""
    _kept.pop(tenant_id)
