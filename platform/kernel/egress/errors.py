"""What can go wrong on the way out, as facts.

    LlmteamError
    |-- Invalid
    |   |-- EgressBlocked        EGRESS_BLOCKED        the policy says no; trying again never helps
    |   |-- HeaderRefused        HEADER_REFUSED        a header callers may not set
    |   |-- BodyTooLarge         RESPONSE_TOO_LARGE    the answer is over its bound
    |   `-- BodyUnreadable       RESPONSE_UNREADABLE   the answer's encoding is broken or unknown
    `-- Unavailable
        |-- ConnectionFailed     CONNECTION_FAILED     no connection, or it broke
        `-- DeadlineExceeded     REQUEST_TIMED_OUT     the answer was not complete in time

No text here ever holds an address: it would tell a caller what our resolver sees.
"""

from kernel.errors import Invalid, Unavailable


class EgressBlocked(Invalid):
    """The operator's policy forbids the request; no socket was opened for it."""

    code = "EGRESS_BLOCKED"
    title = "blocked by egress policy"

    def __init__(self, reason: str | None = None) -> None:
        """Say why, when the reason can be read off the URL itself; name resolution gives none."""
        super().__init__(self.title if reason is None else f"{self.title}: {reason}")


class HeaderRefused(Invalid):
    """A header callers may not set, or that cannot be sent."""

    code = "HEADER_REFUSED"
    title = "The request has a header that may not be sent"


class BodyTooLarge(Invalid):
    """The answer's body, decompressed, is over its bound; the rest was not read."""

    code = "RESPONSE_TOO_LARGE"
    title = "The answer is too large"


class BodyUnreadable(Invalid):
    """The answer's body cannot be decompressed."""

    code = "RESPONSE_UNREADABLE"
    title = "The answer cannot be decompressed"


class ConnectionFailed(Unavailable):
    """No connection could be made, or it broke before the answer was complete."""

    code = "CONNECTION_FAILED"
    title = "The connection to the host failed"


class DeadlineExceeded(Unavailable):
    """The answer was not complete within the request's total time."""

    code = "REQUEST_TIMED_OUT"
    title = "The host did not answer in time"
