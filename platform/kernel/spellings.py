"""The ways a text may be quoted by somebody it was sent to: what has to be looked for to cut a secret out."""

import base64
import json
from urllib.parse import quote, quote_plus


def spellings(text: str) -> frozenset[str]:
    """Write a text as it is, as in JSON, as in an address or a form, and in base64.

    Args:
        text: The secret; half a surrogate pair is written as ``?`` where bytes are needed.
    """
    plain = text.encode("utf-8", "replace")
    escaped = json.dumps(text)[1:-1]
    return frozenset(
        {
            text,
            escaped,
            escaped.replace("/", "\\/"),
            json.dumps(text, ensure_ascii=False)[1:-1],
            quote(plain),
            quote(plain, safe=""),
            quote_plus(plain),
            base64.b64encode(plain).decode(),
            base64.urlsafe_b64encode(plain).decode(),
        }
    )
