"""Authentication backend: mozilla-django-oidc's code flow for many providers, with our own fetching and validation."""

import logging
import re
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from tenants.models import User
from tenants.sign_in.claims import merge_claims, verified_email
from tenants.sign_in.errors import PersonRefused, ProviderFailed, ProviderRefused, TokenRefused
from tenants.sign_in.fetching import fetch_object, fetch_userinfo
from tenants.sign_in.id_tokens import Claims, ExpectedClaims, check_access_token, key_id, read_id_token, read_userinfo
from tenants.sign_in.metadata import directory
from tenants.sign_in.providers import SignInProvider
from tenants.sign_in.services import SignedIn, sign_in
from tenants.sign_in.states import PendingSignIn

log = logging.getLogger(__name__)

NAME: Final = "tenants.sign_in.backend.ProviderBackend"
_ERROR_NAME: Final = re.compile(r"[a-z_]{1,40}")

Act = Callable[..., SignedIn]
"""Takes ``provider`` and ``claims``; raises ``SignInRefused``."""


class Stage(StrEnum):
    """Stages of a sign-in, in order."""

    ANSWER = "answer"
    CODE = "code"
    ID_TOKEN = "ID token"  # noqa: S105 - a name
    USERINFO = "userinfo"
    PERSON = "person"


class ProviderBackend(OIDCAuthenticationBackend):  # type: ignore[misc]  # the library has no types
    """Signs one person in through one provider. Without one, as Django makes it, it only knows sessions again."""

    def __init__(self, provider: SignInProvider | None = None, *, act: Act = sign_in) -> None:
        """Take no settings: the library's would name one provider for all.

        Args:
            provider: Whose answers are followed.
            act: What becomes of the account its answer vouches for.
        """
        self.UserModel = get_user_model()
        self.provider = provider
        self.signed_in: SignedIn | None = None
        self.claims: Claims = {}
        self.id_token = self._nonce = ""
        self.stage = Stage.ANSWER
        self.act = act
        if provider is not None:
            self.OIDC_RP_CLIENT_ID = provider.client_id
            self.OIDC_RP_CLIENT_SECRET = provider.client_secret

    def redeem(self, request: HttpRequest, begun: PendingSignIn) -> None:
        """Follow a provider's answer to the person it vouches for; ``stage`` says how far it went.

        Raises:
            SignInRefused: Whatever is wrong with the answer, or with the person.
        """
        provider, issuer = self._provider, request.GET.get("iss")
        if issuer != provider.issuer and (issuer is not None or directory.metadata(provider).names_itself):
            raise TokenRefused("iss_of_answer")
        if "error" in request.GET or not request.GET.get("code"):
            raise ProviderRefused(_answered_error(request))
        self.stage = Stage.CODE
        self.authenticate(request, nonce=begun.nonce, code_verifier=begun.code_verifier)

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        """Redeem the code in a callback's address.

        Raises:
            SignInRefused: Whatever is wrong with the answer, or with the person.
        """
        if self.provider is None:
            return None
        super().authenticate(request, **kwargs)
        return None if self.signed_in is None else self.signed_in.user

    def get_token(self, payload: dict[str, str]) -> dict[str, Any]:
        """Redeem the code; the secret is shown as the provider says it wants it."""
        metadata = directory.metadata(self._provider)
        if metadata.posts_secret:
            return fetch_object(self._provider, metadata.token_endpoint, form=payload)
        name, secret = (quote(payload[part], safe="") for part in ("client_id", "client_secret"))
        form = {name: value for name, value in payload.items() if name != "client_secret"}
        return fetch_object(self._provider, metadata.token_endpoint, form=form, basic=(name, secret))

    def verify_token(self, token: object, **kwargs: Any) -> Claims:
        """Believe the ID token, or refuse."""
        self.stage = Stage.ID_TOKEN
        self._nonce = str(kwargs["nonce"])
        claims = self._believed(token, read_id_token)
        self.id_token = str(token)
        return claims

    def get_userinfo(self, access_token: object, id_token: object, payload: Claims) -> Claims:
        """Ask what else is known of the person; nothing of it counts unless it is about the token's subject."""
        address = directory.metadata(self._provider).userinfo_endpoint
        if address is None:
            return {}
        if not isinstance(access_token, str) or not access_token.isascii() or not access_token.isprintable():
            raise ProviderFailed("It gave no access token to ask userinfo with.")
        userinfo: Claims | str = fetch_userinfo(self._provider, address, access_token=access_token)
        if isinstance(userinfo, str):
            try:
                userinfo = self._believed(userinfo, read_userinfo)
            except TokenRefused as refusal:
                raise refusal.about("userinfo") from refusal
        if userinfo.get("sub") != payload["sub"]:
            raise TokenRefused("userinfo_sub")
        return userinfo

    def _believed(self, token: Any, read: Callable[..., Claims]) -> Claims:
        """Read a signed token. Keys are looked up again once: one may be new under its old id."""
        provider, kid = self._provider, key_id(token)
        expected = ExpectedClaims(provider.issuer, provider.client_id, self._nonce)
        keys = directory.keys(provider, kid=kid)
        try:
            return read(token, keys=keys, expected=expected, now=time.time())
        except TokenRefused as refusal:
            if refusal.reason not in {"signature", "kid"}:
                raise
            keys = directory.keys(provider, kid=kid, unfit=True)
            return read(token, keys=keys, expected=expected, now=time.time())

    def get_or_create_user(self, access_token: object, id_token: object, payload: Claims) -> User:
        """Find the person; what the signed token says goes before what userinfo says."""
        check_access_token(self.id_token, payload, access_token)
        self.stage = Stage.USERINFO
        self.claims = merge_claims(payload, self._userinfo_claims(access_token, id_token, payload))
        self.stage = Stage.PERSON
        try:
            self.signed_in = self.act(provider=self._provider, claims=self.claims)
        except PersonRefused as refusal:
            refusal.account = f"{self._provider.issuer} {payload['sub']}"
            raise
        return self.signed_in.user

    def _userinfo_claims(self, access_token: object, id_token: object, payload: Claims) -> Claims:
        """Ask userinfo; where it fails, a token that vouches for the e-mail itself does without it."""
        try:
            return self.get_userinfo(access_token, id_token, payload)
        except ProviderFailed as failure:
            if verified_email(payload, trusted=self._provider.emails_verified) is None:
                raise
            log.warning("userinfo of %s failed, the ID token is enough: %s", self._provider.key, failure.detail)
            return {}

    def store_tokens(self, access_token: object, id_token: object) -> None:
        """Keep no token: nothing is asked of the provider later."""

    @property
    def _provider(self) -> SignInProvider:
        if self.provider is None:
            raise TypeError("this backend was made to know sessions again")
        return self.provider


def _answered_error(request: HttpRequest) -> str:
    """Read the name of an answer's error; its other words may be anybody's."""
    name = request.GET.get("error", "")
    return f"It answered {name}." if _ERROR_NAME.fullmatch(name) else "It answered neither a code nor an error's name."
