"""Pages of the sign-in: what all of them have in common."""

from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

from tenants.content_security import policy
from tenants.sign_in.errors import NoProvider, SignInRefused
from tenants.sign_in.providers import installation_provider

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
            if "retry_after" in error.extra:
                response["Retry-After"] = str(error.extra["retry_after"])
        except NoProvider as error:
            response = render(request, "pages/no_provider.html", ways_to_sign_in(request), status=error.status)
        response["Content-Security-Policy"] = policy(**SOURCES, form_action=ANY_PROVIDER)
        return response

    return never_cache(answer)


def ways_to_sign_in(request: HttpRequest) -> dict[str, Any]:
    """Say what the page of ways to sign in needs: whether there is a provider for all, and where to go then."""
    return {"has_installation": installation_provider() is not None, "next": next_page(request)}


def next_page(request: HttpRequest, *, otherwise: str = settings.LOGIN_REDIRECT_URL) -> str:
    """Read where somebody wants to go: an address of this site, or where all go."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else otherwise
