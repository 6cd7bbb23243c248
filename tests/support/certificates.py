"""Certificates for tests: self-signed ones, and those of an authority of their own."""

import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from kernel.clock import utc_now

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def write_certificate(path: Path, name: str) -> None:
    """Write a key and a certificate for a name, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    built = _builder(name, name, key.public_key(), days=(-1, 1)).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
    )
    path.write_text(_key_pem(key) + _pem(_as_authority(built).sign(key, hashes.SHA256())))


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key, each in PEM."""

    certificate: str
    key: str


class Authority:
    """Signs certificates; ``pem`` is its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = _new_key(None)
        built = _as_authority(_builder(name, name, self._key.public_key(), days=(-1, 400)))
        self.pem = _pem(built.sign(self._key, hashes.SHA256()))

    def issue(self, name: str, *, days: tuple[int, int] = (-1, 90), bits: int | None = None) -> Identity:
        """Sign a certificate for a client, and for servers on loopback.

        Args:
            name: Whose.
            days: From when until when, from now.
            bits: Of an RSA key; without it the key is of an elliptic curve.
        """
        key = _new_key(bits)
        addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        built = _builder(name, self.name, key.public_key(), days=days).add_extension(addresses, critical=False)
        return Identity(_pem(built.sign(self._key, hashes.SHA256())), _key_pem(key))


def server_context(authority: Authority, *, clients: Authority | None = None) -> ssl.SSLContext:
    """Give the TLS of a server on loopback; with `clients` it demands a certificate that this authority signed."""
    identity = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(identity.key + identity.certificate)
        file.flush()
        context.load_cert_chain(file.name)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.pem)
    return context


def _new_key(bits: int | None) -> Key:
    return ec.generate_private_key(ec.SECP256R1()) if bits is None else rsa.generate_private_key(65537, bits)


def _builder(name: str, issuer: str, public_key: Any, *, days: tuple[int, int]) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() + timedelta(days=days[0]))
        .not_valid_after(utc_now() + timedelta(days=days[1]))
    )


def _as_authority(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: Key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
