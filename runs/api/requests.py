"""The Idempotency-Key header of starts."""

import re
from typing import Any, Final

from rest_framework.request import Request

from kernel.canonical import content_hash
from runs.errors import IdempotencyKeyMalformed
from runs.idempotency import IdempotentRequest

KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_of(request: Request, **target: Any) -> IdempotentRequest | None:
    """Read the header ``Idempotency-Key``, and hash all the start asks for: ``target`` and the body.

    How long the caller waits is not part of it.

    Raises:
        IdempotencyKeyMalformed: The key is empty, over 255 characters, or not printable ASCII.
    """
    key: str | None = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if KEY.fullmatch(key) is None:
        raise IdempotencyKeyMalformed
    return IdempotentRequest(key, content_hash({"target": target, "body": request.data}))
