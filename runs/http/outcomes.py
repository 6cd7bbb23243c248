"""Meaning of a status for a call that may not be made twice: it was not made, or nobody knows."""

import re
from collections.abc import Mapping
from typing import Final

_NOT_DONE: Final = frozenset((501, 503, 505, 507, 508, 511, 525, 526, 529))
"""Of 500 to 599 those that say that what was asked for was not begun: no room, no such method, no way to the server."""
_OF_GATEWAYS: Final = re.compile(
    rb"herokucdn\.com/error-pages/application-error"  # H12 and its like: the page of all of them
    rb"|Backend fetch failed|first byte timeout|backend read error"  # Varnish, Fastly
    rb"|upstream connect error or disconnect/reset before headers\. (?:retried and the latest )?reset reason: "
    rb"(?:connection termination|(?:remote|local)? ?reset|protocol error)"  # Envoy, Istio
    rb"|upstream request timeout",
    re.IGNORECASE,
)
"""How gateways say with 503 that a server took a request and gave no answer."""
_AWS_REQUEST: Final = "apigw-requestid"
_AWS_TIME_OUT: Final = re.compile(rb'\s*\{\s*"message"\s*:\s*"Service Unavailable"\s*\}\s*')
"""What API Gateway's HTTP APIs answer with 503 when a server takes longer than they wait."""
MAX_LOOKED_AT: Final = 4096
"""Bytes of an answer; pages of gateways are short."""


def is_outcome_unknown(status: int, headers: Mapping[str, str], content: bytes) -> bool:
    """Tell a status behind which nobody knows whether the call was done.

    A gateway that says so itself has no answer of the server, and a server that failed amid its work (500) does not
    say how far it came (RFC 9110, 9.2.2 and 15.6).

    Args:
        status: Of the answer.
        headers: Of the answer, names in lower case.
        content: Its body.
    """
    if status == 503:
        beginning = content[:MAX_LOOKED_AT]
        is_of_aws = _AWS_REQUEST in headers and _AWS_TIME_OUT.fullmatch(beginning) is not None
        return is_of_aws or _OF_GATEWAYS.search(beginning) is not None
    return 500 <= status < 600 and status not in _NOT_DONE
