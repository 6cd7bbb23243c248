"""How long a host asks to wait."""

import re
from email.utils import parsedate_to_datetime

from kernel.clock import utc_now

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def retry_after_seconds(header: str | None) -> float | None:
    """Read a ``Retry-After``, in seconds or as a date; what cannot be read counts as not sent."""
    if header is None:
        return None
    if _SECONDS.fullmatch(header):
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - utc_now()).total_seconds())
