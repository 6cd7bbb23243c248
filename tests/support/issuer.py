"""An identity provider on loopback that signs whatever a test asks, and people who sign in through it."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from foundation.scope import unscoped
from tenants.models import IdentityProvider, Tenant
from tenants.sealing import seal_into
from tests.support.http_server import Answer, CountingServer, RecordedRequest

CLIENT_ID = "llmteam-client"
CLIENT_SECRET = "the client's own & secret"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused
EC_KEY = ec.generate_private_key(ec.SECP256R1())
EC_KEY_384 = ec.generate_private_key(ec.SECP384R1())
EC_KEY_521 = ec.generate_private_key(ec.SECP521R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
MISSING = object()
"""Takes a claim out."""


def public_text(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk_of(key: Any, kid: str | None, **more: Any) -> dict[str, Any]:
    """A public key as providers publish it."""
    kinds = {rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm, ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm}
    kind = next((found for of, found in kinds.items() if isinstance(key, of)), jwt.algorithms.ECAlgorithm)
    found: dict[str, Any] = json.loads(kind.to_jwk(key.public_key()))
    found = {name: value for name, value in found.items() if name != "key_ops"}
    return {**found, "use": "sig", **({} if kid is None else {"kid": kid}), **more}


@dataclass
class Saying:
    """What the issuer answers for one code."""

    id_token: Any
    userinfo: Mapping[str, Any] | str | None
    """A text is a signed answer."""
    challenge: str
    access_token: str = "access-1"


@dataclass(frozen=True)
class Begun:
    """A sign-in under way, as the issuer sees it in the address a browser was sent to."""

    query: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.query[name]


@dataclass
class Issuer:
    """Discovery, keys, token and userinfo. ``keys`` are published; codes are redeemed as often as they are shown."""

    server: CountingServer = field(default_factory=CountingServer)
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk_of(RSA_KEY, "k1"), jwk_of(EC_KEY, "k2")])
    sayings: dict[str, Saying] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    """Further members of the discovery document, or others in their place."""

    def __enter__(self) -> Self:
        self.server.__enter__()
        self.server.route("GET", "/.well-known/openid-configuration", lambda _: Answer(body=self.metadata()))
        self.server.route("GET", "/keys", lambda _: Answer(body={"keys": self.keys}))
        self.server.route("POST", "/token", self._token)
        self.server.route("GET", "/userinfo", self._userinfo)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        return self.server.url

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/logout",
            **self.more,
        }

    def claims(self, begun: Begun, subject: str, **more: Any) -> dict[str, Any]:
        """What an honest ID token says; ``MISSING`` takes a claim out."""
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": subject,
            "nonce": begun["nonce"],
            "iat": now,
            "exp": now + 300,
            **more,
        }
        return {name: value for name, value in said.items() if value is not MISSING}

    def code_for(
        self,
        begun: Begun,
        id_token: Any,
        *,
        userinfo: Mapping[str, Any] | str | None,
        **more: Any,
    ) -> str:
        """Make a code that stands for a token and what userinfo says."""
        code = f"code-{len(self.sayings)}"
        self.sayings[code] = Saying(id_token, userinfo, begun["code_challenge"], access_token=f"access-{code}", **more)
        return code

    def _token(self, request: RecordedRequest) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        saying = self.sayings.get(form.get("code", ""))
        shown = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        if [unquote(part) for part in shown.split(":")] != [CLIENT_ID, CLIENT_SECRET]:
            return Answer(401, {"error": "invalid_client"})
        if saying is None or saying.challenge != s256(form.get("code_verifier", "")):
            return Answer(400, {"error": "invalid_grant"})
        return Answer(body={"access_token": saying.access_token, "token_type": "Bearer", "id_token": saying.id_token})

    def _userinfo(self, request: RecordedRequest) -> Answer:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        saying = next((one for one in self.sayings.values() if one.access_token == shown), None)
        if saying is None:
            return Answer(401)
        kind = {"Content-Type": "application/jwt"} if isinstance(saying.userinfo, str) else {}
        return Answer(body=saying.userinfo, headers=kind)


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def sign(claims: Mapping[str, Any], key: Any = RSA_KEY, alg: str = "RS256", **header: Any) -> str:
    """Sign a token; ``kid`` is k1 unless the header says otherwise, MISSING leaves it out."""
    said = {"kid": "k1", **header}
    return jwt.encode(
        dict(claims), key, algorithm=alg, headers={name: value for name, value in said.items() if value is not MISSING}
    )


def by_hand(header: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes = b"") -> str:
    """Write a token no library would."""
    parts = [json.dumps(part).encode() for part in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in [*parts, signature])


def begin(client: Client, **query: str) -> Begun:
    """Be sent to the issuer, to sign in."""
    return begin_at(client, "/oidc/login/", **query)


def begin_at(client: Client, address: str, *, method: str = "GET", **said: str) -> Begun:
    """Be sent to the issuer by a page of ours."""
    answer = client.get(address, said) if method == "GET" else client.post(address, said)
    assert answer.status_code == 302, answer.content.decode()
    return Begun({name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()})


def come_back(client: Client, begun: Begun, code: str, **query: str) -> Any:
    """Come back from the issuer with a code."""
    return client.get("/oidc/callback/", {"state": begun["state"], "code": code, **query})


def sign_in(
    client: Client, issuer: Issuer, subject: str, email: str, *, more: Any = (), signed: Any = (), **query: str
) -> Any:
    """Sign in honestly; ``more`` are further claims of userinfo, ``signed`` of the ID token."""
    begun = begin(client, **query)
    userinfo = {"sub": subject, "email": email, "email_verified": True, **dict(more)}
    code = issuer.code_for(begun, sign(issuer.claims(begun, subject, **dict(signed))), userinfo=userinfo)
    return come_back(client, begun, code)


def give_provider(tenant: Tenant, issuer: Issuer, **more: Any) -> IdentityProvider:
    """Give a tenant a provider of its own."""
    with unscoped("rows for a test"):
        row = IdentityProvider(tenant=tenant, issuer=issuer.url, client_id=CLIENT_ID, **more)
        seal_into(row, "client_secret", CLIENT_SECRET)
        row.save()
        return row
