"""How long a host asks to wait."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from kernel.clock import utc_now

_EPOCH_SECONDS = 1_000_000_000
"""A reset beyond it is a time, not a number of seconds."""
_LIMIT = re.compile(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*([0-9]{1,9})")
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


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait: ``Retry-After``, else when a limit that is used up is reset, as services spell it.

    Args:
        headers: Lower case names.
    """
    asked = retry_after_seconds(headers.get("retry-after"))
    if asked is not None:
        return asked
    if (found := _LIMIT.search(headers.get("ratelimit", ""))) is not None:
        return float(found[1])
    for prefix in ("ratelimit-", "x-ratelimit-", "x-rate-limit-"):
        if headers.get(f"{prefix}remaining", "").strip() == "0":
            return _until(headers.get(f"{prefix}reset", "").strip())
    return None


def _until(reset: str) -> float | None:
    """Read a reset: seconds, seconds or milliseconds since 1970, or a date."""
    if re.fullmatch(r"[0-9]{13}", reset):
        return max(0.0, float(reset) / 1_000 - utc_now().timestamp())
    if _SECONDS.fullmatch(reset):
        seconds = float(reset)
        return max(0.0, seconds - utc_now().timestamp()) if seconds > _EPOCH_SECONDS else seconds
    return retry_after_seconds(reset) if reset else None
