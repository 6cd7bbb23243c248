"""Validation of large definitions: one at a time in a thread, tenants in turn."""

from typing import Final

from kernel.turns.fair_threads import FairThreads
from kernel.turns.work_pace import WorkPace
from kernel.types import Json
from kernel.values import size_of
from segments.selectors import catalog
from segments.validation import NOTHING_KNOWN, KnownNames, Validation, validate
from tenants.models import Tenant

MAX_AT_ONCE: Final = 16 * 1024
"""Bytes of a definition that is validated at once: some 20 ms. One of 1 MiB takes most of a second."""
LARGE: Final = FairThreads(1, name="validation")
"""Python executes one thread at a time: several validations side by side would end no sooner, and every other request
would have to wait for its turn behind all of them."""
PACE: Final = WorkPace(share=1 / 3, burst_seconds=0.25)
"""Definitions of up to some 60 KiB are validated without a rest."""


def validate_pooled(tenant: Tenant, document: Json, known: KnownNames = NOTHING_KNOWN) -> Validation:
    """Validate a tenant's definition, as ``validate``. May wait for others: never call it in a transaction."""
    if size_of(document) <= MAX_AT_ONCE:
        return validate(document, catalog(), known)
    validation: Validation = LARGE.submit_for(tenant.id, lambda: _at_a_pace(document, known)).result()
    return validation


def _at_a_pace(document: Json, known: KnownNames) -> Validation:
    with PACE.kept():
        return validate(document, catalog(), known)
