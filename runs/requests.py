"""What a start's headers and address say beside its body."""

import re
from dataclasses import dataclass
from typing import Any, Final

from rest_framework.request import Request

from kernel.canonical import content_hash
from runs.errors import IdempotencyKeyMalformed
from runs.idempotency import OnceKey
from runs.serializers import MAX_WAIT_SECONDS, OnFailure, Until, WaitQuery
from tenants.requests import read_query

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_PREFER_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})\"?(?=$|[,;\s])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AnswerWish:
    """How a caller would be answered about a run.

    Attributes:
        wait_seconds: How long they would wait for it; 0 for an answer at once.
        until: What they wait for.
        on_failure: How a run that is over and did not complete is answered.
    """

    wait_seconds: float = 0.0
    until: str = Until.PARKED
    on_failure: str = OnFailure.RUN


def answer_wish_of(request: Request, *, default: float = 0.0) -> AnswerWish:
    """Read the parameters of ``WaitQuery``; in place of ``wait`` also ``Prefer: wait=N``. At most 55 s are waited.

    Raises:
        Invalid: A parameter cannot be read, or there is another. A preference that cannot be read is no preference
            (RFC 7240).
    """
    sent = read_query(WaitQuery, request) if request.query_params else {}
    wait = sent.pop("wait", None)
    if wait is None:
        preferred = _PREFER_WAIT.search(request.headers.get("Prefer", ""))
        wait = float(preferred[1]) if preferred else default
    return AnswerWish(min(float(wait), float(MAX_WAIT_SECONDS)), **sent)


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
