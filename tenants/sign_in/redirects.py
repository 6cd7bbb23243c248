"""Start of a sign-in: redirects a browser to a provider, and remembers the state its answer is matched with."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.http import HttpRequest, HttpResponseRedirect
from django.views.generic import View
from mozilla_django_oidc.views import OIDCAuthenticationRequestView

from tenants.sign_in.anonymous_limits import audit_refusal, check_may_begin
from tenants.sign_in.errors import SignInRefused
from tenants.sign_in.metadata import directory
from tenants.sign_in.providers import SignInProvider
from tenants.sign_in.states import SignInPurpose, bind_state


class _Sending(OIDCAuthenticationRequestView):  # type: ignore[misc]  # the library has no types
    """The library's request, with one provider of many."""

    def __init__(self, provider: SignInProvider, endpoint: str, asked: Mapping[str, str]) -> None:
        """Take no settings: the library's would name one provider for all."""
        View.__init__(self)
        self.provider, self.asked = provider, asked
        self.OIDC_RP_CLIENT_ID = provider.client_id
        self.OIDC_OP_AUTH_ENDPOINT = endpoint

    def get_settings(self, name: str, *default: Any) -> Any:
        """Answer the library: what the provider asks for, PKCE and a nonce always."""
        own = {"OIDC_RP_SCOPES": self.provider.scopes, "OIDC_USE_NONCE": True, "OIDC_USE_PKCE": True}
        return own.get(name, default[0] if default else None)

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        """Answer the library: what else the provider is asked."""
        return dict(self.asked)


def redirect_to_provider(
    request: HttpRequest,
    provider: SignInProvider,
    *,
    next_url: str,
    purpose: SignInPurpose = SignInPurpose.SIGN_IN,
    person: str = "",
    **asked: str,
) -> HttpResponseRedirect:
    """Begin a sign-in, bound to the request's session.

    Args:
        request: Of the browser that is sent.
        provider: Where to.
        next_url: Where the person goes in the end.
        purpose: What becomes of the account they come back with.
        person: Whose account is linked.
        asked: Further parameters of the request, as ``prompt``.

    Raises:
        TooManySignIns: From this address.
        ProviderFailed: It does not tell its addresses.
    """
    check_may_begin(request)
    endpoint = _endpoint(request, provider)
    answer: HttpResponseRedirect = _Sending(provider, endpoint, asked).get(request)
    state = parse_qs(urlsplit(answer.url).query)["state"][0]
    bind_state(request, state, provider_key=provider.key, next_url=next_url, purpose=purpose, person=person)
    if "?" in endpoint:  # the library writes a second question mark
        return HttpResponseRedirect(f"{endpoint}&{answer.url.removeprefix(f'{endpoint}?')}")
    return answer


def _endpoint(request: HttpRequest, provider: SignInProvider) -> str:
    try:
        return directory.metadata(provider).authorization_endpoint
    except SignInRefused as error:
        audit_refusal(request, provider, error)
        raise
