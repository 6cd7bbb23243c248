"""Changes of licences: one installed, a trial begun."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from audit.services import record
from foundation.scope import reading_scope, tenant_scope
from kernel.clock import utc_now
from kernel.types import Json
from tenants.entitlements.kept import forget_entitlements
from tenants.entitlements.tiers import TIERS
from tenants.licences.errors import (
    ENDED,
    ID_TAKEN,
    OLDER,
    LicenceRefused,
    TrialInvalid,
    TrialNotNeeded,
    TrialUsed,
)
from tenants.licences.ladder import in_force, standing
from tenants.licences.selectors import Licensing, licensing_of
from tenants.licences.signatures import MAX_TRIAL_DAYS, normalise_pasted, open_licence
from tenants.licences.terms import TRIAL_PREFIX, Licence, new_licence_id, write_licence
from tenants.models import InstalledLicence, Tenant, TenantTrial
from tenants.sealing import seal_into

TRIAL_DAYS: Final = 14
TRIAL_TIER: Final = "professional"


@dataclass(frozen=True, slots=True)
class LicenceManager:
    """Installs licences and begins trials of tenants, and tells how they stand.

    What it changes holds in every process within 5 s.

    Attributes:
        actor: For the audit.
    """

    actor: str = "system"

    def current(self, tenant: Tenant) -> Licensing:
        """Tell what holds for a tenant, and how it stands."""
        return licensing_of(tenant.id)

    def check(self, tenant: Tenant, text: str) -> Licence:
        """Read a licence as ``install`` would; nothing is changed. Errors as there."""
        note, now = normalise_pasted(text), utc_now()
        licence = open_licence(note, tenant=tenant.slug, keys=settings.LICENCE_KEYS)
        if now >= standing(licence, now).ends_at:
            raise LicenceRefused(f"The licence ended on {licence.last_day.isoformat()}.", reason=ENDED)
        with reading_scope(tenant.id):
            installed = InstalledLicence.objects.filter(licence_id=licence.licence_id).first()
            held = licensing_of(tenant.id).licences
        if installed is not None and installed.note != note:
            raise LicenceRefused(f"Another licence is installed under the id {licence.licence_id}.", reason=ID_TAKEN)
        holding = in_force([one for one in held if not one.is_trial], now)
        if holding is not None and holding.licence_id > licence.licence_id:
            raise LicenceRefused(
                f"The licence was issued before {holding.licence_id}, which is in force until "
                f"{holding.last_day.isoformat()}.",
                reason=OLDER,
            )
        return licence

    def install(self, tenant: Tenant, text: str) -> InstalledLicence:
        """Install a licence; repeating it changes nothing.

        One that begins later is kept until then. One issued later takes the place of one in force.

        Args:
            tenant: For whom it must be.
            text: The licence with its signature, as the vendor sent it.

        Raises:
            LicenceRefused: It is malformed, forged, another tenant's, has ended, or is older than the one in force.
        """
        licence = self.check(tenant, text)
        with tenant_scope(tenant.id):
            row, is_new = InstalledLicence.objects.get_or_create(
                tenant=tenant, licence_id=licence.licence_id, defaults={"note": normalise_pasted(text)}
            )
            if is_new:
                record("tenant.licence_installed", row, actor=self.actor, after=audit_terms(licence))
            _forget(tenant.id)
        return row

    def enable_trial(self, tenant: Tenant, days: int = TRIAL_DAYS, tier: str = TRIAL_TIER) -> TenantTrial:
        """Begin the tenant's trial: today, for so many whole days more. Each tenant has one, ever.

        Args:
            tenant: Whose.
            days: From 1 to ``MAX_TRIAL_DAYS``.
            tier: What it lends.

        Raises:
            TrialInvalid: There is no such tier, or no trial of this length.
            TrialNotNeeded: A licence is in force, or the tenant may use as much without one.
            TrialUsed: It has had its trial.
        """
        if tier not in TIERS or not 1 <= days <= MAX_TRIAL_DAYS:
            raise TrialInvalid(f"A trial lasts from 1 to {MAX_TRIAL_DAYS} days; its tier is one of {', '.join(TIERS)}.")
        with tenant_scope(tenant.id):
            self.check_trial(tenant, tier)
            today = utc_now().date()
            licence_id = new_licence_id(TRIAL_PREFIX)
            trial = Licence(licence_id, tenant.slug, tier, today, today + timedelta(days=days), {}, (), "Trial")
            row = TenantTrial(tenant=tenant)
            seal_into(row, "terms", write_licence(trial))
            try:
                with transaction.atomic():
                    row.save(force_insert=True)
            except IntegrityError:
                raise TrialUsed from None
            record("tenant.trial_started", row, actor=self.actor, after=audit_terms(trial))
            _forget(tenant.id)
        return row

    def check_trial(self, tenant: Tenant, tier: str) -> None:
        """Refuse a trial as ``enable_trial`` would; nothing is changed. Errors as there."""
        held = licensing_of(tenant.id)
        if held.has_had_trial:
            raise TrialUsed
        if held.in_force is not None:
            raise TrialNotNeeded("A licence is in force.")
        if TIERS.index(tier) <= TIERS.index(settings.DEFAULT_TIER):
            raise TrialNotNeeded(f"Every tenant has the tier {settings.DEFAULT_TIER} here.")


def _forget(tenant_id: UUID) -> None:
    """Have this process see the change now, in the open transaction, and after its commit; others within 5 s."""
    forget_entitlements(tenant_id)
    transaction.on_commit(partial(forget_entitlements, tenant_id))


def audit_terms(licence: Licence) -> dict[str, Json]:
    """Write what the audit keeps of a licence."""
    features: Sequence[Json] = list(licence.features)
    return {
        "licence_id": licence.licence_id,
        "tier": licence.tier,
        "from": licence.first_day.isoformat(),
        "until": licence.last_day.isoformat(),
        "limits": dict(licence.limits),
        "features": list(features),
        "holder": licence.holder,
    }
