"""Requests that make secrets, once for each idempotency key. The secret itself is never kept, so never shown again."""

from foundation.idempotency import KEY_LIFETIME, IdempotencyKeyReused, IdempotentRequest
from kernel.clock import utc_now
from tenants.models import ApiKey, KeyRequest


def find_made(once: IdempotentRequest | None) -> ApiKey | None:
    """Find the key that an earlier request of this name has made a secret of; None where there was none.

    To be called in the tenant's scope, with its row locked, so that of two at once the second finds the first.

    Raises:
        IdempotencyKeyReused: It was another request.
    """
    if once is None:
        return None
    young = KeyRequest.objects.filter(key=once.key, created_at__gte=utc_now() - KEY_LIFETIME)
    used = young.select_related("api_key").first()
    if used is None:
        return None
    if used.request_hash != once.request_hash:
        raise IdempotencyKeyReused
    return used.api_key


def keep_request(once: IdempotentRequest | None, api_key: ApiKey) -> None:
    """Have a request's name stand for what it made, in the same transaction."""
    if once is None:
        return
    KeyRequest.objects.filter(key=once.key).delete()
    KeyRequest.objects.create(
        tenant_id=api_key.tenant_id, key=once.key, request_hash=once.request_hash, api_key=api_key
    )
