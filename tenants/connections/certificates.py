"""Certificates and keys a connection has for TLS: what is wrong with them, and when they expire. Pure."""

import re
import ssl
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from kernel.egress import build_ssl_context
from kernel.errors import ErrorItem

MAX_PEM_LENGTH: Final = 64 * 1024
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_COPY_WHOLE: Final = "Copy it completely, from its line BEGIN CERTIFICATE to its line END CERTIFICATE."


def certificate_problems(ca: str, certificate: str, key: str, *, now: datetime) -> Iterator[ErrorItem]:
    """Tell what is wrong with what a connection has for TLS.

    Args:
        ca: Certificates of its host's authorities, PEM; empty for the public ones.
        certificate: The client's certificate and its chain, PEM; empty for none.
        key: The client's private key, PEM.
        now: When it is to be valid.
    """
    found = [*_of_list("ca", ca, now), *_of_list("certificate", certificate, now), *_of_key(certificate, key)]
    yield from found
    if not found and certificate:
        yield from _refused_by_openssl(certificate, key)


def expires_at(pem: str) -> datetime | None:
    """Tell when the first of some certificates, all good when they were saved, is no longer valid; None without one."""
    return (
        min((one.not_valid_after_utc for one in x509.load_pem_x509_certificates(pem.encode())), default=None)
        if pem
        else None
    )


def _of_list(name: str, pem: str, now: datetime) -> Iterator[ErrorItem]:
    if not pem:
        return
    if "PRIVATE KEY-----" in pem:
        yield _item(name, "PRIVATE_KEY_THERE", f"`{name}` holds a private key, which goes into `key` alone.")
    blocks = _CERTIFICATE.findall(pem)
    if not blocks:
        yield _item(name, "NO_CERTIFICATE", f"`{name}` holds no certificate in PEM.", _COPY_WHOLE)
    for number, block in enumerate(blocks, start=1):
        try:
            found = x509.load_pem_x509_certificate(block.encode())
        except ValueError:
            yield _item(
                name, "CERTIFICATE_UNREADABLE", f"Certificate {number} of `{name}` cannot be read.", _COPY_WHOLE
            )
        else:
            yield from _of_time(name, f"Certificate {number} of `{name}`", found, now)


def _of_time(name: str, what: str, found: x509.Certificate, now: datetime) -> Iterator[ErrorItem]:
    if now > found.not_valid_after_utc:
        yield _item(name, "CERTIFICATE_EXPIRED", f"{what} has expired on {found.not_valid_after_utc:%Y-%m-%d}.")
    elif now < found.not_valid_before_utc:
        yield _item(name, "CERTIFICATE_NOT_YET_VALID", f"{what} is valid from {found.not_valid_before_utc:%Y-%m-%d}.")


def _of_key(certificate: str, key: str) -> Iterator[ErrorItem]:
    if not certificate or not key:
        if certificate:
            yield _item("key", "MISSING_FIELD", "A client certificate needs its private key.")
        if key:
            yield _item("certificate", "MISSING_FIELD", "A private key needs its client certificate.")
        return
    try:
        public = serialization.load_pem_private_key(key.encode(), None).public_key()
    except TypeError:
        hint = "Write it without one, as by `openssl pkey`; here it is sealed."
        yield _item("key", "KEY_ENCRYPTED", "The private key is protected by a passphrase.", hint)
        return
    except (ValueError, UnsupportedAlgorithm):
        hint = "Copy it completely, from its line BEGIN to its line END."
        yield _item("key", "KEY_UNREADABLE", "The private key cannot be read as PEM.", hint)
        return
    own = _first(certificate)
    if own is not None and own.public_key() != public:
        hint = "Put the client's own certificate first, then those that lead to its authority."
        yield _item("key", "KEY_OF_ANOTHER", "The private key does not belong to the first certificate.", hint)


def _first(pem: str) -> x509.Certificate | None:
    found = _CERTIFICATE.search(pem)
    try:
        return None if found is None else x509.load_pem_x509_certificate(found[0].encode())
    except ValueError:
        return None


def _refused_by_openssl(certificate: str, key: str) -> Iterator[ErrorItem]:
    try:
        build_ssl_context(authorities=certificate, certificate=certificate, key=key)
    except (ssl.SSLError, ValueError) as error:
        why = str(getattr(error, "reason", None) or "no reason is given").replace("_", " ").lower()
        yield _item("certificate", "CERTIFICATE_REFUSED", f"TLS does not accept the certificate and its key: {why}.")


def _item(name: str, code: str, detail: str, hint: str | None = None) -> ErrorItem:
    return ErrorItem(code=code, detail=detail, pointer=f"/tls/{name}", hint=hint)
