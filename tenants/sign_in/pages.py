"""What pages for members ask of a request."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from tenants.members.sessions import member_of_session
from tenants.models import Membership

View = Callable[..., HttpResponse]


def member_required(view: View) -> View:
    """Give a view ``request.member``, looked up at each request: the active membership of who is signed in.

    Everybody else is sent to the sign-in page, and from there back to where they wanted to go.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        member = signed_in_member(request)
        if member is None:
            wanted = {"next": request.get_full_path()} if request.method in {"GET", "HEAD"} else {}
            return HttpResponseRedirect(f"{reverse('sign_in')}?{urlencode(wanted)}" if wanted else reverse("sign_in"))
        request.member = member  # type: ignore[attr-defined]  # what this decorator is for
        return view(request, *args, **kwargs)

    return answer


def signed_in_member(request: HttpRequest) -> Membership | None:
    """Find the active membership a request's session stands for; None when there is none, or none any more."""
    return member_of_session(request)
