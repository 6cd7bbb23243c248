"""The header Idempotency-Key, read and described alike by every app."""

import re
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from foundation.idempotency import IdempotencyKeyMalformed, IdempotencyKeyReused, IdempotentRequest
from foundation.request_fields import whole
from kernel.canonical import content_hash

IDEMPOTENCY_REFUSALS: Final = (IdempotencyKeyMalformed, IdempotencyKeyReused)
_FORM: Final = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_of(request: Request, **target: Any) -> IdempotentRequest | None:
    """Read the header ``Idempotency-Key``, and hash all the request asks for: ``target`` and the body.

    How long the caller waits is not part of it.

    Raises:
        IdempotencyKeyMalformed: The key is empty, over 255 characters, or not printable ASCII.
    """
    key: str | None = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if _FORM.fullmatch(key) is None:
        raise IdempotencyKeyMalformed
    return IdempotentRequest(key, content_hash({"target": target, "body": request.data}))


def idempotency_parameter(answer: str) -> OpenApiParameter:
    """Describe the header; ``answer`` says what the same key and request are answered with."""
    return OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "pattern": whole(_FORM)},
        OpenApiParameter.HEADER,
        description=f"1 to 255 printable ASCII characters, kept for 24 hours. The same key and request answer with "
        f"{answer} and `Idempotent-Replayed: true`; the same key with another request is a 422.",
    )
