"""Sealed addresses of callbacks: the URL and the caller's own headers, never shown again."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson
from django.conf import settings

from runs.models import NotificationTarget, RunCallback, WebhookEndpoint
from tenants.sealing import open_from, seal_into


@dataclass(frozen=True, slots=True)
class Address:
    """Address of a callback, byte for byte, and the caller's headers."""

    url: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)


def seal_address(row: RunCallback | NotificationTarget | WebhookEndpoint, address: Address) -> None:
    """Put an address into the row of a callback, a tenant's target or an endpoint, sealed, and the hash of its URL."""
    headers = [list(header) for header in address.headers]
    seal_into(row, "address", orjson.dumps([address.url, headers]).decode())
    row.url_hash = hash_url(row.tenant_id, address.url)


def hash_url(tenant_id: UUID, url: str) -> str:
    """Hash a tenant's URL, so that what goes to the same one is known while it stays sealed.

    Keyed, so that nobody who reads rows finds out by guessing.
    """
    key = hmac.digest(settings.SECRET_KEY.encode(), b"llmteam callback url v1", hashlib.sha256)
    return hmac.digest(key, tenant_id.bytes + url.encode(), hashlib.sha256)[:16].hex()


def open_address(row: RunCallback | NotificationTarget | WebhookEndpoint) -> Address:
    """Open it again.

    Raises:
        SealBroken: The key that sealed it is not on the installation's ring.
    """
    url, headers = orjson.loads(open_from(row, "address"))
    return Address(url, [(name, value) for name, value in headers])
