"""Caps of the runs that tenants execute at the same time, as far as no operator has set another."""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings

from kernel.bounded_cache import BoundedCache
from runs.engine.store.connection import Database
from tenants.entitlements.effective import LicensedTerms, OperatorChoices, effective_entitlements
from tenants.entitlements.kept import KEPT_SECONDS
from tenants.licences.selectors import MAX_READ, terms_of_texts

UNLIMITED: Final = 2**31 - 1
MAX_TENANTS: Final = 10_000
LICENCES: Final = """
select t.id, t.slug, r.terms,
  array(select note from tenants_installedlicence l where l.tenant_id = t.id order by l.id desc limit %(most)s)
from tenants_tenant t left join tenants_tenanttrial r on r.tenant_id = t.id
where t.id = any(%(ids)s::uuid[])
  and (r.tenant_id is not null or exists (select from tenants_installedlicence l where l.tenant_id = t.id))
"""


class _KnownTerms(NamedTuple):
    """Terms of a tenant as they were read a moment ago; None where it has no licence in force."""

    terms: LicensedTerms | None


_kept: Final[BoundedCache[UUID, _KnownTerms]] = BoundedCache(MAX_TENANTS)


def concurrency_caps(connection: Database, tenant_ids: Sequence[UUID]) -> list[int]:
    """Say how many runs each tenant may execute at once by its licence, its tier or the installation.

    Licences are read anew after ``KEPT_SECONDS``, of all tenants that are asked for together, in the open transaction.
    """
    found = {tenant_id: _kept.get(tenant_id) for tenant_id in tenant_ids}
    missing = [tenant_id for tenant_id, kept in found.items() if kept is None]
    found |= _read(connection, missing) if missing else {}
    usual = _cap(None)
    return [usual if kept is None or kept.terms is None else _cap(kept.terms) for kept in found.values()]


def _read(connection: Database, tenant_ids: Sequence[UUID]) -> dict[UUID, _KnownTerms]:
    until = time.monotonic() + KEPT_SECONDS
    rows = connection.execute(LICENCES, {"ids": list(tenant_ids), "most": MAX_READ}).fetchall()
    terms = {
        tenant_id: terms_of_texts(tenant_id=tenant_id, slug=slug, notes=notes, trial=trial)
        for tenant_id, slug, trial, notes in rows
    }
    read = {tenant_id: _KnownTerms(terms.get(tenant_id)) for tenant_id in tenant_ids}
    for tenant_id, kept in read.items():
        _kept.put(tenant_id, kept, until=until)
    return read


def _cap(terms: LicensedTerms | None) -> int:
    entitlements = effective_entitlements(
        choices=OperatorChoices({}),
        terms=terms,
        default_tier=settings.DEFAULT_TIER,
        installation=settings.DEFAULT_LIMITS,
    )
    most = entitlements.limit("concurrent_runs")
    return UNLIMITED if most is None else most
