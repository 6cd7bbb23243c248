"""The mails that are due: taken by one process at a time, tried again after a failure, kept with what came of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import F, Q

from humantasks.models import Notice
from humantasks.types import TaskStatus
from kernel.clock import utc_now
from tenants.context import unscoped

AT_ONCE: Final = 20
LEASE: Final = timedelta(minutes=5)
"""A process that has not told in this time what became of a mail counts as lost; the mail is sent again."""
PAUSES: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=40))
"""Between tries: five in about an hour."""
NOT_NEEDED: Final = "Not needed any more."
_WANTED: Final = Q(task__status=TaskStatus.OPEN, member__deactivated_at=None, member__user__is_active=True)


def take_due() -> list[Notice]:
    """Take mails that are due, with all that is written in them. What nobody needs any more is put aside."""
    with unscoped("the mails of all tenants are sent together"):
        due = Notice.objects.filter(next_at__lte=utc_now())
        if not due.exists():
            return []
        due.exclude(_WANTED).exclude(member__user__email="").update(next_at=None, error=NOT_NEEDED)
        due.filter(member__user__email="").update(next_at=None, error="The member has no e-mail.")
        ids = list(due.select_for_update(skip_locked=True).order_by("next_at").values_list("id", flat=True)[:AT_ONCE])
        Notice.objects.filter(id__in=ids).update(next_at=utc_now() + LEASE, tries=F("tries") + 1)
        rows = Notice.objects.select_related("task__tenant", "member__user")
        return list(rows.filter(id__in=ids).order_by("created_at"))


def settle(notice_id: UUID, *, error: str = "") -> None:
    """Keep what became of a mail: it was sent, or is tried again, or is given up after the fifth try."""
    with unscoped("as above"):
        notice = Notice.objects.select_for_update().get(id=notice_id)
        notice.error = error[:200]
        if not error:
            notice.sent_at, notice.next_at = utc_now(), None
        elif notice.tries > len(PAUSES):
            notice.next_at = None
        else:
            notice.next_at = utc_now() + PAUSES[notice.tries - 1]
        notice.save(update_fields=["error", "sent_at", "next_at"])


def send_again(ids: Sequence[UUID]) -> int:
    """Have mails sent anew, whatever became of them; return how many. To be called inside a scope."""
    return Notice.objects.filter(id__in=list(ids)).update(next_at=utc_now(), tries=0, error="", sent_at=None)
