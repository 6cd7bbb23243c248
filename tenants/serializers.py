"""How tenants look to callers."""

from typing import Any

from rest_framework import serializers

from tenants.requests import Strict
from tenants.services import MOST_TOKEN_SECONDS
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
    token_expires_at = serializers.DateTimeField(allow_null=True, help_text="Of a token; null for a key.")


def me_body(caller: Caller) -> dict[str, Any]:
    """Fill a ``MeShape``."""
    tenant, key = caller.tenant, caller.api_key
    return {
        "tenant": {"id": tenant.id, "slug": tenant.slug, "name": tenant.name},
        "key": {"id": key.id, "name": key.name, "public_id": key.public_id, "expires_at": key.expires_at},
        "scopes": caller.scopes,
        "token_expires_at": caller.expires_at,
    }


class TokenFields(Strict):
    """What a token may do, and for how long."""

    scopes = serializers.ListField(
        child=serializers.CharField(max_length=32), allow_empty=False, max_length=50, help_text="Of those the key has."
    )
    expires_in = serializers.IntegerField(
        default=MOST_TOKEN_SECONDS, min_value=1, max_value=MOST_TOKEN_SECONDS, help_text="Seconds."
    )


class TokenShape(serializers.Serializer[Any]):
    """A token just made; it is shown once."""

    token = serializers.CharField(help_text="Send it as a key: `Authorization: Bearer <token>`.")
    expires_at = serializers.DateTimeField()
    scopes = serializers.ListField(child=serializers.CharField())
