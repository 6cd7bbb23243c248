"""The manager that fails closed: no tenant in scope, no rows."""

from typing import Any, TypeVar

from django.db import models

from foundation.scope import scope_tenant_id

Row = TypeVar("Row", bound=models.Model)


class TenantManager(models.Manager[Row]):
    """Default manager of every tenant-owned model: only rows of the tenant in scope.

    Raises:
        NoTenantInScope: A query is built outside ``foundation.scope.tenant_scope`` and ``unscoped``.
    """

    def get_queryset(self) -> models.QuerySet[Row]:
        """Return the rows of the tenant in scope, or all rows inside ``unscoped``."""
        rows: models.QuerySet[Row, Any] = super().get_queryset()
        tenant_id = scope_tenant_id()
        return rows if tenant_id is None else rows.filter(tenant_id=tenant_id)
