"""Secrets of endpoints: made with an endpoint, rotated; the one before signs beside it for 24 hours."""

from kernel.crypto import SealBroken
from runs.callbacks.signing import PRIVATE_KEY_PREFIX, new_private_key, public_key_of
from runs.models import WebhookEndpoint, WebhookSigning
from tenants.callback_signing.secrets import new_secret, present_secret
from tenants.sealing import open_from, seal_into


def give_secret(endpoint: WebhookEndpoint) -> str:
    """Put a new secret of the endpoint's kind into its row, beside the one before; save the row yourself.

    Returns:
        What its owner is shown, once: the secret they share, or nothing where only the public key is theirs.
    """
    is_pair = endpoint.signing == WebhookSigning.ED25519
    text = new_private_key() if is_pair else new_secret()
    seal_into(endpoint, "secret_before", present_secret(endpoint))
    seal_into(endpoint, "secret", text)
    return "" if is_pair else text


def public_key(endpoint: WebhookEndpoint) -> str | None:
    """Give the public key of an endpoint that signs with a pair; None where it does not, or cannot be read."""
    if endpoint.signing != WebhookSigning.ED25519:
        return None
    try:
        text = open_from(endpoint, "secret")
    except SealBroken:
        return None
    return public_key_of(text) if text.startswith(PRIVATE_KEY_PREFIX) else None
