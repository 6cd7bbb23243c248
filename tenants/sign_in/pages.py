"""Checks of a request to a member's page: signed in, and a member of a tenant."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from tenants.members.sessions import member_of_session
from tenants.models import Membership

View = Callable[..., HttpResponse]
NOT_TYPED: Final = frozenset({"csrfmiddlewaretoken", "content_hash", "zone", "decision"})
MAX_TYPED: Final = 300


def member_required(view: View) -> View:
    """Give a view ``request.member``, looked up at each request: the active membership of who is signed in.

    Everybody else is sent to the sign-in page, and from there back to where they wanted to go. Who has sent a form is
    shown what they typed; scripts leave it where it was typed, and are told by the status.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        member = signed_in_member(request)
        if member is None and request.method in {"GET", "HEAD"}:
            return _to_sign_in(request)
        if member is None:
            return _session_ended(request)
        request.member = member  # type: ignore[attr-defined]  # what this decorator is for
        return view(request, *args, **kwargs)

    return answer


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send a browser to the sign-in page; one whose script has asked for a part of a page goes there as a whole."""
    address = f"{reverse('sign_in')}?{urlencode({'next': request.get_full_path()})}"
    if "HX-Request" in request.headers:
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def _session_ended(request: HttpRequest) -> HttpResponse:
    """Say that nothing was sent, with what was typed and the way back to the page it was typed at."""
    typed = [
        (name.removeprefix("data/"), text)
        for name, texts in request.POST.lists()
        if name not in NOT_TYPED
        for text in map(str, texts)
        if text
    ]
    context = {"typed": typed[:MAX_TYPED], "next": _page_of(request)}
    return render(request, "pages/session_ended.html", context, status=HTTPStatus.UNAUTHORIZED)


def _page_of(request: HttpRequest) -> str:
    """Find the page of this site a form was sent from; forms' own addresses take nothing but forms."""
    page = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return page if is_ours else request.get_full_path()


def signed_in_member(request: HttpRequest) -> Membership | None:
    """Find the active membership a request's session stands for; None when there is none, or none any more."""
    return member_of_session(request)
