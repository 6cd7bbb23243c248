"""Forged, replayed and mixed-up logins: what is done to each, and the reason it is refused for."""

import base64
import hashlib
import hmac
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.test import Client

from foundation.scope import unscoped
from tenants.sign_in.metadata import directory
from tests.conftest import Customer
from tests.support.http_server import Answer
from tests.support.issuer import (
    CLIENT_ID,
    CLIENT_SECRET,
    MISSING,
    OTHER_KEY,
    RSA_KEY,
    WEAK_KEY,
    Begun,
    Issuer,
    begin,
    by_hand,
    come_back,
    give_provider,
    jwk_of,
    public_text,
    sign,
)

ANN, BOB = "ann@acme.example", "bob@acme.example"
NOW = int(time.time())
FAR_FUTURE = 4_102_444_800


@dataclass(frozen=True)
class World:
    """Where a login is forged: bob is invited and honest so far."""

    acme: Customer
    globex: Customer
    issuer: Issuer
    second: Issuer
    client: Client

    def told_of_bob(self, **more: Any) -> dict[str, Any]:
        said = {"sub": "sub-bob", "email": BOB, "email_verified": True, **more}
        return {name: value for name, value in said.items() if value is not MISSING}

    def claims(self, begun: Begun, **more: Any) -> dict[str, Any]:
        return self.issuer.claims(begun, **{"subject": "sub-bob", **more})

    def come_with(self, begun: Begun, token: Any, *, userinfo: Any = None, **query: str) -> Any:
        code = self.issuer.code_for(begun, token, userinfo=self.told_of_bob() if userinfo is None else userinfo)
        return come_back(self.client, begun, code, **query)

    def come_saying(self, *, userinfo: Any = None, **more: Any) -> Any:
        begun = begin(self.client)
        return self.come_with(begun, sign(self.claims(begun, **more)), userinfo=userinfo)

    def come_signed(self, *signed: Any, **header: Any) -> Any:
        begun = begin(self.client)
        return self.come_with(begun, sign(self.claims(begun), *signed, **header))


Forge = Callable[[World], Any]


def said(**more: Any) -> Forge:
    return lambda world: world.come_saying(**more)


def told(**more: Any) -> Forge:
    return lambda world: world.come_saying(userinfo=world.told_of_bob(**more))


def signed(*key_and_alg: Any, **header: Any) -> Forge:
    return lambda world: world.come_signed(*key_and_alg, **header)


def by_the_hand(header: dict[str, Any], signature: bytes = b"") -> Forge:
    def forge(world: World) -> Any:
        begun = begin(world.client)
        return world.come_with(begun, by_hand(header, world.claims(begun), signature))

    return forge


def hmac_with(secret: Callable[[], bytes]) -> Forge:
    def forge(world: World) -> Any:
        begun = begin(world.client)
        unsigned = by_hand({"alg": "HS256", "kid": "k1"}, world.claims(begun)).removesuffix(".")
        mac = hmac.digest(secret(), unsigned.encode(), hashlib.sha256)
        return world.come_with(begun, f"{unsigned}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")

    return forge


def as_token(token: Any) -> Forge:
    return lambda world: world.come_with(begin(world.client), token)


def without_kid_of_two(world: World) -> Any:
    world.issuer.keys = [jwk_of(RSA_KEY, "k1"), jwk_of(OTHER_KEY, "k3")]
    return world.come_signed(kid=MISSING)


def with_a_weak_key(world: World) -> Any:
    with warnings.catch_warnings(action="ignore"):  # the library that signs says so too
        return with_published(WEAK_KEY)(world)


def with_published(key: Any, used: str = "RS256", **more: Any) -> Forge:
    """Sign with a key the issuer publishes itself, that is not to be believed all the same."""

    def forge(world: World) -> Any:
        world.issuer.keys = [jwk_of(key, "k7", **more)]
        return world.come_signed(key, used, kid="k7")

    return forge


def changed_after_signing(world: World) -> Any:
    begun = begin(world.client)
    head, _, tail = sign(world.claims(begun, subject="sub-eve")).split(".")
    other = sign(world.claims(begun)).split(".")[1]
    return world.come_with(begun, f"{head}.{other}.{tail}")


def nonce_of_an_earlier_login(world: World) -> Any:
    earlier = begin(world.client)
    begun = begin(world.client)
    return world.come_with(begun, sign(world.claims(earlier)))


def token_of_an_earlier_login(world: World) -> Any:
    """Steal the token, not the code: it is replayed into the thief's own login."""
    victim = begin(Client())
    stolen = sign(world.claims(victim))
    return world.come_with(begin(world.client), stolen)


def state_again(world: World) -> Any:
    begun = begin(world.client)
    code = world.issuer.code_for(begun, sign(world.claims(begun, nonce="wrong")), userinfo=world.told_of_bob())
    assert come_back(world.client, begun, code).status_code == 403
    again = world.issuer.code_for(begun, sign(world.claims(begun)), userinfo=world.told_of_bob())
    return come_back(world.client, begun, again)


def state_of_another_session(world: World) -> Any:
    begun = begin(Client())
    begin(world.client)
    return world.come_with(begun, sign(world.claims(begun)))


def no_session_at_all(world: World) -> Any:
    begun = begin(Client())
    return world.come_with(begun, sign(world.claims(begun)))


def state_missing(world: World) -> Any:
    begun = begin(world.client)
    code = world.issuer.code_for(begun, sign(world.claims(begun)), userinfo=world.told_of_bob())
    return world.client.get("/oidc/callback/", {"code": code})


def state_too_old(world: World) -> Any:
    begun = begin(world.client)
    session = world.client.session
    session["oidc_states"][begun["state"]]["added_on"] -= 601
    session.save()
    return world.come_with(begun, sign(world.claims(begun)))


def error_answer(world: World) -> Any:
    begun = begin(world.client)
    return world.client.get("/oidc/callback/", {"state": begun["state"], "error": "access_denied"})


def error_answer_with_a_good_code(world: World) -> Any:
    begun = begin(world.client)
    return world.come_with(begun, sign(world.claims(begun)), error="access_denied")


def code_missing(world: World) -> Any:
    begun = begin(world.client)
    return world.client.get("/oidc/callback/", {"state": begun["state"]})


def code_never_given(world: World) -> Any:
    return come_back(world.client, begin(world.client), "never")


def code_of_another_login(world: World) -> Any:
    """The code is good, but was asked for with another PKCE challenge: it was stolen on its way."""
    victim = begin(Client())
    begun = begin(world.client)
    code = world.issuer.code_for(victim, sign(world.claims(begun)), userinfo=world.told_of_bob())
    return come_back(world.client, begun, code)


def code_of_another_provider(world: World) -> Any:
    """Begun with the installation's provider, answered by a tenant's."""
    give_provider(world.acme.tenant, world.second)
    begun = begin(world.client)
    token = sign(world.second.claims(begun, "sub-bob"))
    code = world.second.code_for(begun, token, userinfo=world.told_of_bob())
    return come_back(world.client, begun, code)


def token_of_another_provider(world: World) -> Any:
    """The provider hands out a token another one has signed for us."""
    give_provider(world.acme.tenant, world.second)
    begun = begin(world.client)
    return world.come_with(begun, sign(world.second.claims(begun, "sub-bob")))


def answer_that_names_another_issuer(world: World) -> Any:
    begun = begin(world.client)
    return world.come_with(begun, sign(world.claims(begun)), iss=world.second.url)


def answer_that_names_no_issuer(world: World) -> Any:
    """The provider says that it names itself in each answer: this answer is not its own."""
    world.issuer.more = {"authorization_response_iss_parameter_supported": True}
    directory.forget()
    begun = begin(world.client)
    return world.come_with(begun, sign(world.claims(begun)))


def provider_of_another_tenant(world: World) -> Any:
    """Globex's own provider says that it is bob, whom acme has invited."""
    give_provider(world.globex.tenant, world.second)
    begun = begin(world.client, tenant="globex")
    token = sign(world.second.claims(begun, "sub-bob"))
    code = world.second.code_for(begun, token, userinfo=world.told_of_bob())
    return come_back(world.client, begun, code)


def provider_gone_meanwhile(world: World) -> Any:
    row = give_provider(world.acme.tenant, world.second)
    begun = begin(world.client, tenant="acme")
    with unscoped("rows for a test"):
        row.is_active = False
        row.save()
    token = sign(world.second.claims(begun, "sub-bob"))
    return come_back(world.client, begun, world.second.code_for(begun, token, userinfo=world.told_of_bob()))


def answered(path: str, answer: Answer) -> Forge:
    """One of the provider's addresses answers otherwise."""

    def forge(world: World) -> Any:
        begun = begin(world.client)
        world.issuer.server.route("POST" if path == "/token" else "GET", path, answer)
        return world.come_with(begun, sign(world.claims(begun)))

    return forge


def token_elsewhere(world: World) -> Any:
    """The token's address leads to another, which would answer well."""
    begun = begin(world.client)
    world.issuer.server.route("POST", "/token", Answer(302, headers={"Location": "/elsewhere"}))
    token = sign(world.claims(begun))
    code = world.issuer.code_for(begun, token, userinfo=world.told_of_bob())
    answer = Answer(body={"access_token": f"access-{code}", "token_type": "Bearer", "id_token": token})
    world.issuer.server.route("GET", "/elsewhere", answer)
    return come_back(world.client, begun, code)


def keys_answered(answer: Answer) -> Forge:
    """The keys' address answers otherwise when it is asked about a new key."""

    def forge(world: World) -> Any:
        begun = begin(world.client)
        world.issuer.server.route("GET", "/keys", answer)
        return world.come_with(begun, sign(world.claims(begun), kid="k9"))

    return forge


FORGERIES: dict[str, tuple[Forge, int, str, str | None]] = {
    "aud of another client": (said(aud="another"), 403, "TOKEN_REFUSED", "aud"),
    "aud missing": (said(aud=MISSING), 403, "TOKEN_REFUSED", "aud"),
    "aud a part of ours": (said(aud=CLIENT_ID[:-1]), 403, "TOKEN_REFUSED", "aud"),
    "aud an object": (said(aud={CLIENT_ID: 1}), 403, "TOKEN_REFUSED", "aud"),
    "aud a list without us": (said(aud=["a", "b"]), 403, "TOKEN_REFUSED", "aud"),
    "aud a list, azp foreign": (said(aud=[CLIENT_ID, "b"], azp="b"), 403, "TOKEN_REFUSED", "azp"),
    "aud a list, azp missing": (said(aud=[CLIENT_ID, "b"]), 403, "TOKEN_REFUSED", "azp"),
    "azp foreign": (said(azp="another"), 403, "TOKEN_REFUSED", "azp"),
    "aud a list, azp null": (said(aud=[CLIENT_ID, "b"], azp=None), 403, "TOKEN_REFUSED", "azp"),
    "iss of another": (said(iss="https://another.example"), 403, "TOKEN_REFUSED", "iss"),
    "iss missing": (said(iss=MISSING), 403, "TOKEN_REFUSED", "iss"),
    "alg none": (by_the_hand({"alg": "none"}), 403, "TOKEN_REFUSED", "alg"),
    "alg None, spelled otherwise": (by_the_hand({"alg": "nOnE", "kid": "k1"}), 403, "TOKEN_REFUSED", "alg"),
    "alg HS256 with the public key": (hmac_with(lambda: public_text(RSA_KEY)), 403, "TOKEN_REFUSED", "alg"),
    "alg HS256 with our secret": (hmac_with(CLIENT_SECRET.encode), 403, "TOKEN_REFUSED", "alg"),
    "alg RS384 with another key": (signed(OTHER_KEY, "RS384"), 403, "TOKEN_REFUSED", "signature"),
    "alg PS256, key of RS256": (with_published(RSA_KEY, "PS256", alg="RS256"), 403, "TOKEN_REFUSED", "kid"),
    "alg ES384, key of ES256": (by_the_hand({"alg": "ES384", "kid": "k2"}, b"x" * 96), 403, "TOKEN_REFUSED", "key"),
    "alg EdDSA, RSA key": (by_the_hand({"alg": "EdDSA", "kid": "k1"}, b"x" * 64), 403, "TOKEN_REFUSED", "kid"),
    "alg a list": (by_the_hand({"alg": ["RS256"], "kid": "k1"}), 403, "TOKEN_REFUSED", "alg"),
    "alg ES256, RSA key": (by_the_hand({"alg": "ES256", "kid": "k1"}, b"x" * 64), 403, "TOKEN_REFUSED", "kid"),
    "no signature": (by_the_hand({"alg": "RS256", "kid": "k1"}), 403, "TOKEN_REFUSED", "signature"),
    "another key": (signed(OTHER_KEY), 403, "TOKEN_REFUSED", "signature"),
    "changed after signing": (changed_after_signing, 403, "TOKEN_REFUSED", "signature"),
    "kid unknown": (signed(kid="k9"), 403, "TOKEN_REFUSED", "kid"),
    "kid a number": (by_the_hand({"alg": "RS256", "kid": 1}), 403, "TOKEN_REFUSED", "kid"),
    "kid missing, two keys": (without_kid_of_two, 403, "TOKEN_REFUSED", "kid"),
    "key brought along": (
        signed(OTHER_KEY, jwk={"kty": "RSA"}, jku="http://127.0.0.1:1/", kid="k9"), 403, "TOKEN_REFUSED", "kid",
    ),
    "crit": (signed(crit=["exp"]), 403, "TOKEN_REFUSED", "header"),
    "key for encryption": (with_published(RSA_KEY, use="enc"), 403, "TOKEN_REFUSED", "kid"),
    "key for uses in a list": (with_published(RSA_KEY, use=["sig"]), 403, "TOKEN_REFUSED", "kid"),
    "key for an algorithm in an object": (with_published(RSA_KEY, alg={"RS256": 1}), 403, "TOKEN_REFUSED", "kid"),
    "key for another algorithm": (with_published(RSA_KEY, alg="RS512"), 403, "TOKEN_REFUSED", "kid"),
    "key of 1024 bits": (with_a_weak_key, 403, "TOKEN_REFUSED", "key"),
    "key that is none": (with_published(RSA_KEY, n=7), 403, "TOKEN_REFUSED", "key"),
    "nonce missing": (said(nonce=MISSING), 403, "TOKEN_REFUSED", "nonce"),
    "nonce wrong": (said(nonce="wrong"), 403, "TOKEN_REFUSED", "nonce"),
    "nonce a number": (said(nonce=7), 403, "TOKEN_REFUSED", "nonce"),
    "nonce of an earlier login": (nonce_of_an_earlier_login, 403, "TOKEN_REFUSED", "nonce"),
    "token of an earlier login": (token_of_an_earlier_login, 403, "TOKEN_REFUSED", "nonce"),
    "exp past": (said(exp=NOW - 61), 403, "TOKEN_REFUSED", "exp"),
    "exp missing": (said(exp=MISSING), 403, "TOKEN_REFUSED", "exp"),
    "exp text": (said(exp=str(FAR_FUTURE)), 403, "TOKEN_REFUSED", "exp"),
    "exp true": (said(exp=True), 403, "TOKEN_REFUSED", "exp"),
    "nbf future": (said(nbf=FAR_FUTURE), 403, "TOKEN_REFUSED", "nbf"),
    "iat missing": (said(iat=MISSING), 403, "TOKEN_REFUSED", "iat"),
    "iat far future": (said(iat=FAR_FUTURE), 403, "TOKEN_REFUSED", "iat"),
    "sub missing": (said(sub=MISSING), 403, "TOKEN_REFUSED", "sub"),
    "sub empty": (said(sub=""), 403, "TOKEN_REFUSED", "sub"),
    "sub a number": (said(sub=7), 403, "TOKEN_REFUSED", "sub"),
    "sub too long": (said(sub="x" * 256), 403, "TOKEN_REFUSED", "sub"),
    "userinfo of another": (told(sub="sub-ann"), 403, "TOKEN_REFUSED", "userinfo_sub"),
    "userinfo of nobody": (told(sub=MISSING), 403, "TOKEN_REFUSED", "userinfo_sub"),
    "e-mail of another, unverified": (told(email_verified=False), 403, "EMAIL_UNVERIFIED", None),
    "e-mail said to be verified as text": (told(email_verified="true"), 403, "EMAIL_UNVERIFIED", None),
    "e-mail said to be verified as 1": (told(email_verified=1), 403, "EMAIL_UNVERIFIED", None),
    "e-mail verified for another address": (said(email="eve@evil.example"), 403, "EMAIL_UNVERIFIED", None),
    "e-mail verified in the token, told beside it as unverified": (
        lambda world: world.come_saying(email_verified=True, userinfo=world.told_of_bob(email_verified=False)),
        403, "EMAIL_UNVERIFIED", None,
    ),
    "e-mail that looks like another": (told(email="\u212aen@acme.example"), 403, "EMAIL_MALFORMED", None),
    "e-mail missing": (told(email=MISSING), 403, "EMAIL_MISSING", None),
    "e-mail nobody invited": (told(email="eve@evil.example"), 403, "NOT_INVITED", None),
    "e-mail of a member with an account": (told(email=ANN), 403, "NOT_INVITED", None),
    "token a number": (as_token(7), 403, "TOKEN_REFUSED", "form"),
    "token missing": (as_token(None), 403, "TOKEN_REFUSED", "form"),
    "token empty": (as_token(""), 403, "TOKEN_REFUSED", "form"),
    "token garbage": (as_token("a.b.c"), 403, "TOKEN_REFUSED", "form"),
    "token not ASCII": (as_token("é.é.é"), 403, "TOKEN_REFUSED", "form"),
    "token too long": (as_token("e" * 40_000), 403, "TOKEN_REFUSED", "size"),
    "token of an API key": (as_token("llmb_abc.def"), 403, "TOKEN_REFUSED", "form"),
    "state again": (state_again, 400, "STATE_REFUSED", None),
    "state of another session": (state_of_another_session, 400, "STATE_REFUSED", None),
    "state without a session": (no_session_at_all, 400, "STATE_REFUSED", None),
    "state missing": (state_missing, 400, "STATE_REFUSED", None),
    "state too old": (state_too_old, 400, "STATE_REFUSED", None),
    "the provider says no": (error_answer, 403, "PROVIDER_REFUSED", None),
    "the provider says no, and gives a code": (error_answer_with_a_good_code, 403, "PROVIDER_REFUSED", None),
    "code missing": (code_missing, 403, "PROVIDER_REFUSED", None),
    "code never given": (code_never_given, 400, "PROVIDER_FAILED", None),
    "code of another login": (code_of_another_login, 400, "PROVIDER_FAILED", None),
    "code of another provider": (code_of_another_provider, 400, "PROVIDER_FAILED", None),
    "token of another provider": (token_of_another_provider, 403, "TOKEN_REFUSED", "iss"),
    "answer that names no issuer": (answer_that_names_no_issuer, 403, "TOKEN_REFUSED", "iss_of_answer"),
    "answer that names another issuer": (answer_that_names_another_issuer, 403, "TOKEN_REFUSED", "iss_of_answer"),
    "provider of another tenant": (provider_of_another_tenant, 403, "NOT_INVITED", None),
    "provider gone meanwhile": (provider_gone_meanwhile, 400, "STATE_REFUSED", None),
    "token endpoint fails": (answered("/token", Answer(500, "Traceback")), 400, "PROVIDER_FAILED", None),
    "token endpoint redirects": (token_elsewhere, 400, "PROVIDER_FAILED", None),
    "token endpoint answers no JSON": (answered("/token", Answer(200, "<html>")), 400, "PROVIDER_FAILED", None),
    "token endpoint answers a list": (answered("/token", Answer(200, [1])), 400, "PROVIDER_FAILED", None),
    "token endpoint answers nothing of use": (answered("/token", Answer(200, {})), 403, "TOKEN_REFUSED", "form"),
    "token endpoint answers too much": (
        answered("/token", Answer(200, {"id_token": "x" * 300_000})), 400, "PROVIDER_FAILED", None,
    ),
    "token endpoint answers too deep": (
        answered("/token", Answer(200, b"[" * 100_000)), 400, "PROVIDER_FAILED", None,
    ),
    "token endpoint hangs up": (answered("/token", Answer(raw=b"")), 400, "PROVIDER_FAILED", None),
    "userinfo fails": (answered("/userinfo", Answer(500)), 400, "PROVIDER_FAILED", None),
    "userinfo is a token": (answered("/userinfo", Answer(200, "a.b.c")), 400, "PROVIDER_FAILED", None),
    "keys fail": (keys_answered(Answer(500)), 400, "PROVIDER_FAILED", None),
    "keys are no list": (keys_answered(Answer(200, {"keys": {}})), 400, "PROVIDER_FAILED", None),
    "keys are odd": (keys_answered(Answer(200, {"keys": [1, None, {"kid": 5}]})), 403, "TOKEN_REFUSED", "kid"),
}  # fmt: skip
