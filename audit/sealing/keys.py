"""Keys of the logs: each log's own, derived from the installation's one secret."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from django.conf import settings

from audit.log.checkpoints import log_signer
from audit.models import AuditLog, LogVerifier
from kernel.signed_notes import NoteSigner, VerifierKey, read_verifier

SECRET_BYTES = 32


def signer_of(origin: str) -> NoteSigner:
    """Give the key that signs the checkpoints of a log now."""
    return log_signer(_secret(), origin)


def trusted_verifiers(origin: str) -> list[VerifierKey]:
    """Derive the keys that may have signed a log: of the secret of now, then of those before.

    What the database says of keys is not asked: whoever can write there could put in one of their own.
    """
    return [log_signer(secret, origin).verifier for secret in (_secret(), *settings.AUDIT_OLD_SIGNING_KEYS)]


def keys_of(log_id: UUID) -> list[LogVerifier]:
    """Read the keys a log was ever signed with, the oldest first. To be called in a scope that sees the log.

    Only keys of the installation's own secrets are given.
    """
    trusted = {key.text for key in trusted_verifiers(AuditLog.objects.get(id=log_id).origin)}
    return [key for key in LogVerifier.objects.filter(log_id=log_id).order_by("id") if key.verifier in trusted]


def verifiers_of(log_id: UUID) -> list[VerifierKey]:
    """Read the verifier keys of a log, the oldest first."""
    return [read_verifier(key.verifier) for key in keys_of(log_id)]


def new_keys(logs: Mapping[AuditLog, int], signers: Mapping[UUID, NoteSigner]) -> list[LogVerifier]:
    """Make the rows of keys that have not signed yet.

    Args:
        logs: The logs, each with its size before this key signs.
        signers: The keys of now, by log.
    """
    known: dict[UUID, str] = {}
    for key in LogVerifier.objects.filter(log_id__in=[log.id for log in logs]).order_by("id"):
        known[key.log_id] = key.verifier
    return [
        LogVerifier(tenant_id=log.tenant_id, log_id=log.id, verifier=signers[log.id].verifier.text, from_size=size)
        for log, size in logs.items()
        if known.get(log.id) != signers[log.id].verifier.text
    ]


def _secret() -> bytes:
    secret: bytes = settings.AUDIT_SIGNING_KEY
    return secret or _development_secret(settings.AUDIT_DEVELOPMENT_KEY_FILE)


def _development_secret(path: Path) -> bytes:
    """Read the key of development, and make it first where there is none; of several processes one makes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        made = path.with_suffix(f".{os.getpid()}")
        made.write_bytes(os.urandom(SECRET_BYTES))
        made.chmod(0o600)
        with suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return path.read_bytes()
