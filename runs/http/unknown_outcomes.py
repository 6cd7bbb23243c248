"""Meaning of a status for a call that may not be made twice: it was not made, or nobody knows."""

import re
from collections.abc import Mapping
from typing import Final

_UNAVAILABLE: Final = 503
_TIMED_OUT: Final = 408
_NOT_DONE: Final = frozenset((501, _UNAVAILABLE, 505, 507, 508, 511, 525, 526, 529))
"""Of 500 to 599 those that say that what was asked for was not begun: no room, no such method, no way to the server."""
_HIDING_PAGES: Final = re.compile(
    rb"herokucdn\.com/error-pages/application-error"  # H12 and its like: the page of all of them
    rb"|our services aren[^a-z]{1,8}t available right now"  # Azure Front Door, of an origin that is too late as well
)
"""Pages of gateways that say the same whether a server took the request or not."""
_NEVER_SENT: Final = re.compile(
    rb"upstream connect error or disconnect/reset before headers"  # Envoy, Istio: the reason follows
    rb"|reset reason: (?:remote |local )?connection (?:failure|timeout)"  # no connection came about
    rb"|remote refused stream reset"  # RFC 9113, 8.7: not processed
)
_NO_ANSWER: Final = re.compile(
    rb"\btime[sd]?[- ]?out|\btiming out|deadline.exceeded|took too long|lifetime exp"
    rb"|(?:empty|incomplete|invalid|malformed|truncated) (?:http )?(?:reply|response)|zero[- ]sized? (?:object|reply)"
    rb"|(?:reply|response)(?: was)? (?:empty|incomplete|invalid|malformed|truncated)"
    rb"|\bno (?:reply|response) (?:received )?from|not responding"
    rb"|(?:failed|failure) to (?:reply|respond)|did(?: not|n[^a-z]{1,8}t) (?:reply|respond)"
    rb"|(?:connection|stream|transport|socket|peer|upstream|backend|origin)\b[^.]{0,40}"
    rb"\b(?:reset|terminat|clos|dropp|abort|lost|hang up|hung up)"
    rb"|\b(?:reset|terminated|closed|closes|dropped|aborted|lost)\b[^.]{0,20} (?:connection|stream)"
    rb"|\breset reason: (?:reset|protocol error)|\b(?:remote|local) reset|econnreset|broken pipe|\bpremature|\beof\b"
    rb"|\b(?:read|write|protocol) error|fetch failed|connection to the [a-z]{1,20} had an error"
)
"""Words for an answer that did not come, whoever says them: its time ran out, its connection ended, it was none."""
_LATE_UPSTREAM: Final = re.compile(rb"\b(?:upstream|stream|backend|origin)\b[^.]{0,40}(?:time-?out|timed out)")
"""Names gateways have for themselves in a 408, which else is about the request."""
_AWS: Final = frozenset(("apigw-requestid", "x-amz-apigw-id", "x-amzn-requestid"))
_AWS_TIME_OUT: Final = re.compile(rb'\s*\{\s*"message"\s*:\s*"service unavailable"\s*\}\s*')
"""Body by which API Gateway answers with 503 also where a server takes longer than it waits."""
_TELLS_ERROR: Final = re.compile(r".*error.*|proxy-status|grpc-message|warning")
"""Fields in which proxies say what happened (RFC 9209, Squid, Linkerd)."""
_UNSEEN: Final = re.compile(rb"<(?:script|style)\b.*?(?:</(?:script|style)|\Z)|<[^<>]*>", re.DOTALL)
_BLANKS: Final = re.compile(rb"[\s_]+")
MAX_LOOKED_AT: Final = 16 * 1024
"""Bytes of an answer; pages of gateways are short, but for their styles."""
MAX_WORDS: Final = 4 * 1024
"""Bytes of what people see of it."""


def is_outcome_unknown(status: int, headers: Mapping[str, str], content: bytes, reason: bytes = b"") -> bool:
    """Tell a status behind which nobody knows whether the call was done.

    A gateway that says so itself has no answer of the server, and a server that failed amid its work (500) does not
    say how far it came (RFC 9110, 9.2.2 and 15.6). A 503 says that nothing was begun, unless it tells of an answer that
    did not come.

    Args:
        status: Of the answer.
        headers: Of the answer, names in lower case.
        content: Its body, in any charset: only letters of ASCII are looked at.
        reason: What its first line says beside the status.
    """
    if status not in (_UNAVAILABLE, _TIMED_OUT):
        return 500 <= status < 600 and status not in _NOT_DONE
    page = content[:MAX_LOOKED_AT].replace(b"\0", b"").lower()  # no zeros of UTF-16 and UTF-32
    if status == _TIMED_OUT:
        return _LATE_UPSTREAM.search(page) is not None
    is_of_aws = not _AWS.isdisjoint(headers) and _AWS_TIME_OUT.fullmatch(page) is not None
    if is_of_aws or _HIDING_PAGES.search(page):
        return True
    fields = (value.encode(errors="replace").lower() for name, value in headers.items() if _TELLS_ERROR.fullmatch(name))
    words = (_BLANKS.sub(b" ", text)[:MAX_WORDS] for text in (_UNSEEN.sub(b" ", page), reason.lower(), *fields))
    return any(_NO_ANSWER.search(_NEVER_SENT.sub(b" ", text)) for text in words)
