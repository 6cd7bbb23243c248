"""The pages people sign in with."""

from functools import wraps
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.generic import View
from mozilla_django_oidc.views import OIDCAuthenticationRequestView

from tenants.content_security import policy
from tenants.sign_in.backend import ProviderBackend
from tenants.sign_in.errors import (
    NoProvider,
    ProviderFailed,
    ProviderRefused,
    SignInRefused,
    StateRefused,
    TokenRefused,
)
from tenants.sign_in.metadata import directory
from tenants.sign_in.pages import signed_in_member
from tenants.sign_in.providers import Provider, installation_provider, provider_by_key, provider_of_tenant
from tenants.sign_in.services import refuse
from tenants.sign_in.sessions import begin_session, choices, choose, end_session
from tenants.sign_in.states import bind_state, take_state
from tenants.sign_in.strangers import check_may_begin, is_worth_an_entry

SOURCES: Final = {f"{kind}_src": "'self'" for kind in ("style", "img", "font")}
ANY_PROVIDER: Final = "'self' https:" if settings.SECURE_SSL_REDIRECT else "'self' https: http:"
"""A form asks for the short name of a company, whose provider may be anywhere."""
SEE_OTHER: Final = 303


def page(view: Any) -> Any:
    """Make a view a page: never kept, with no script; who is refused gets a page that says what to do."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = view(request, *args, **kwargs)
        except SignInRefused as error:
            response = render(request, "pages/refused.html", {"error": error}, status=error.status)
        except NoProvider as error:
            response = render(request, "pages/no_provider.html", _ways(request), status=error.status)
        response["Content-Security-Policy"] = policy(**SOURCES, form_action=ANY_PROVIDER)
        return response

    return never_cache(answer)


@method_decorator(page, name="dispatch")
class SignInView(View):
    """Offers the ways there are to sign in."""

    http_method_names = ["get", "head"]  # noqa: RUF012 - as Django declares it

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        context = {**_ways(request), "member": signed_in_member(request), "choices": choices(request)}
        return render(request, "pages/sign_in.html", context)


@method_decorator(page, name="dispatch")
class LoginView(OIDCAuthenticationRequestView):  # type: ignore[misc]  # the library has no types
    """Sends somebody to a provider: ``?tenant=`` names a tenant's own by the tenant's short name."""

    def __init__(self, **kwargs: Any) -> None:
        """Take no settings: the library's would name one provider for all."""
        View.__init__(self, **kwargs)

    def get_settings(self, name: str, *default: Any) -> Any:
        """Answer the library: what the provider asks for, PKCE and a nonce always."""
        own = {"OIDC_RP_SCOPES": self.provider.scopes, "OIDC_USE_NONCE": True, "OIDC_USE_PKCE": True}
        return own.get(name, default[0] if default else None)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Begin.

        Raises:
            NoProvider: There is none, or the tenant has none.
            ProviderFailed: It does not tell its addresses.
        """
        slug = request.GET.get("tenant")
        provider = installation_provider() if slug is None else provider_of_tenant(slug)
        if provider is None:
            raise NoProvider
        self.provider = provider
        self.OIDC_RP_CLIENT_ID = provider.client_id
        check_may_begin(request)
        self.OIDC_OP_AUTH_ENDPOINT = _endpoint(request, provider)
        answer: HttpResponseRedirect = super().get(request)
        state = parse_qs(urlsplit(answer.url).query)["state"][0]
        bind_state(request, state, provider_key=provider.key, next_url=_next(request))
        if "?" in self.OIDC_OP_AUTH_ENDPOINT:  # the library writes a second question mark
            own = answer.url.removeprefix(f"{self.OIDC_OP_AUTH_ENDPOINT}?")
            return HttpResponseRedirect(f"{self.OIDC_OP_AUTH_ENDPOINT}&{own}")
        return answer


@method_decorator(page, name="dispatch")
class CallbackView(View):
    """Where providers send people back to."""

    http_method_names = ["get"]  # noqa: RUF012 - as Django declares it

    def get(self, request: HttpRequest) -> HttpResponse:
        """Sign the person in, or say why not.

        Raises:
            SignInRefused: Whatever is wrong; the audit has been told.
        """
        provider: Provider | None = None
        try:
            begun = take_state(request)
            provider = provider_by_key(begun["provider"])
            if provider is None:
                raise StateRefused
            backend = _authenticated(request, provider, begun)
        except SignInRefused as error:
            _tell(request, provider, error)
            raise
        if backend.signed_in is None:
            raise ProviderFailed
        begin_session(request, provider, backend.signed_in, id_token=backend.id_token)
        if len(backend.signed_in.members) > 1:
            return HttpResponseRedirect(f"{reverse('choose_tenant')}?{urlencode({'next': begun['next']})}")
        return HttpResponseRedirect(begun["next"])


@method_decorator(page, name="dispatch")
class TenantView(View):
    """Lets somebody who belongs to several tenants say for which one they work now."""

    http_method_names = ["get", "head", "post"]  # noqa: RUF012 - as Django declares it

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show where they may go, and where they are."""
        found = choices(request)
        if not found:
            return HttpResponseRedirect(f"{reverse('sign_in')}?{urlencode({'next': _next(request)})}")
        context = {"choices": found, "next": _next(request), "member": signed_in_member(request)}
        return render(request, "pages/tenants.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Go on in one of them; any other answers as if nothing had been chosen."""
        wanted = request.POST.get("tenant", "")
        member = next((one for one in choices(request) if str(one.tenant_id) == wanted), None)
        if member is None:
            return self.get(request)
        choose(request, member)
        return HttpResponseRedirect(_next(request), status=SEE_OTHER)


@method_decorator(page, name="dispatch")
class LogoutView(View):
    """Signs somebody out here, and at the provider where that can be asked for."""

    http_method_names = ["post"]  # noqa: RUF012 - as Django declares it

    def post(self, request: HttpRequest) -> HttpResponse:
        """Sign out."""
        address = end_session(request, back=request.build_absolute_uri(reverse("sign_in")))
        return HttpResponseRedirect(address, status=SEE_OTHER)


def _authenticated(request: HttpRequest, provider: Provider, begun: dict[str, str]) -> ProviderBackend:
    """Redeem the code of a callback.

    Raises:
        SignInRefused: Whatever is wrong.
    """
    issuer = request.GET.get("iss")
    if issuer != provider.issuer and (issuer is not None or directory.metadata(provider).names_itself):
        raise TokenRefused("iss_of_answer")
    if "error" in request.GET or not request.GET.get("code"):
        raise ProviderRefused
    backend = ProviderBackend(provider)
    backend.authenticate(request, nonce=begun["nonce"], code_verifier=begun["code_verifier"])
    return backend


def _endpoint(request: HttpRequest, provider: Provider) -> str:
    try:
        return directory.metadata(provider).authorization_endpoint
    except SignInRefused as error:
        _tell(request, provider, error)
        raise


def _tell(request: HttpRequest, provider: Provider | None, error: SignInRefused) -> None:
    """Tell the audit of a refusal, once a minute of each kind from an address: strangers cannot fill it."""
    if is_worth_an_entry(request, error):
        refuse(provider=provider, error=error)


def _ways(request: HttpRequest) -> dict[str, Any]:
    return {"has_installation": installation_provider() is not None, "next": _next(request)}


def _next(request: HttpRequest) -> str:
    """Read where somebody wants to go: an address of this site, or where all go."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else settings.LOGIN_REDIRECT_URL
