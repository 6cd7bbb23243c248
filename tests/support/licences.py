"""Licences for tests: a vendor whose key the installation knows, and what it signs."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from kernel.clock import utc_now
from kernel.signed_notes import NoteSigner, new_signer, sign_note
from tenants.licences.terms import Licence, new_licence_id, write_licence

VENDOR: Final = new_signer("vendor.example/licences")


def licence(
    tenant: str = "acme",
    *,
    tier: str = "professional",
    first_day: date | None = None,
    days: int = 365,
    limits: Mapping[str, int | None] | None = None,
    features: Sequence[str] = (),
    **more: Any,
) -> Licence:
    """Make one that begins today and covers so many days after it."""
    begins = first_day or utc_now().date()
    facts: dict[str, Any] = {
        "licence_id": new_licence_id(),
        "tenant": tenant,
        "tier": tier,
        "first_day": begins,
        "last_day": begins + timedelta(days=days),
        "limits": limits or {},
        "features": features,
        "holder": "Acme Ltd",
    }
    return Licence(**{**facts, **more})


def signed(terms: Licence | str, *signers: NoteSigner) -> str:
    """Sign it as the vendor, unless others are named."""
    text = terms if isinstance(terms, str) else write_licence(terms)
    return sign_note(text, *(signers or (VENDOR,)))
