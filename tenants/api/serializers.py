"""Serializers of tenants."""

from typing import Any

from rest_framework import serializers

from foundation.request_fields import WordList
from foundation.requests import Strict
from tenants.access.tokens import MAX_SECONDS
from tenants.models import ApiKey, Membership
from tenants.types import SCOPES, Caller


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


class MeMemberShape(serializers.Serializer[Any]):
    """The member who calls."""

    member_id = serializers.UUIDField()
    email = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    groups = serializers.ListField(child=serializers.CharField())


class MeQuery(Strict):
    """Query of the caller's rights."""

    scopes = WordList(
        words=SCOPES,
        noun="scope",
        required=False,
        max_length=1000,
        help_text="Scopes, separated by commas: a key that lacks one of them is answered with a 403 that names it.",
    )


class MeShape(serializers.Serializer[Any]):
    """The caller."""

    tenant = TenantShape()
    key = KeyShape(allow_null=True, help_text="Null for a person who has signed in.")
    member = MeMemberShape(allow_null=True, help_text="Who acts, where a person does.")
    scopes = serializers.ListField(child=serializers.CharField())
    token_expires_at = serializers.DateTimeField(allow_null=True, help_text="Of a token; null for a key.")


def me_body(caller: Caller) -> dict[str, Any]:
    """Fill a ``MeShape``."""
    tenant = caller.tenant
    return {
        "tenant": {"id": tenant.id, "slug": tenant.slug, "name": tenant.name},
        "key": None if caller.api_key is None else _key_body(caller.api_key),
        "member": None if caller.member is None else _member_body(caller.member),
        "scopes": caller.scopes,
        "token_expires_at": caller.expires_at,
    }


def _key_body(key: ApiKey) -> dict[str, Any]:
    return {"id": key.id, "name": key.name, "public_id": key.public_id, "expires_at": key.expires_at}


def _member_body(member: Membership) -> dict[str, Any]:
    return {
        "member_id": member.id,
        "email": member.user.email,
        "name": member.user.get_full_name() or member.user.email,
        "role": member.role,
        "groups": member.groups,
    }


class TokenFields(Strict):
    """Rights and lifetime of a token."""

    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES),
        allow_empty=False,
        max_length=50,
        help_text="Of those the key has.",
    )
    member = serializers.CharField(
        required=False,
        max_length=254,
        help_text="Whom it acts for: an active member's e-mail or id. What is done with it is theirs; it may do what "
        "their role may. The key needs `tenant:write`.",
    )
    expires_in = serializers.IntegerField(default=MAX_SECONDS, min_value=1, max_value=MAX_SECONDS, help_text="Seconds.")


class TokenShape(serializers.Serializer[Any]):
    """A token just made; it is shown once."""

    token = serializers.CharField(help_text="Send it as a key: `Authorization: Bearer <token>`.")
    expires_at = serializers.DateTimeField()
    scopes = serializers.ListField(child=serializers.CharField())
