"""Notices to a tenant's admins: each is a mail to every one of them, inserted with what it tells of."""

from typing import Final

from django.template.loader import render_to_string

from foundation.mail_subjects import subject_of
from kernel.types import Json
from tenants.models import AdminMail, MemberRole, Membership, Tenant

MAX_ADMINS: Final = 50
"""Most admins of a tenant who are mailed; those who joined first."""
MAX_SUBJECT_LENGTH: Final = 200


def mail_admins(*, tenant: Tenant, template: str, variables: dict[str, Json]) -> int:
    """Have a tenant's active admins mailed; return how many. To be called inside the tenant's scope.

    The mails are kept where the transaction around this is kept, and go out within a second or so.

    Args:
        tenant: Whose admins.
        template: ``<template>_subject.txt`` and ``<template>.txt`` say it.
        variables: What stands in them; ``tenant`` is its name.
    """
    said = {**variables, "tenant": tenant.name}
    subject = subject_of(render_to_string(f"{template}_subject.txt", said), most=MAX_SUBJECT_LENGTH)
    text = render_to_string(f"{template}.txt", said)
    admins = Membership.objects.filter(role=MemberRole.ADMIN, deactivated_at=None, user__is_active=True)
    found = admins.exclude(user__email="").order_by("created_at")[:MAX_ADMINS]
    mails = [AdminMail(tenant=tenant, member=member, subject=subject, text=text) for member in found]
    return len(AdminMail.objects.bulk_create(mails))
