"""Authorities that TLS trusts, and the certificate a client shows."""

import functools
import secrets
import ssl
import tempfile
from typing import Final

import certifi
from cryptography.hazmat.primitives import serialization

TLS: Final = "llmteam.tls"
"""Extension of a request: the ``ssl.SSLContext`` of its own host; another host it is redirected to does not see it."""


@functools.cache
def default_ssl_context(ca_file: str = "") -> ssl.SSLContext:
    """Trust the system's authorities, Mozilla's and those of a PEM file; built once, it takes tens of milliseconds."""
    return _of_installation(ca_file)


def build_ssl_context(
    *, authorities: str = "", ca_file: str = "", certificate: str = "", key: str = ""
) -> ssl.SSLContext:
    """Make the context of one connection; takes up to some tens of milliseconds.

    Args:
        authorities: Certificates in PEM that are trusted instead of all others; empty for those of the installation.
        ca_file: PEM file of authorities that the installation trusts beside the public ones.
        certificate: The client's certificate in PEM, and those that lead to its authority.
        key: Its private key in PEM, not encrypted.

    Raises:
        ValueError: The key cannot be read.
        ssl.SSLError: OpenSSL does not take one of them.
    """
    if authorities:
        context = _strict(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        context.load_verify_locations(cadata=authorities)
    else:
        context = _of_installation(ca_file)
    if certificate:
        _load_identity(context, certificate, key)
    return context


def _of_installation(ca_file: str) -> ssl.SSLContext:
    context = _strict(ssl.create_default_context())
    context.load_verify_locations(cafile=certifi.where())
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


def _strict(context: ssl.SSLContext) -> ssl.SSLContext:
    """Have it tell an end that the other side said from one that just came; some builds of Python do not."""
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


def _load_identity(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load a certificate and its key; ``ssl`` reads files only, so the key stands there encrypted, for a moment."""
    password = secrets.token_bytes(32).hex().encode()
    encrypted = serialization.load_pem_private_key(key.encode(), None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(encrypted + b"\n" + certificate.encode())
        file.flush()
        context.load_cert_chain(file.name, password=password)
