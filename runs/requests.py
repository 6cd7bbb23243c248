"""What a start's headers and address say beside its body."""

import re
from typing import Any, Final

from rest_framework.request import Request

from kernel.canonical import content_hash
from runs.errors import IdempotencyKeyMalformed
from runs.idempotency import OnceKey
from runs.serializers import MAX_WAIT_SECONDS, WaitQuery
from tenants.requests import read_query

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_PREFER_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})\"?(?=$|[,;\s])", re.IGNORECASE)


def wait_seconds_of(request: Request, *, default: float = 0.0) -> float:
    """Read how long the caller would wait: the parameter ``wait``, else ``Prefer: wait=N``; at most 55 s.

    Raises:
        Invalid: The parameter is no number of seconds, or there is another parameter. A preference that cannot be
            read is no preference (RFC 7240).
    """
    wait = read_query(WaitQuery, request).get("wait") if request.query_params else None
    if wait is None:
        preferred = _PREFER_WAIT.search(request.headers.get("Prefer", ""))
        wait = float(preferred[1]) if preferred else default
    return min(float(wait), float(MAX_WAIT_SECONDS))


def once_of(request: Request, **target: Any) -> OnceKey | None:
    """Read the header ``Idempotency-Key``, and hash all the start asks for: ``target`` and the body.

    How long the caller waits is not part of it.

    Raises:
        IdempotencyKeyMalformed: The key is empty, over 255 characters, or not printable ASCII.
    """
    key: str | None = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if _KEY.fullmatch(key) is None:
        raise IdempotencyKeyMalformed
    return OnceKey(key, content_hash({"target": target, "body": request.data}))
