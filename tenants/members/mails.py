"""The mails that tell people they are invited: sent by workers, tenants in turn; failures are kept with them."""

import logging
import random
import smtplib
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import QuerySet
from django.template.loader import render_to_string

from foundation.mail_subjects import subject_of
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from tenants.models import Invitation

log = logging.getLogger(__name__)

TENANTS_AT_ONCE: Final = 10
MAX_SUBJECT_LENGTH: Final = 200


def mail_due_invitations() -> int:
    """Mail one open invitation that was not mailed yet of each of some tenants; return how many were tried.

    At least once: a process that is killed between the mail server's yes and the commit leaves one that is sent again.
    """
    with unscoped("the invitations of all tenants are mailed together"):
        tenants = list(_due().filter(tenant__is_active=True).values_list("tenant_id", flat=True).distinct())
    chosen = random.sample(tenants, min(TENANTS_AT_ONCE, len(tenants)))
    return sum(_mail_one(tenant_id) for tenant_id in chosen)


def _due() -> QuerySet[Invitation]:
    unmailed = Invitation.objects.filter(mailed_at=None, mail_error="", accepted_at=None, revoked_at=None)
    return unmailed.filter(expires_at__gt=utc_now())


def _mail_one(tenant_id: UUID) -> bool:
    """Mail a tenant's oldest; False where another process has it in hand."""
    with tenant_scope(tenant_id):
        rows = _due().select_related("tenant").select_for_update(of=("self",), skip_locked=True)
        row = rows.order_by("created_at").first()
        if row is None:
            return False
        row.mail_error = _send(row)
        row.mailed_at = None if row.mail_error else utc_now()
        row.save(update_fields=["mailed_at", "mail_error"])
    return True


def _send(row: Invitation) -> str:
    """Send the mail; return why it did not go out."""
    variables = {
        "tenant": row.tenant.name,
        "role": row.role,
        "url": f"{settings.PUBLIC_URL}/sign-in/",
        "expires_at": row.expires_at,
    }
    subject = subject_of(render_to_string("members/invitation_subject.txt", variables), most=MAX_SUBJECT_LENGTH)
    try:
        send_mail(subject, render_to_string("members/invitation.txt", variables), None, [row.email])
    except (smtplib.SMTPException, OSError, ValueError) as failure:
        log.warning("an invitation could not be mailed: %s", type(failure).__name__)
        return f"The mail server did not take it ({type(failure).__name__})."
    return ""
