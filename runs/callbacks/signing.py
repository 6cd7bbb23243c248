"""Signatures as Standard Webhooks have them, so that a receiver knows who calls and that nothing was changed."""

from collections.abc import Iterable
from datetime import datetime

from standardwebhooks import Webhook


def signed_headers(*, webhook_id: str, at: datetime, body: str, secrets: Iterable[str]) -> dict[str, str]:
    """Write the three headers of one try.

    Args:
        webhook_id: What the receiver knows the message by.
        at: When it is sent; receivers refuse what is minutes old.
        body: Exactly what is sent.
        secrets: Each signs; the receiver needs to know one of them.
    """
    signatures = [Webhook(secret).sign(webhook_id, at, body) for secret in secrets]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
