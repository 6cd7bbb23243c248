"""Serializers of tenants."""

from typing import Any, Final

from rest_framework import serializers

from foundation.request_fields import ChoiceList
from foundation.requests import Strict
from tenants.access.tokens import MAX_SECONDS
from tenants.entitlements.effective import Entitlements
from tenants.entitlements.tiers import FEATURES, TIERS
from tenants.lifecycle.suspension import state_of
from tenants.models import ApiKey, Membership, RemovalStage, RunsWhileSuspended, Tenant
from tenants.types import SCOPES, Caller

STATES: Final = ("active", "suspended", "to_be_deleted")


class TenantShape(serializers.Serializer[Any]):
    """A tenant."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(
        choices=STATES,
        help_text="`suspended` and `to_be_deleted`: nothing is started, `TENANT_SUSPENDED`; all else works.",
    )


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

    scopes = ChoiceList(
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
        "tenant": {"id": tenant.id, "slug": tenant.slug, "name": tenant.name, "state": state_of(tenant)},
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


class LifecycleShape(TenantShape):
    """A tenant, and what an operator has decided about its life."""

    suspended_at = serializers.DateTimeField(allow_null=True)
    suspended_runs = serializers.ChoiceField(
        choices=RunsWhileSuspended.values, allow_null=True, help_text="What its suspension does to its runs."
    )
    suspension_reason = serializers.CharField(allow_null=True)
    deletion_due_at = serializers.DateTimeField(
        allow_null=True, help_text="When its removal begins, where its deletion was requested."
    )
    removal_stage = serializers.ChoiceField(
        choices=RemovalStage.values, allow_null=True, help_text="How far its removal is; null until it begins."
    )


class SuspensionFields(Strict):
    """Suspension of a tenant."""

    runs = serializers.ChoiceField(
        choices=RunsWhileSuspended.values,
        default=RunsWhileSuspended.FINISH.value,
        help_text="What becomes of its runs that are not over.",
    )
    reason = serializers.CharField(
        max_length=500, help_text="Told to the tenant with each refusal, and kept in the audit."
    )


class DeletionFields(Strict):
    """Request for the deletion of a tenant."""

    reason = serializers.CharField(max_length=500, help_text="Kept in the audit.")


class DeletionConfirmation(Strict):
    """Confirmation of a deletion."""

    slug = serializers.CharField(max_length=64, help_text="The tenant's short name: which one you mean.")


class TenantFactsShape(LifecycleShape):
    """A tenant, and what it may use."""

    tier = serializers.ChoiceField(choices=TIERS, help_text="Of its licence, else the installation's default.")
    features = serializers.ListField(child=serializers.CharField())
    allowed_step_types = serializers.ListField(
        child=serializers.CharField(), help_text="What an operator lets it use whatever its tier says."
    )
    blocked_step_types = serializers.ListField(
        child=serializers.CharField(), help_text="What an operator has blocked whatever its tier says."
    )
    created_at = serializers.DateTimeField()


def lifecycle_body(tenant: Tenant) -> dict[str, Any]:
    """Fill a ``LifecycleShape``."""
    return {
        "id": tenant.id,
        "slug": tenant.slug,
        "name": tenant.name,
        "state": state_of(tenant),
        "suspended_at": tenant.suspended_at,
        "suspended_runs": tenant.suspended_runs or None,
        "suspension_reason": tenant.suspension_reason or None,
        "deletion_due_at": tenant.deletion_due_at,
        "removal_stage": tenant.removal_stage or None,
    }


def tenant_body(tenant: Tenant, entitlements: Entitlements) -> dict[str, Any]:
    """Fill a ``TenantFactsShape``."""
    return {
        **lifecycle_body(tenant),
        "tier": entitlements.tier,
        "features": [name for name in FEATURES if name in entitlements.features],
        "allowed_step_types": sorted(entitlements.allowed),
        "blocked_step_types": sorted(entitlements.blocked),
        "created_at": tenant.created_at,
    }
