"""Errors of outgoing HTTP requests, as facts.

    LlmteamError
    |-- Invalid
    |   |-- EgressBlocked        EGRESS_BLOCKED        the policy says no; trying again never helps
    |   |   `-- TooManyRedirects TOO_MANY_REDIRECTS    the host redirects on and on
    |   |-- HeaderRefused        HEADER_REFUSED        a header callers may not set
    |   |-- BodyTooLarge         RESPONSE_TOO_LARGE    the answer is over its bound
    |   `-- BodyUnreadable       RESPONSE_UNREADABLE   the answer's encoding or head cannot be read
    `-- Unavailable
        |-- ConnectionFailed     CONNECTION_FAILED     no connection, or it broke
        `-- DeadlineExceeded     REQUEST_TIMED_OUT     the answer was not complete in time

No text here ever holds an address that the URL does not: it would tell a caller what our resolver sees.
"""

from enum import StrEnum

from kernel.errors import Invalid, Unavailable, sentences


class Reason(StrEnum):
    """Reasons of a failed connection."""

    REFUSED = "refused"
    UNKNOWN_NAME = "unknown_name"
    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    CLIENT_CERTIFICATE = "client_certificate"
    NOT_TLS = "not_tls"
    TLS = "tls"
    BROKEN = "broken"


OF_TRUST = frozenset({Reason.CERTIFICATE, Reason.CLIENT_CERTIFICATE, Reason.NOT_TLS, Reason.TLS})
"""Reasons that no other try mends, of hosts that are there."""


class EgressBlocked(Invalid):
    """The operator's policy forbids the request; no socket was opened for it.

    ``answered_with``: the status of the answer that asked for it, where it is a redirect's place.
    """

    code = "EGRESS_BLOCKED"
    title = "blocked by egress policy"

    def __init__(self, reason: str | None = None, *, remedy: str | None = None) -> None:
        """Say why, when the reason can be read off the URL itself; name resolution gives none.

        Args:
            reason: Why.
            remedy: What the operator adds to which setting, where that helps: a sentence, of the URL alone as well.
        """
        super().__init__(self.title if reason is None else f"{self.title}: {reason}")
        self.remedy = remedy
        self.answered_with: int | None = None

    @property
    def explanation(self) -> str:
        """The reason, and what helps."""
        return self.detail if self.remedy is None else sentences(self.detail, self.remedy)


class TooManyRedirects(EgressBlocked):
    """The host redirects on and on; the policy bounds how far it is followed."""

    code = "TOO_MANY_REDIRECTS"
    title = "The host redirects too often"


class HeaderRefused(Invalid):
    """A header callers may not set, or that cannot be sent."""

    code = "HEADER_REFUSED"
    title = "The request has a header that may not be sent"


class BodyTooLarge(Invalid):
    """The answer's body, decompressed, is over its bound; the rest was not read."""

    code = "RESPONSE_TOO_LARGE"
    title = "The answer is too large"


class BodyUnreadable(Invalid):
    """The answer's body cannot be decompressed, or its head cannot be read.

    ``answered_with``: the status in the head, where only something behind that cannot be read.
    """

    code = "RESPONSE_UNREADABLE"
    title = "The answer cannot be decompressed"
    answered_with: int | None = None


class ConnectionFailed(Unavailable):
    """No connection could be made, or it broke before the answer was complete.

    Attributes:
        reason: Why.
        sent: Whether the other side may have acted on the request.
        answered_with: The status that came, where no more of the head did.
    """

    code = "CONNECTION_FAILED"
    title = "The connection to the host failed"
    answered_with: int | None = None

    def __init__(self, detail: str | None = None, *, reason: Reason = Reason.BROKEN, sent: bool = True) -> None:
        """Say what is known."""
        super().__init__(detail, extra={"reason": reason.value})
        self.reason = reason
        self.sent = sent


class DeadlineExceeded(Unavailable):
    """The answer was not complete within the request's total time; attributes as of ``ConnectionFailed``."""

    code = "REQUEST_TIMED_OUT"
    title = "The host did not answer in time"

    def __init__(self, detail: str | None = None, *, sent: bool = True, answered_with: int | None = None) -> None:
        """Say what is known."""
        super().__init__(detail)
        self.sent = sent
        self.answered_with = answered_with
