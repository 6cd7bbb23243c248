"""Validation of ID tokens. No clock of its own, no network, no rows."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import parse_json
from tenants.sign_in.errors import TokenRefused

ALGORITHMS: Final[Mapping[str, str]] = {
    **{f"{family}{bits}": "RSA" for family in ("RS", "PS") for bits in (256, 384, 512)},
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""The signatures that are believed, and the kind of key each needs. Never ``none``; never one that needs a secret."""
_HASHES: Final = {alg: f"sha{alg[2:]}" for alg in ALGORITHMS if alg[2:].isdecimal()}
"""By which an ID token tells its access token; of EdDSA no standard says."""
_TYPES: Final = frozenset(("id+jwt", "id_token+jwt"))
CURVES: Final[Mapping[str, str]] = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
LEEWAY_SECONDS: Final = 60
LONGEST: Final = 32 * 1024
MIN_RSA_BITS: Final = 2048
MAX_SUBJECT_LENGTH: Final = 255
MAX_TOLD: Final = 300
ENCRYPTED_DOTS: Final = 4
"""A JWE has five parts, a signed token three."""

Claims = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class ExpectedClaims:
    """Expected claims of an ID token."""

    issuer: str
    client_id: str
    nonce: str


def key_id(token: object) -> str | None:
    """Read which key a token says it is signed with, to look for that; believed by nobody.

    Raises:
        TokenRefused: No signed token, or one whose algorithm is never believed.
    """
    kid = _header(token).get("kid")
    if kid is not None and not isinstance(kid, str):
        raise TokenRefused("kid")
    return kid


def read_id_token(token: object, *, keys: Sequence[Mapping[str, Json]], expected: ExpectedClaims, now: float) -> Claims:
    """Check a token's signature and all it says.

    Args:
        token: As the provider sent it.
        keys: The provider's, as it publishes them.
        expected: What was asked for.
        now: Seconds since the epoch.

    Returns:
        Its claims.

    Raises:
        TokenRefused: Anything is not as it must be; ``reason`` names it.
    """
    header = _header(token)
    claims = _payload(str(token), _key(header, keys), str(header["alg"]))
    if not is_of_id_tokens(header.get("typ")):
        raise TokenRefused("typ")
    _check_audience(claims, expected)
    _check_times(claims, now)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise TokenRefused("nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject.strip() or len(subject) > MAX_SUBJECT_LENGTH:
        raise TokenRefused("sub")
    return claims


def read_userinfo(token: str, *, keys: Sequence[Mapping[str, Json]], expected: ExpectedClaims, now: float) -> Claims:
    """Check a signed answer of userinfo as an ID token, save for what it need not say: a nonce, and times.

    Returns:
        Its claims; whom they are about is for the caller to compare.

    Raises:
        TokenRefused: Anything is not as it must be.
    """
    header = _header(token)
    claims = _payload(token, _key(header, keys), str(header["alg"]))
    _check_audience(claims, expected)
    _check_times({"exp": now, "iat": now, **claims}, now)
    return claims


def is_of_id_tokens(typ: Json) -> bool:
    """Whether a token says nothing of its type, or that of no other kind, as access and logout tokens do (RFC 9068)."""
    if typ is None:
        return True
    name = typ.lower().removeprefix("application/") if isinstance(typ, str) else "+jwt"
    return not name.endswith("+jwt") or name in _TYPES


def check_access_token(id_token: str, claims: Claims, access_token: object) -> None:
    """Hold an access token against the hash that the ID token has of it, if it has one (OpenID Connect Core, 3.1.3.8).

    Raises:
        TokenRefused: ``at_hash``: it is another's.
    """
    alg = str(_header(id_token)["alg"])
    if claims.get("at_hash") is None or alg not in _HASHES:
        return
    digest = hashlib.new(_HASHES[alg], str(access_token).encode()).digest()
    wanted = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not hmac.compare_digest(str(claims["at_hash"]).rstrip("=").encode(), wanted):
        raise TokenRefused("at_hash")


def algorithms_of(key: Mapping[str, Json]) -> list[str]:
    """Tell which signatures by a published key would be believed; none for a weak key, or one not for signing."""
    return [alg for alg in ALGORITHMS if _fits(key, alg) and _is_strong(_read_key(key, alg), alg)]


def _header(token: object) -> Claims:
    if not isinstance(token, str) or not token.isascii():
        raise TokenRefused("form")
    if len(token) > LONGEST:
        raise TokenRefused("size", compared=f"It has {len(token):,} characters; {LONGEST:,} are read.")
    if token.count(".") == ENCRYPTED_DOTS:
        raise TokenRefused("encrypted")
    try:
        encoded, _, _ = map(_segment, token.split("."))
        header = parse_json(encoded, big_integers="text")
    except (ValueError, LlmteamError) as error:
        raise TokenRefused("form") from error
    if not isinstance(header, dict) or "crit" in header:
        raise TokenRefused("header")
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise TokenRefused("alg")
    return header


def _segment(text: str) -> bytes:
    """Read a part of a token as a JWS has it (RFC 7515, 2): base64url without padding, blanks or bits that say nothing.

    Raises:
        ValueError: It is written otherwise, as no signer does; one token would have many spellings.
    """
    decoded = jwt.utils.base64url_decode(text)
    if jwt.utils.base64url_encode(decoded).decode() != text:
        raise ValueError
    return decoded


def _key(header: Claims, keys: Sequence[Mapping[str, Json]]) -> jwt.PyJWK:
    """Find the key the token names; one that names none is believed only where there is but one key."""
    alg, kid = str(header["alg"]), header.get("kid")
    fitting = [key for key in keys if _fits(key, alg) and (kid is None or key.get("kid") == kid)]
    if len(fitting) != 1:
        raise TokenRefused("kid")
    found = _read_key(fitting[0], alg)
    if found is None or not _is_strong(found, alg):
        raise TokenRefused("key")
    return found


def _fits(key: Mapping[str, Json], alg: str) -> bool:
    return key.get("kty") == ALGORITHMS[alg] and key.get("use") in (None, "sig") and key.get("alg") in (None, alg)


def _read_key(published: Mapping[str, Json], alg: str) -> jwt.PyJWK | None:
    try:
        return jwt.PyJWK(dict(published), algorithm=alg)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None


def _is_strong(found: jwt.PyJWK | None, alg: str) -> bool:
    key = None if found is None else found.key
    if isinstance(key, RSAPublicKey):
        return key.key_size >= MIN_RSA_BITS
    if isinstance(key, EllipticCurvePublicKey):
        return key.curve.name == CURVES.get(alg)
    return isinstance(key, Ed25519PublicKey | Ed448PublicKey)


def _payload(token: str, key: jwt.PyJWK, alg: str) -> Claims:
    try:
        signed = jwt.PyJWS().decode_complete(token, key, algorithms=[alg])
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise TokenRefused("signature") from error
    try:
        claims = parse_json(signed["payload"], big_integers="text")
    except LlmteamError as error:
        raise TokenRefused("content", compared=_fault_of(error)) from error
    if not isinstance(claims, dict):
        raise TokenRefused("form")
    return claims


def _check_audience(claims: Claims, expected: ExpectedClaims) -> None:
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("iss", compared=_compared(claims.get("iss"), expected.issuer))
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in listed:
        raise TokenRefused("aud", compared=_compared(audience, expected.client_id))
    if (claims.get("azp") is not None or len(listed) > 1) and claims.get("azp") != expected.client_id:
        raise TokenRefused("azp", compared=_compared(claims.get("azp"), expected.client_id))


def _check_times(claims: Claims, now: float) -> None:
    if _time(claims, "exp") <= now - LEEWAY_SECONDS:
        raise TokenRefused("exp", compared=_clocks(claims, "exp", now))
    if _time(claims, "iat") > now + LEEWAY_SECONDS:
        raise TokenRefused("iat", compared=_clocks(claims, "iat", now))
    if claims.get("nbf") is not None and _time(claims, "nbf") > now + LEEWAY_SECONDS:
        raise TokenRefused("nbf", compared=_clocks(claims, "nbf", now))


def _time(claims: Claims, name: str) -> float:
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise TokenRefused(name)
    return found


def _fault_of(error: LlmteamError) -> str:
    """Say where a payload is wrong, by names and never by values."""
    faults = ((item.pointer, item.detail) for item in error.errors)
    return " ".join(f"At {pointer[:MAX_TOLD]}: {detail}" if pointer else detail for pointer, detail in faults)


def _compared(claim: Json, wanted: str) -> str:
    return f"It says {str(claim)[:MAX_TOLD]!r}; set up is {wanted!r}."


def _clocks(claims: Claims, name: str, now: float) -> str:
    """Write a time a token says beside ours; it may be none a calendar has."""
    ours = datetime.fromtimestamp(int(now), UTC).isoformat()
    try:
        theirs = datetime.fromtimestamp(int(_time(claims, name)), UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"Our clock shows {ours}."
    return f"It says {theirs}; our clock shows {ours}."
