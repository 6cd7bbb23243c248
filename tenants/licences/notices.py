"""Notices of licences that end: each step of the ladder is kept once, told to the audit, and mailed to the admins.

Nothing depends on them: what a licence grants is read from its signature and the clock.
"""

import logging
import random
import smtplib
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string

from audit.services import record
from foundation.mail_subjects import subject_of
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from tenants.licences.ladder import NoticeStep, is_followed, notice_due, standing
from tenants.licences.selectors import licensing_of
from tenants.licences.services import audit_terms
from tenants.licences.terms import Licence
from tenants.models import InstalledLicence, LicenceNotice, MemberRole, Membership, Tenant, TenantTrial

log = logging.getLogger(__name__)

TENANTS_AT_ONCE: Final = 10
MAX_SUBJECT_LENGTH: Final = 200
EXPIRING: Final = "tenant.licence_expiring"
ENDED: Final = "tenant.licence_ended"


def keep_due_notices() -> int:
    """Keep of each tenant the step its licence has come to, where it was not kept before; return how many are new."""
    with unscoped("the licences of all tenants are looked at together"):
        licensed = set(InstalledLicence.objects.values_list("tenant_id", flat=True).distinct())
        licensed |= set(TenantTrial.objects.values_list("tenant_id", flat=True))
    return sum(_keep_due(tenant_id) for tenant_id in licensed)


def mail_due_notices() -> int:
    """Mail one notice of each of some tenants to its admins; return how many were tried.

    At least once, as invitations are. Those of an inactive tenant wait.
    """
    with unscoped("the notices of all tenants are mailed together"):
        tenants = list(_unmailed().filter(tenant__is_active=True).values_list("tenant_id", flat=True).distinct())
    chosen = random.sample(tenants, min(TENANTS_AT_ONCE, len(tenants)))
    return sum(_mail_one(tenant_id) for tenant_id in chosen)


def _keep_due(tenant_id: UUID) -> bool:
    with tenant_scope(tenant_id):
        found = licensing_of(tenant_id)
        licence, now = found.current, utc_now()
        if licence is None or is_followed(licence, found.licences):
            return False
        step = notice_due(licence, now)
        kept = LicenceNotice.objects.filter(licence_id=licence.licence_id, step=step)
        if step is None or kept.exists():
            return False
        try:
            with transaction.atomic():
                LicenceNotice.objects.create(
                    tenant_id=tenant_id,
                    licence_id=licence.licence_id,
                    step=step.value,
                    tier=licence.tier,
                    last_day=licence.last_day,
                )
        except IntegrityError:
            return False  # another process was first
        _record(tenant_id, licence, step)
    return True


def _record(tenant_id: UUID, licence: Licence, step: NoticeStep) -> None:
    action = ENDED if step in {NoticeStep.ENDED, NoticeStep.OVER} else EXPIRING
    stands = standing(licence, utc_now())
    after = audit_terms(licence) | {"step": step.value, "days_left": stands.days_left}
    record(action, Tenant.objects.get(id=tenant_id), actor="system", after=after)


def _unmailed() -> QuerySet[LicenceNotice]:
    return LicenceNotice.objects.filter(mailed_at=None, mail_error="")


def _mail_one(tenant_id: UUID) -> bool:
    """Mail a tenant's oldest; False where another process has it in hand."""
    with tenant_scope(tenant_id):
        rows = _unmailed().select_related("tenant").select_for_update(of=("self",), skip_locked=True)
        row = rows.order_by("created_at").first()
        if row is None:
            return False
        row.mail_error = _send(row)
        row.mailed_at = None if row.mail_error else utc_now()
        row.save(update_fields=["mailed_at", "mail_error"])
    return True


def _send(row: LicenceNotice) -> str:
    """Send the mail to each admin; return why it did not go out."""
    admins = Membership.objects.filter(role=MemberRole.ADMIN, deactivated_at=None, user__is_active=True)
    addresses = sorted(set(admins.exclude(user__email="").values_list("user__email", flat=True)))
    if not addresses:
        return "The tenant has no admin with an e-mail."
    variables = {
        "tenant": row.tenant.name,
        "tier": row.tier,
        "last_day": row.last_day,
        "step": row.step,
        "is_trial": row.licence_id.startswith("trial_"),
        "default_tier": settings.DEFAULT_TIER,
    }
    subject = subject_of(render_to_string("licences/notice_subject.txt", variables), most=MAX_SUBJECT_LENGTH)
    body = render_to_string("licences/notice.txt", variables)
    try:
        for address in addresses:
            send_mail(subject, body, None, [address])
    except (smtplib.SMTPException, OSError, ValueError) as failure:
        log.warning("a notice of a licence could not be mailed: %s", type(failure).__name__)
        return f"The mail server did not take it ({type(failure).__name__})."
    return ""
