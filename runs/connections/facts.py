"""Facts of a tenant's connections, as the database has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kernel.types import Json
from tenants.sealing import open_sealed


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """One connection; ``sealed`` is its secret as stored, ``tls_key`` its private key as stored."""

    id: UUID
    tenant_id: UUID
    ref: str
    kind: str
    provider: str
    base_url: str
    model: str
    headers: Mapping[str, str]
    auth: str
    auth_name: str
    username: str
    token_url: str
    client_id: str
    scope: str
    audience: str
    resource: str
    secret_in: str
    tls_ca: str
    tls_certificate: str
    tls_key: str = field(repr=False)
    sealed: str = field(repr=False)
    timeout_seconds: float | None
    requests_per_minute: int | None
    max_concurrency: int | None
    allows_tools: bool
    options: Mapping[str, Json]
    is_active: bool
    updated_at: datetime

    def open_secret(self) -> str:
        """Open the secret; empty where there is none.

        Raises:
            SealBroken: It was sealed with a key this process has not.
        """
        return self._open(self.sealed, "secret")

    def open_tls_key(self) -> str:
        """Open the private key of the client certificate; as ``open_secret``."""
        return self._open(self.tls_key, "tls_key")

    def _open(self, sealed: str, name: str) -> str:
        return open_sealed(sealed, tenant_id=self.tenant_id, table="tenants_connection", row_id=self.id, field=name)


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """A tenant's connections by ref, and the hosts inside that its operator lets it call."""

    connections: Mapping[str, ConnectionFacts]
    allowed_hosts: tuple[str, ...] = ()
