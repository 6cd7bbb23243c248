"""The one place that reads this machine's clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present time, aware, in UTC.

    For display and records. Leases, wake times and deadlines are decided by the database's clock.
    """
    return datetime.now(UTC)
