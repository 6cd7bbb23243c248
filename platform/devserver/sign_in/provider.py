"""OpenID Connect as far as the platform uses it: discovery, keys, the code flow with PKCE, signed ID tokens."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from devserver.sign_in.page import choice_page, refusal_page
from devserver.sign_in.people import DevelopmentAccount, find_person

CODE_SECONDS = 60.0
TOKEN_SECONDS = 300
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
CALLBACK_PATH = "/oidc/callback/"
ASKED = (
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
)
"""Parameters of a request that are kept while somebody chooses."""
Fields = Mapping[str, str]


@dataclass(frozen=True)
class ProviderAnswer:
    """An answer: JSON for an object, HTML for a text, nothing but headers for None."""

    status: int
    body: dict[str, Any] | str | None = None
    headers: Fields = field(default_factory=dict)


@dataclass(frozen=True)
class _Grant:
    """A choice that a code stands for."""

    person: DevelopmentAccount
    asked: Fields
    until: float


class DevelopmentProvider:
    """One issuer with one client. Codes are good once, for a minute; the key is new with each process.

    Attributes:
        issuer: Its address, as its tokens name it.
    """

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str,
        api_port: int,
        people: Callable[[], list[DevelopmentAccount]],
    ) -> None:
        """Make a provider that sends people back to one platform.

        Args:
            issuer: Its address.
            client_id: The platform's.
            client_secret: The platform's.
            api_port: Where on this machine the platform listens; people are sent nowhere else.
            people: Tells who may be chosen.
        """
        self.issuer = issuer
        self._client = (client_id, client_secret)
        self._api_port = api_port
        self._people = people
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._key_id = secrets.token_hex(8)
        self._grants: dict[str, _Grant] = {}

    def metadata(self) -> dict[str, Any]:
        """Return the discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        }

    def keys(self) -> dict[str, Any]:
        """Return the key that tokens are signed with, as it is published."""
        public = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "kid": self._key_id, "use": "sig", "alg": "ES256"}]}

    def ask(self, query: Fields) -> ProviderAnswer:
        """Ask who somebody is."""
        asked, problem = self._asked(query)
        if problem:
            return ProviderAnswer(400, refusal_page(problem))
        return ProviderAnswer(200, choice_page(self._people(), asked=asked))

    def choose(self, form: Fields) -> ProviderAnswer:
        """Send somebody back to the platform with a code for whom they have chosen to be."""
        asked, problem = self._asked(form)
        if problem:
            return ProviderAnswer(400, refusal_page(problem))
        person = find_person(self._people(), form.get("email", ""))
        if person is None:
            return ProviderAnswer(400, choice_page(self._people(), asked=asked, problem="That is not an e-mail."))
        now = time.monotonic()
        self._grants = {code: grant for code, grant in self._grants.items() if grant.until > now}
        code = secrets.token_urlsafe(24)
        self._grants[code] = _Grant(person, asked, now + CODE_SECONDS)
        answer = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return ProviderAnswer(303, headers={"Location": f"{asked['redirect_uri']}?{answer}"})

    def redeem(self, form: Fields, authorization: str) -> ProviderAnswer:
        """Give the ID token for a code, once, to the client it was made for and whoever began the sign-in."""
        if not self._is_client(authorization):
            return ProviderAnswer(401, {"error": "invalid_client"})
        grant = self._grants.pop(form.get("code", ""), None)
        if (
            grant is None
            or grant.until <= time.monotonic()
            or form.get("redirect_uri") != grant.asked["redirect_uri"]
            or not hmac.compare_digest(_s256(form.get("code_verifier", "")), grant.asked["code_challenge"])
        ):
            return ProviderAnswer(400, {"error": "invalid_grant"})
        token = {"access_token": secrets.token_urlsafe(24), "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return ProviderAnswer(200, {**token, "id_token": self._id_token(grant)})

    def _asked(self, fields: Fields) -> tuple[dict[str, str], str]:
        """Read a request; with it what is wrong, if anything is."""
        asked = {name: fields.get(name, "") for name in ASKED}
        back = urlsplit(asked["redirect_uri"])
        if asked["client_id"] != self._client[0]:
            return asked, "It was begun by another program than the platform of this make run."
        is_here = back.scheme == "http" and back.hostname in LOOPBACK_NAMES and back.port == self._api_port
        if not is_here or back.path != CALLBACK_PATH or back.query or back.fragment:
            return asked, f"It would lead to {asked['redirect_uri']!r}, which is not the platform of this make run."
        if asked["response_type"] != "code" or asked["code_challenge_method"] != "S256" or not asked["code_challenge"]:
            return asked, "It asks for another flow than a code with PKCE."
        if "openid" not in asked["scope"].split() or not asked["state"] or not asked["nonce"]:
            return asked, "It has no scope openid, no state or no nonce."
        return asked, ""

    def _is_client(self, authorization: str) -> bool:
        kind, _, encoded = authorization.partition(" ")
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return False
        shown = f"{unquote(name)}:{unquote(secret)}".encode()
        return kind.lower() == "basic" and hmac.compare_digest(shown, ":".join(self._client).encode())

    def _id_token(self, grant: _Grant) -> str:
        now = int(time.time())
        claims = {
            **grant.person.claims(),
            "iss": self.issuer,
            "aud": self._client[0],
            "nonce": grant.asked["nonce"],
            "iat": now,
            "exp": now + TOKEN_SECONDS,
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
