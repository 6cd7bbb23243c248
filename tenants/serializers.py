"""How tenants look to callers."""

from typing import Any

from rest_framework import serializers

from tenants.types import Caller


class TenantShape(serializers.Serializer[Any]):
    """A tenant."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class KeyShape(serializers.Serializer[Any]):
    """A key, without its secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    public_id = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)


class MeShape(serializers.Serializer[Any]):
    """Who calls."""

    tenant = TenantShape()
    key = KeyShape()
    scopes = serializers.ListField(child=serializers.CharField())


def me_body(caller: Caller) -> dict[str, Any]:
    """Fill a ``MeShape``."""
    tenant, key = caller.tenant, caller.api_key
    return {
        "tenant": {"id": tenant.id, "slug": tenant.slug, "name": tenant.name},
        "key": {"id": key.id, "name": key.name, "public_id": key.public_id, "expires_at": key.expires_at},
        "scopes": key.scopes,
    }
