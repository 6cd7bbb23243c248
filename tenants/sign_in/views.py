"""The pages people sign in with."""

from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.generic import View

from tenants.sign_in.accounts.linking import finish_linking
from tenants.sign_in.anonymous_limits import audit_refusal, check_may_come_back, count_refused
from tenants.sign_in.backend import ProviderBackend
from tenants.sign_in.errors import NoProvider, ProviderFailed, SignInRefused, StateRefused
from tenants.sign_in.operators.signing_in import begin_operator_session, operators_provider, sign_in_operator
from tenants.sign_in.operators.trial import show_trial
from tenants.sign_in.pages import signed_in_member
from tenants.sign_in.providers import SignInProvider, installation_provider, provider_by_key, provider_of_tenant
from tenants.sign_in.redirects import redirect_to_provider
from tenants.sign_in.responses import SEE_OTHER, next_page, page, ways_to_sign_in
from tenants.sign_in.sessions import begin_session, choices, choose, end_session
from tenants.sign_in.states import PendingSignIn, SignInPurpose, take_state


@method_decorator(page, name="dispatch")
class SignInView(View):
    """Offers the ways there are to sign in."""

    http_method_names = ["get", "head"]  # noqa: RUF012 - as Django declares it

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        context = {**ways_to_sign_in(request), "member": signed_in_member(request), "choices": choices(request)}
        return render(request, "pages/sign_in.html", context)


@method_decorator(page, name="dispatch")
class LoginView(View):
    """Sends somebody to a provider: ``?tenant=`` is a short name of a tenant, ``?for=operator`` is for the console."""

    http_method_names = ["get"]  # noqa: RUF012 - as Django declares it

    def get(self, request: HttpRequest) -> HttpResponse:
        """Begin.

        Raises:
            NoProvider: There is none, or the tenant has none.
            ProviderFailed: It does not tell its addresses.
        """
        if request.GET.get("for") == SignInPurpose.OPERATOR:
            return _send_operator(request)
        slug = request.GET.get("tenant")
        provider = installation_provider() if slug is None else provider_of_tenant(slug)
        if provider is None:
            raise NoProvider
        return redirect_to_provider(request, provider, next_url=next_page(request))


@method_decorator(page, name="dispatch")
class CallbackView(View):
    """Redirect address of providers."""

    http_method_names = ["get"]  # noqa: RUF012 - as Django declares it

    def get(self, request: HttpRequest) -> HttpResponse:
        """Sign the person in, link their account, or say why not; of a trial, say what came of it.

        Raises:
            SignInRefused: Whatever is wrong; the audit has been told.
        """
        check_may_come_back(request)
        provider: SignInProvider | None = None
        try:
            begun = take_state(request)
            if begun.purpose is SignInPurpose.TRIAL:
                return show_trial(request, begun)
            provider = provider_by_key(begun.provider)
            if provider is None:
                raise StateRefused
            if begun.purpose is SignInPurpose.LINK:
                finish_linking(request, provider, begun)
                return HttpResponseRedirect(begun.next)
            if begun.purpose is SignInPurpose.OPERATOR:
                return _let_operator_in(request, provider, begun)
            backend = ProviderBackend(provider)
            backend.redeem(request, begun)
        except SignInRefused as error:
            audit_refusal(request, provider, error)
            count_refused(request, error)
            raise
        if backend.signed_in is None:
            raise ProviderFailed
        begin_session(request, provider, backend.signed_in, id_token=backend.id_token)
        if len(backend.signed_in.members) > 1:
            return HttpResponseRedirect(f"{reverse('choose_tenant')}?{urlencode({'next': begun.next})}")
        return HttpResponseRedirect(begun.next)


@method_decorator(page, name="dispatch")
class TenantView(View):
    """Lets somebody who belongs to several tenants say for which one they work now."""

    http_method_names = ["get", "head", "post"]  # noqa: RUF012 - as Django declares it

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show where they may go, and where they are."""
        found = choices(request)
        if not found:
            return HttpResponseRedirect(f"{reverse('sign_in')}?{urlencode({'next': next_page(request)})}")
        context = {"choices": found, "next": next_page(request), "member": signed_in_member(request)}
        return render(request, "pages/tenants.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Go on in one of them; any other answers as if nothing had been chosen."""
        wanted = request.POST.get("tenant", "")
        member = next((one for one in choices(request) if str(one.tenant_id) == wanted), None)
        if member is None:
            return self.get(request)
        choose(request, member)
        return HttpResponseRedirect(next_page(request), status=SEE_OTHER)


@method_decorator(page, name="dispatch")
class LogoutView(View):
    """Signs somebody out here, and at the provider where that can be asked for."""

    http_method_names = ["post"]  # noqa: RUF012 - as Django declares it

    def post(self, request: HttpRequest) -> HttpResponse:
        """Sign out."""
        address = end_session(request, back=request.build_absolute_uri(reverse("sign_in")))
        return HttpResponseRedirect(address, status=SEE_OTHER)


def _send_operator(request: HttpRequest) -> HttpResponse:
    provider = operators_provider()
    if provider is None:
        raise NoProvider
    asked = {"acr_values": " ".join(settings.OPERATOR_ACR)} if settings.OPERATOR_ACR else {}
    back = next_page(request, otherwise=reverse("admin:index"))
    return redirect_to_provider(request, provider, next_url=back, purpose=SignInPurpose.OPERATOR, **asked)


def _let_operator_in(request: HttpRequest, provider: SignInProvider, begun: PendingSignIn) -> HttpResponse:
    """Begin a session for the console; the settings may have changed since the sign-in was begun."""
    if operators_provider() is None:
        raise StateRefused
    backend = ProviderBackend(provider, act=sign_in_operator)
    backend.redeem(request, begun)
    if backend.signed_in is None:
        raise ProviderFailed
    begin_operator_session(request, backend.signed_in)
    return HttpResponseRedirect(begun.next)
