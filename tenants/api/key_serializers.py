"""Serializers of keys."""

from typing import Any

from rest_framework import serializers

from foundation.requests import Strict
from tenants.access.issuing import MAX_OLD_SECRET_SECONDS, OLD_SECRET_SECONDS, IssuedKey
from tenants.models import ApiKey
from tenants.types import SCOPES


class KeyFields(Strict):
    """A key to be made."""

    name = serializers.CharField(max_length=100, help_text="The program that uses it.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES),
        allow_empty=False,
        max_length=50,
        help_text="Its scopes; only scopes that the caller has.",
    )
    expires_at = serializers.DateTimeField(
        required=False,
        default=None,
        allow_null=True,
        help_text="When it stops working. By default when the calling key does; never if that has no end.",
    )


class RotationFields(Strict):
    """Options of a rotation."""

    old_secret_seconds = serializers.IntegerField(
        default=OLD_SECRET_SECONDS,
        min_value=0,
        max_value=MAX_OLD_SECRET_SECONDS,
        help_text="How long the current secret keeps working; 0 ends it at once.",
    )
    expires_at = serializers.DateTimeField(
        required=False, default=None, allow_null=True, help_text="The key's new end. Left out: it stays."
    )


class RevocationQuery(Strict):
    """Query of a revocation."""

    allow_last = serializers.BooleanField(
        default=False, help_text="Revoke it even if no other key may manage the tenant's keys."
    )


class ApiKeyShape(serializers.Serializer[Any]):
    """A key of a program, without its secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    public_id = serializers.CharField(help_text="The public part of the key; rotations keep it.")
    scopes = serializers.ListField(child=serializers.CharField())
    state = serializers.CharField(help_text="`live`, `expired` or `revoked`.")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(help_text="The actor, as in the audit; empty for a key made long ago.")
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    rotated_at = serializers.DateTimeField(allow_null=True, help_text="When the current secret replaced another.")
    old_secret_ends_at = serializers.DateTimeField(
        allow_null=True, help_text="Until then the previous secret works, too; null when only one secret works."
    )
    last_used_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Accurate to a minute, shown about a minute later. Null: not used since this is recorded.",
    )


class GivenKeyShape(ApiKeyShape):
    """A key with a secret just made."""

    secret = serializers.CharField(
        allow_null=True,
        help_text="The whole key, shown this once: `Authorization: Bearer <secret>`. Null in a repeated answer.",
    )


def api_key_body(key: ApiKey) -> dict[str, Any]:
    """Fill an ``ApiKeyShape``."""
    return {
        "id": key.id,
        "name": key.name,
        "public_id": key.public_id,
        "scopes": key.scopes,
        "state": key.state,
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "rotated_at": key.rotated_at,
        "old_secret_ends_at": key.old_secret_until,
        "last_used_at": key.last_used_at,
    }


def given_key_body(given: IssuedKey) -> dict[str, Any]:
    """Fill a ``GivenKeyShape``."""
    return {**api_key_body(given.api_key), "secret": given.text}
