"""Rows of the app: tenants, people, keys, connections, invitations, accounts of providers."""

from tenants.models.admin_mails import AdminMail
from tenants.models.connections import Connection, ConnectionAuth, ConnectionKind, SecretPlace
from tenants.models.keys import KeyRequest
from tenants.models.licences import InstalledLicence, LicenceNotice, TenantTrial
from tenants.models.lifecycle import ExportPart, ExportStatus, RetentionFigure, TenantExport
from tenants.models.limits import LimitOverride
from tenants.models.members import Invitation
from tenants.models.sign_in import DEFAULT_SCOPES, Identity, IdentityProvider
from tenants.models.tenants import (
    LEAST_WEIGHT,
    MOST_WEIGHT,
    ApiKey,
    CallbackSecret,
    MemberRole,
    Membership,
    RemovalStage,
    RunsWhileSuspended,
    Tenant,
    User,
)

__all__ = [
    "DEFAULT_SCOPES",
    "LEAST_WEIGHT",
    "MOST_WEIGHT",
    "AdminMail",
    "ApiKey",
    "CallbackSecret",
    "Connection",
    "ConnectionAuth",
    "ConnectionKind",
    "ExportPart",
    "ExportStatus",
    "Identity",
    "IdentityProvider",
    "InstalledLicence",
    "Invitation",
    "KeyRequest",
    "LicenceNotice",
    "LimitOverride",
    "MemberRole",
    "Membership",
    "RemovalStage",
    "RetentionFigure",
    "RunsWhileSuspended",
    "SecretPlace",
    "Tenant",
    "TenantExport",
    "TenantTrial",
    "User",
]
