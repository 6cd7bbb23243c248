"""Links by which a run is resumed: signed, stored nowhere, good for one place of one run."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from runs.errors import LinkUnknown

LONGEST: Final = 1_000
_SALT: Final = "llmteam.resume"
_SIGNED: Final = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{32})\.([^.]{1,64})\.([0-9_-]+)")


@dataclass(frozen=True, slots=True)
class ResumeLink:
    """Target of a link: a step of a run, and the place of its activation (``runs.core.call_places``)."""

    tenant_id: UUID
    run_id: UUID
    step_id: str
    place: str


def resume_url(tenant_id: UUID, run_id: UUID, step_id: str, place: str) -> str:
    """Write a link as others are given it; the same place always has the same link."""
    signed = f"{tenant_id.hex}.{run_id.hex}.{step_id}.{place}"
    return f"{settings.PUBLIC_URL}{reverse('resume', args=[_signer().sign(signed)])}"


def read_link(token: str) -> ResumeLink:
    """Read the last part of a link's address.

    Raises:
        LinkUnknown: We did not sign it.
    """
    try:
        parts = _SIGNED.fullmatch(_signer().unsign(token[: LONGEST + 1]))
    except BadSignature:
        parts = None
    if parts is None:
        raise LinkUnknown
    return ResumeLink(UUID(parts[1]), UUID(parts[2]), parts[3], parts[4])


@lru_cache(maxsize=1)
def _signer() -> Signer:
    return Signer(sep=".", salt=_SALT)
