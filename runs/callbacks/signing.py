"""Signatures as Standard Webhooks have them, so that a receiver knows who calls and that nothing was changed."""

import base64
import secrets as randomness
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

PRIVATE_KEY_PREFIX: Final = "whsk_"
PUBLIC_KEY_PREFIX: Final = "whpk_"


def signed_headers(*, webhook_id: str, at: datetime, body: str, secrets: Iterable[str]) -> dict[str, str]:
    """Write the three headers of one try.

    Args:
        webhook_id: What the receiver knows the message by.
        at: When it is sent; receivers refuse what is minutes old.
        body: Exactly what is sent.
        secrets: Each signs, a shared one (``whsec_``) or a private key (``whsk_``); the receiver needs to know one.
    """
    signatures = [_sign(secret, webhook_id, at, body) for secret in secrets]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def new_private_key() -> str:
    """Make an Ed25519 private key as Standard Webhooks write it."""
    return PRIVATE_KEY_PREFIX + base64.b64encode(randomness.token_bytes(32)).decode()


def public_key_of(private_key: str) -> str:
    """Give the public key of a private one, both as Standard Webhooks write them."""
    public = _read_private_key(private_key).public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return PUBLIC_KEY_PREFIX + base64.b64encode(raw).decode()


def _sign(secret: str, webhook_id: str, at: datetime, body: str) -> str:
    if not secret.startswith(PRIVATE_KEY_PREFIX):
        return Webhook(secret).sign(webhook_id, at, body)
    signature = _read_private_key(secret).sign(f"{webhook_id}.{int(at.timestamp())}.{body}".encode())
    return "v1a," + base64.b64encode(signature).decode()


def _read_private_key(text: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.removeprefix(PRIVATE_KEY_PREFIX)))
