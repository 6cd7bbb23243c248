"""Retention of the rows that tell who acts: tenants, people, keys, sessions, invitations, exports."""

from typing import Final

from django.db.models import Q

from foundation.idempotency import KEY_LIFETIME
from kernel.clock import utc_now
from tenants.lifecycle.protocols import RetentionRule
from tenants.lifecycle.retention import days_ago, rows_before

RULES: Final = (
    RetentionRule("tenants", ("tenants.Tenant",), "Until the tenant is deleted."),
    RetentionRule(
        "people",
        ("tenants.User", "tenants.Identity"),
        "Until the last tenant they are members of is deleted; operators until they are removed by hand.",
        since="date_joined",
    ),
    RetentionRule("members", ("tenants.Membership",), "Until removed, or the tenant is deleted: histories name them."),
    RetentionRule("api_keys", ("tenants.ApiKey",), "Until the tenant is deleted: histories name revoked ones, too."),
    RetentionRule(
        "key_requests",
        ("tenants.KeyRequest",),
        "24 hours.",
        sweep=rows_before("tenants.KeyRequest", "created_at", lambda: utc_now() - KEY_LIFETIME),
    ),
    RetentionRule(
        "admin_mails",
        ("tenants.AdminMail",),
        "`MAIL_RETENTION_DAYS` after they were written, once they are sent or given up.",
        sweep=rows_before(
            "tenants.AdminMail",
            "created_at",
            days_ago("MAIL_RETENTION_DAYS"),
            only=lambda: Q(next_at=None),
        ),
    ),
    RetentionRule(
        "licences",
        ("tenants.InstalledLicence", "tenants.TenantTrial", "tenants.LicenceNotice"),
        "Until the tenant is deleted: each tenant has one trial, and each end is notified once.",
    ),
    RetentionRule(
        "connections",
        ("tenants.Connection", "tenants.CallbackSecret", "tenants.IdentityProvider"),
        "Until removed, or the tenant is deleted; few, and made by hand.",
    ),
    RetentionRule(
        "limits",
        ("tenants.LimitOverride",),
        "Until removed, or the tenant is deleted; one a limit.",
        since="updated_at",
    ),
    RetentionRule(
        "invitations",
        ("tenants.Invitation",),
        "`INVITATION_RETENTION_DAYS` after the day they end on.",
        sweep=rows_before("tenants.Invitation", "expires_at", days_ago("INVITATION_RETENTION_DAYS")),
    ),
    RetentionRule(
        "exports",
        ("tenants.TenantExport", "tenants.ExportPart"),
        "`EXPORT_RETENTION_DAYS` after they are ready.",
        sweep=rows_before("tenants.TenantExport", "expires_at", utc_now),
    ),
    RetentionRule(
        "sessions",
        ("sessions.Session",),
        "Until they end, `SIGN_IN_HOURS`; sign-ins under way ten minutes.",
        since="expire_date",
        sweep=rows_before("sessions.Session", "expire_date", utc_now),
    ),
    RetentionRule(
        "retention_figures", ("tenants.RetentionFigure",), "One row per kind, written by each sweep.", since="swept_at"
    ),
)
