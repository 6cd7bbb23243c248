"""Sending of mails to admins: by workers, of tenants in turn; each is tried five times in about an hour."""

import logging
import random
import smtplib
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.core.mail import EmailMessage
from django.db.models import QuerySet

from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from tenants.models import AdminMail

log = logging.getLogger(__name__)

TENANTS_AT_ONCE: Final = 10
PAUSES: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=40))
OF_A_MACHINE: Final = {"Auto-Submitted": "auto-generated"}
"""Mark of a machine: whoever is away has no answer sent to one (RFC 3834)."""


def mail_due_to_admins() -> int:
    """Send one due mail of each of some tenants; return how many were tried.

    At least once: a process that is killed between the mail server's yes and the commit leaves one that is sent again.
    Those of an inactive tenant wait.
    """
    with unscoped("the mails of all tenants are sent together"):
        tenants = list(_due().filter(tenant__is_active=True).values_list("tenant_id", flat=True).distinct())
    chosen = random.sample(tenants, min(TENANTS_AT_ONCE, len(tenants)))
    return sum(_send_one(tenant_id) for tenant_id in chosen)


def _due() -> QuerySet[AdminMail]:
    return AdminMail.objects.filter(next_at__lte=utc_now())


def _send_one(tenant_id: UUID) -> bool:
    """Send a tenant's oldest; False where another process has it in hand."""
    with tenant_scope(tenant_id):
        rows = _due().select_related("member__user").select_for_update(of=("self",), skip_locked=True)
        mail = rows.order_by("next_at", "id").first()
        if mail is None:
            return False
        mail.error = _send(mail)
        mail.tries += 1
        now, is_over = utc_now(), not mail.error or mail.tries > len(PAUSES)
        mail.sent_at = None if mail.error else now
        mail.next_at = None if is_over else now + PAUSES[mail.tries - 1]
        mail.save(update_fields=["error", "tries", "sent_at", "next_at"])
    return True


def _send(mail: AdminMail) -> str:
    """Send a mail; return why it did not go out."""
    try:
        EmailMessage(mail.subject, mail.text, to=[mail.member.user.email], headers=OF_A_MACHINE).send()
    except (smtplib.SMTPException, OSError, ValueError) as failure:
        log.warning("a mail to an admin did not go out: %s", type(failure).__name__)
        return f"The mail server did not take it ({type(failure).__name__})."
    return ""
