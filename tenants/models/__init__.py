"""Rows of the app: tenants, people, keys, connections, invitations, accounts of providers."""

from tenants.models.connections import Connection, ConnectionAuth, ConnectionKind, SecretPlace
from tenants.models.members import Invitation
from tenants.models.sign_in import DEFAULT_SCOPES, Identity, IdentityProvider
from tenants.models.tenants import ApiKey, CallbackSecret, MemberRole, Membership, Tenant, User

__all__ = [
    "DEFAULT_SCOPES",
    "ApiKey",
    "CallbackSecret",
    "Connection",
    "ConnectionAuth",
    "ConnectionKind",
    "Identity",
    "IdentityProvider",
    "Invitation",
    "MemberRole",
    "Membership",
    "SecretPlace",
    "Tenant",
    "User",
]
