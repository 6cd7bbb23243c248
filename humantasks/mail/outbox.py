"""Mail outbox: claim, send, retry, record."""

import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import F, Q, QuerySet

from foundation.scope import unscoped
from humantasks.metrics import FAILED, GIVEN_UP, MAILS, SENT, count_behind_commit
from humantasks.models import Notice
from humantasks.types import TaskStatus
from kernel.clock import utc_now

AT_ONCE: Final = 20
LOOKED_AT: Final = 50
"""Mails of a tenant that are looked at for each that is sent: what nobody needs is put aside."""
LEASE: Final = timedelta(minutes=5)
"""A process that has not told in this time what became of a mail counts as lost; the mail is sent again."""
PAUSES: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=40))
"""Between tries: five in about an hour."""
MAX_TRIES: Final = len(PAUSES) + 1
NOT_NEEDED: Final = "Not needed any more."
LOST: Final = "The worker that was sending it was lost, every time."
_WANTED: Final = Q(task__status=TaskStatus.OPEN, member__deactivated_at=None, member__user__is_active=True)


def take_due() -> list[Notice]:
    """Take mails that are due, with all that is written in them. What nobody needs any more is put aside.

    Of each tenant equally many, so that thousands of one keep nobody else's waiting; those of an inactive tenant wait.
    """
    with unscoped("the mails of all tenants are sent together"):
        due = Notice.objects.filter(next_at__lte=utc_now(), tenant__is_active=True)
        tenants = list(due.values_list("tenant_id", flat=True).distinct())
        if not tenants:
            return []
        ids: list[UUID] = []
        for tenant_id in random.sample(tenants, min(AT_ONCE, len(tenants))):
            ids += _take_of(due.filter(tenant_id=tenant_id), most=-(-AT_ONCE // len(tenants)))
        Notice.objects.filter(id__in=ids).update(next_at=utc_now() + LEASE, tries=F("tries") + 1)
        rows = Notice.objects.select_related("task__tenant", "member__user")
        return list(rows.filter(id__in=ids).order_by("created_at"))


def _take_of(due: QuerySet[Notice], *, most: int) -> list[UUID]:
    """Lock a tenant's first mails that are to be sent; the others of its first are put aside."""
    first = due.filter(id__in=due.order_by("next_at").values_list("id", flat=True)[: LOOKED_AT * most])
    first.exclude(_WANTED).exclude(member__user__email="").update(next_at=None, error=NOT_NEEDED)
    first.filter(member__user__email="").update(next_at=None, error="The member has no e-mail.")
    first.filter(tries__gte=MAX_TRIES).update(next_at=None, error=LOST)
    rows = due.select_for_update(of=("self",), skip_locked=True).order_by("next_at")
    return list(rows.values_list("id", flat=True)[:most])


def extend_lease(notice: Notice) -> bool:
    """Take one of those taken in hand, for another ``LEASE``; False where it is not to be sent any more.

    That is so where its task is over meanwhile or its member gone, and where another process has taken it, as this one
    counted as lost: its tries say so.
    """
    with unscoped("as above"):
        ours = _as_taken(notice)
        if ours.filter(_WANTED).update(next_at=utc_now() + LEASE):
            return True
        ours.update(next_at=None, error=NOT_NEEDED)
        return False


def settle(notice: Notice, *, error: str = "") -> None:
    """Keep what became of a mail: it was sent, or is tried again, or is given up after the fifth try.

    Nothing changes where another process has taken it, or an operator had it sent anew: it is theirs now.
    """
    now = utc_now()
    next_at = now + PAUSES[notice.tries - 1] if error and notice.tries < MAX_TRIES else None
    with unscoped("as above"):
        if _as_taken(notice).update(error=error[:200], next_at=next_at, sent_at=None if error else now):
            count_behind_commit(MAILS, SENT if not error else FAILED if next_at else GIVEN_UP)


def put_back(notices: Iterable[Notice]) -> None:
    """Give mails back that were taken and never tried: due now, and the try not counted."""
    with unscoped("as above"):
        for notice in notices:
            _as_taken(notice).update(next_at=utc_now(), tries=notice.tries - 1)


def send_again(ids: Sequence[UUID]) -> int:
    """Have mails sent anew, whatever became of them; return how many. To be called inside a scope."""
    return Notice.objects.filter(id__in=list(ids)).update(next_at=utc_now(), tries=0, error="", sent_at=None)


def _as_taken(notice: Notice) -> QuerySet[Notice]:
    """Find a mail as long as it is this process's: whoever takes it next raises its tries."""
    return Notice.objects.filter(id=notice.id, tries=notice.tries, next_at__isnull=False)
