"""Types every app shares: who calls, what a key may do, JSON kept as text."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from kernel.values import Json, dump_json

if TYPE_CHECKING:
    from tenants.models import ApiKey, Tenant

SCOPES: Final = (
    "segments:read",
    "segments:write",
    "runs:read",
    "runs:write",
    "tasks:read",
    "tasks:write",
    "audit:read",
    "tenant:read",
    "tenant:write",
    "webhooks:write",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from: a program with a key of one tenant."""

    tenant: "Tenant"
    api_key: "ApiKey"

    @property
    def actor(self) -> str:
        """How the audit names the caller."""
        return f"key:{self.api_key.public_id}"


class JsonTextField(models.JSONField):
    """JSON kept as the text that was written (Postgres ``json``), so that what was written is what is read."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Use ``json``, which keeps the text, not ``jsonb``, which keeps a parsed form."""
        return "json"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        """Write compact text; None is SQL NULL."""
        return None if value is None else dump_json(value)

    def from_db_value(self, value: Json, expression: Any, connection: BaseDatabaseWrapper) -> Json:
        """Return what the driver parsed: it reads ``json`` itself, unlike ``jsonb``."""
        return value
