"""Judgements of definitions: large ones one at a time in a process, the tenants' in turn."""

from typing import Final

from kernel.fair_threads import FairThreads
from kernel.types import Json
from kernel.values import size_of
from segments.selectors import catalog
from segments.validation import NOTHING_KNOWN, KnownNames, Validation, validate
from tenants.models import Tenant

MAX_AT_ONCE: Final = 16 * 1024
"""Bytes of a definition that is judged at once: some 20 ms. One of 1 MiB takes most of a second."""
LARGE: Final = FairThreads(1, name="judgement")
"""Python executes one thread at a time: several judgements side by side would end no sooner, and every other request
would have to wait for its turn behind all of them."""


def judge(tenant: Tenant, document: Json, known: KnownNames = NOTHING_KNOWN) -> Validation:
    """Judge a tenant's definition, as ``validate``. May wait for others, so it is never called in a transaction."""
    if size_of(document) <= MAX_AT_ONCE:
        return validate(document, catalog(), known)
    judgement: Validation = LARGE.submit_for(tenant.id, lambda: validate(document, catalog(), known)).result()
    return judgement
