"""The mail that tells somebody they are invited. Sent behind the commit; a failure is kept with the invitation."""

import logging
import smtplib
from functools import partial
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string

from kernel.clock import utc_now
from tenants.context import tenant_scope
from tenants.members.models import Invitation

log = logging.getLogger(__name__)


def mail_invitation(row: Invitation) -> None:
    """Have an invitation mailed once the open transaction has committed."""
    transaction.on_commit(partial(_send, row.tenant_id, row.id))


def _send(tenant_id: UUID, invitation_id: UUID) -> None:
    with tenant_scope(tenant_id):
        row = Invitation.objects.select_related("tenant").get(id=invitation_id)
    told = {"tenant": row.tenant.name, "url": f"{settings.PUBLIC_URL}/sign-in/", "expires_at": row.expires_at}
    subject = " ".join(render_to_string("members/invitation_subject.txt", told).split())
    error = ""
    try:
        send_mail(subject, render_to_string("members/invitation.txt", told), None, [row.email])
    except (smtplib.SMTPException, OSError) as failure:
        log.warning("an invitation could not be mailed: %s", type(failure).__name__)
        error = f"The mail server did not take it ({type(failure).__name__})."
    with tenant_scope(tenant_id):
        Invitation.objects.filter(id=invitation_id).update(mailed_at=None if error else utc_now(), mail_error=error)
