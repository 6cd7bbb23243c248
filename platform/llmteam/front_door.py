"""Redirects of addresses that people type: the bare host, names without their last slash, and icons."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import is_valid_path, reverse
from django.views.decorators.http import require_safe

from llmteam.api.problems import is_api, no_route
from tenants.content_security import policy
from tenants.members.sessions import member_of_session, user_of_session
from tenants.models import User

ICON = "inbox/icon.svg"


@require_safe
def front_door(request: HttpRequest) -> HttpResponse:
    """Lead members to their inbox, operators to the console, everybody else to the sign-in page."""
    user = user_of_session(request)
    is_operator = isinstance(user, User) and user.is_active and user.is_staff
    if member_of_session(request) is None and is_operator:
        return HttpResponseRedirect(reverse("admin:index"))
    return HttpResponseRedirect(reverse("inbox:list"))


@require_safe
def icon(request: HttpRequest) -> HttpResponse:
    """Lead browsers that ask for an icon by its usual name to ours."""
    return HttpResponseRedirect(static(ICON))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for Django where no route matches: a problem under /api/.

    Elsewhere it leads to the page whose address lacks its last slash, or a page says that there is nothing, and where
    to begin.
    """
    if is_api(request):
        return no_route()
    with_slash = f"{request.path_info}/"
    if request.method in {"GET", "HEAD"} and not request.path_info.endswith("/") and is_valid_path(with_slash):
        query = request.META.get("QUERY_STRING", "")
        return HttpResponseRedirect(f"{request.path}/?{query}" if query else f"{request.path}/")
    response = render(request, "pages/not_found.html", status=404)
    response["Content-Security-Policy"] = policy(style_src="'self'", img_src="'self'", form_action="'self'")
    return response
