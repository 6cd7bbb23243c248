"""Times in payloads: ISO 8601 text, written and read."""

from datetime import UTC, datetime

from kernel.types import Json


def written_time(at: float) -> str:
    """Write a time of the clock as payloads have it."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def read_time(written: Json) -> float:
    """Read a time from a payload."""
    return datetime.fromisoformat(str(written)).timestamp()
