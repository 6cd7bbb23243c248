"""Verifications of long logs: asked for, done in the background by a worker, followed by whoever asked."""

import logging
import time
from typing import Final
from uuid import UUID

from django.db.models import Q

from audit.errors import VerificationNotFound
from audit.models import AuditLog, LogVerification, VerificationStatus
from audit.reading.files import LogFiles, scope_of
from audit.reading.verification import verify_stored
from audit.services import record
from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.ids import parse_id
from tenants.lifecycle.background import claim_job, one_at_a_time

log = logging.getLogger(__name__)

MAX_KEPT: Final = 10
"""Verifications of a log that are kept; the oldest goes for a new one."""
BEAT_SECONDS: Final = 1.0
"""Time between two signs of life, which tell how far it is."""
LOOKS: Final = 2
"""Looks at each entry: at its leaf in the log, then at the entry against the leaf."""
_UNDER_WAY: Final = (VerificationStatus.QUEUED, VerificationStatus.RUNNING)


class _VerificationLost(Exception):
    """Another process does this verification now, or it has been deleted."""


def request_verification(tenant_id: UUID | None, *, actor: str) -> LogVerification:
    """Ask for the verification of the log of a tenant, or of the installation; one under way is the one.

    The audit tells of it, and later of the verdict.

    Raises:
        LogEmpty: Nothing is sealed yet.
    """
    with scope_of(tenant_id):
        files = LogFiles(tenant_id)
        AuditLog.objects.select_for_update(no_key=True).get(id=files.log.id)
        mine = LogVerification.objects.filter(log_id=files.log.id)
        under_way = mine.filter(status__in=_UNDER_WAY).first()
        if under_way is not None:
            return under_way
        kept = list(mine.order_by("-created_at").values_list("id", flat=True)[MAX_KEPT - 1 :])
        LogVerification.objects.filter(id__in=kept).delete()
        verification = LogVerification.objects.create(
            tenant_id=tenant_id, log_id=files.log.id, requested_by=actor, total=files.last.size - files.first
        )
        record("audit_log.verification_requested", files.log, actor=actor)
        return verification


def get_verification(tenant_id: UUID | None, verification_id: str) -> LogVerification:
    """Read one verification of the log of a tenant, or of the installation.

    Raises:
        VerificationNotFound: There is none of this id.
    """
    found = parse_id(verification_id)
    with scope_of(tenant_id):
        rows = LogVerification.objects.filter(Q(tenant_id=tenant_id))
        verification = rows.filter(id=found).first() if found else None
    if verification is None:
        raise VerificationNotFound
    return verification


def verify_asked() -> int:
    """Do the verifications that are asked for, one after the other; returns how many.

    Of those whose worker is gone each is begun anew, three times at most. Does nothing where this process is at long
    work already. May be killed.
    """
    done = 0
    with one_at_a_time() as is_free:
        while is_free and (verification := _claim()) is not None:
            try:
                _verify(verification)
                done += 1
            except _VerificationLost:
                log.warning("verification %s is no longer ours", verification.id)
    return done


def _claim() -> LogVerification | None:
    return claim_job(LogVerification.objects.all, _begin)


def _begin(verification: LogVerification) -> None:
    verification.checked = 0


def _verify(verification: LogVerification) -> None:
    last = time.monotonic()

    def tell(looks: int) -> None:
        nonlocal last
        if time.monotonic() - last >= BEAT_SECONDS:
            last = time.monotonic()
            _update(verification, checked=min(looks // LOOKS, verification.total))

    verdict = verify_stored(verification.tenant_id, tell)
    with unscoped("a worker ends a verification"):
        done = {"status": VerificationStatus.DONE, "ended_at": utc_now(), "checked": verification.total}
        _update(verification, verdict=verdict, **done)
        found = {name: verdict[name] for name in ("ok", "size", "first_bad")}
        about = AuditLog.objects.get(id=verification.log_id)
        record("audit_log.verified", about, actor=verification.requested_by, after=found)


def _update(verification: LogVerification, **changes: object) -> None:
    with unscoped("a worker does a verification"):
        mine = LogVerification.objects.filter(
            id=verification.id, status=VerificationStatus.RUNNING, tries=verification.tries
        )
        if not mine.update(beat_at=utc_now(), **changes):
            raise _VerificationLost
