"""Queries of licences: what is installed, and what of it holds. Each answer is read from signatures and seals anew."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings

from foundation.scope import reading_scope, unscoped
from kernel.clock import utc_now
from kernel.crypto import SealBroken
from tenants.entitlements.effective import LicensedTerms
from tenants.licences.errors import LicenceRefused
from tenants.licences.ladder import LicenceStanding, in_force, last_over, needs_banner, standing
from tenants.licences.signatures import open_licence, read_trial
from tenants.licences.terms import Licence
from tenants.models import InstalledLicence, LicenceNotice, Tenant, TenantTrial
from tenants.sealing import open_sealed

MAX_READ: Final = 20
"""Licences of a tenant that are looked at: those installed last."""
MAX_ENDINGS: Final = 20
ENDINGS_FOR: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Licensing:
    """Licences of a tenant that are genuine, and how the one that counts stands.

    Attributes:
        licences: Those a vendor has signed for it, and its trial.
        current: The one in force; where there is none, the one that ended last.
        standing: How it stands.
        next_one: The next one that is to begin.
        has_had_trial: Whether the tenant's only trial is used.
    """

    licences: Sequence[Licence]
    current: Licence | None
    standing: LicenceStanding | None
    next_one: Licence | None
    has_had_trial: bool

    @property
    def in_force(self) -> Licence | None:
        """The licence that holds now."""
        return self.current if self.standing is not None and self.standing.has_effect else None


def licence_of(tenant_id: UUID) -> LicensedTerms | None:
    """Return what a tenant's licence or trial grants now; None where it has none in force.

    Rows prove nothing: each is read by its signature or seal, and by the clock, whenever this is asked.
    """
    with reading_scope(tenant_id):
        found = in_force(_genuine_of(tenant_id), utc_now())
    return None if found is None else found.terms


def licensing_of(tenant_id: UUID) -> Licensing:
    """Read all that is to be told of a tenant's licences."""
    now = utc_now()
    with reading_scope(tenant_id):
        licences = _genuine_of(tenant_id)
        has_had_trial = TenantTrial.objects.exists()
    current = in_force(licences, now) or last_over(licences, now)
    coming = sorted((one for one in licences if one.first_day > now.date()), key=lambda one: one.first_day)
    return Licensing(
        licences,
        current,
        None if current is None else standing(current, now),
        coming[0] if coming else None,
        has_had_trial,
    )


def ending_of(tenant_id: UUID) -> Licensing | None:
    """Read what a tenant's pages warn of: a licence that ends soon or has ended; None where there is nothing to say."""
    found = licensing_of(tenant_id)
    if found.current is None or found.next_one is not None or not needs_banner(found.current, utc_now()):
        return None
    return found


def endings() -> list[tuple[Tenant, Licensing]]:
    """List tenants whose licences end soon or have ended lately: of those told last, at most ``MAX_ENDINGS``."""
    since = utc_now() - ENDINGS_FOR
    with unscoped("operators see the licences of all tenants"):
        told = LicenceNotice.objects.filter(created_at__gt=since).select_related("tenant").order_by("-created_at")
        tenants = list({notice.tenant_id: notice.tenant for notice in told[: 10 * MAX_ENDINGS]}.values())
        found = ((tenant, ending_of(tenant.id)) for tenant in tenants[:MAX_ENDINGS])
        return [(tenant, ending) for tenant, ending in found if ending is not None]


def genuine(row: InstalledLicence | TenantTrial, tenant: Tenant) -> tuple[Licence | None, str]:
    """Read the licence of a row by its signature or seal; else None, and a sentence that says why not."""
    if isinstance(row, InstalledLicence):
        return _genuine_note(row.note, tenant.slug)
    return _genuine_trial(row.terms, tenant.id, tenant.slug)


def terms_of_texts(*, tenant_id: UUID, slug: str, notes: Iterable[str], trial: str | None) -> LicensedTerms | None:
    """Return what ``licence_of`` does, of texts that were read without the models.

    Args:
        tenant_id: The tenant.
        slug: Its short name.
        notes: Its installed licences.
        trial: The sealed terms of its trial; None where it has had none.
    """
    read = [_genuine_note(note, slug)[0] for note in notes]
    read += [] if trial is None else [_genuine_trial(trial, tenant_id, slug)[0]]
    found = in_force([one for one in read if one is not None], utc_now())
    return None if found is None else found.terms


def _genuine_note(note: str, slug: str) -> tuple[Licence | None, str]:
    try:
        return open_licence(note, tenant=slug, keys=settings.LICENCE_KEYS), ""
    except LicenceRefused as error:
        return None, error.detail


def _genuine_trial(sealed: str, tenant_id: UUID, slug: str) -> tuple[Licence | None, str]:
    try:
        terms = open_sealed(sealed, tenant_id=tenant_id, table="tenants_tenanttrial", row_id=tenant_id, field="terms")
        return read_trial(terms, tenant=slug), ""
    except LicenceRefused as error:
        return None, error.detail
    except SealBroken as error:
        return None, f"The trial cannot be opened: {error}."


def _genuine_of(tenant_id: UUID) -> list[Licence]:
    rows = list(InstalledLicence.objects.filter(tenant_id=tenant_id).order_by("-id")[:MAX_READ])
    trials = list(TenantTrial.objects.filter(tenant_id=tenant_id))
    if not rows and not trials:
        return []
    tenant = Tenant.objects.only("slug").get(id=tenant_id)
    found = [*(genuine(row, tenant)[0] for row in trials), *(genuine(row, tenant)[0] for row in rows)]
    return [one for one in found if one is not None]
