"""Inbox responses: members only, `no-store`, no foreign scripts."""

from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any, Final, Protocol, cast
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from foundation.scope import reading_scope
from humantasks import selectors
from humantasks.errors import TaskNotFound, TaskOver
from humantasks.inbox import texts
from humantasks.inbox.cards import how_it_ended
from humantasks.inbox.unavailable import why_unavailable
from humantasks.people import person_of
from humantasks.rules import Person
from kernel.errors import LlmteamError
from tenants.content_security import policy
from tenants.licences.selectors import ending_of
from tenants.models import MemberRole, Membership, Tenant
from tenants.sign_in.pages import member_required
from tenants.sign_in.sessions import choices, form_targets

SOURCES: Final = {f"{kind}_src": "'self'" for kind in ("script", "style", "img", "font", "connect")}
SEE_OTHER: Final = 303
ZONE: Final = "zone"
"""Name of the zone a form says it was written in, and of the cookie a page's script keeps the browser's zone in."""

View = Callable[..., HttpResponse]


class MemberRequest(Protocol):
    """A request of somebody who is signed in to a tenant."""

    member: Membership


def inbox_page(*methods: str) -> Callable[[View], View]:
    """Make a view a page of the inbox: a refusal of a service is a page as well, with the status it has in the API.

    Who enters an address again that only takes forms is led to the task it is about.
    """

    def decorated(view: View) -> View:
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return view(request, *args, **kwargs)
            except LlmteamError as error:
                return refused(request, error, task_id=kwargs.get("task_id"))

        guarded = require_http_methods(list(methods))(member_required(answer))

        @wraps(view)
        def bounded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method in {"GET", "HEAD"} and "GET" not in methods:
                response: HttpResponse = HttpResponseRedirect(reverse("inbox:task", kwargs=kwargs))
            else:
                with timezone.override(zone_of(request)):
                    response = guarded(request, *args, **kwargs)
            response["Content-Security-Policy"] = policy(**SOURCES, form_action=form_targets(request))
            response["Cache-Control"] = "no-store"
            return response

        return bounded

    return decorated


def zone_of(request: HttpRequest) -> ZoneInfo:
    """Find the time zone of a request: of the form that is posted, else of the browser; UTC where neither names one."""
    named = (request.POST.get(ZONE), request.COOKIES.get(ZONE), "UTC")
    return ZoneInfo(next(name for name in named if name in _known_zones()))


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def who(request: HttpRequest) -> tuple[Tenant, Person]:
    """Tell for which tenant, and as whom, the request is made."""
    member = cast("MemberRequest", request).member
    with reading_scope(member.tenant_id):
        return member.tenant, person_of(member)


def page(request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    """Render a page."""
    variables = {
        **context,
        "zone": timezone.get_current_timezone_name(),
        "ends_in": request.session.get_expiry_age(),
        "ending": _ending(request),
    }
    return render(request, f"inbox/{template}.html", variables, status=status)


def _ending(request: HttpRequest) -> Mapping[str, object] | None:
    """Say to admins that their tenant's licence ends soon, or has ended."""
    member = cast("MemberRequest", request).member
    found = ending_of(member.tenant_id) if member.role == MemberRole.ADMIN else None
    if found is None or found.current is None or found.standing is None:
        return None
    return {
        "state": found.standing.state.value,
        "last_day": found.current.last_day,
        "works_until": found.standing.works_until.strftime("%Y-%m-%d %H:%M"),
        "default_tier": settings.DEFAULT_TIER,
    }


def refused(request: HttpRequest, error: LlmteamError, *, task_id: UUID | None = None) -> HttpResponse:
    """Render a refusal: what it was, why, and the way back."""
    context = _explained(request, error, task_id)
    if context is None:
        detail = texts.REASONS.get(str(error.extra.get("reason", "")), error.detail)
        title = texts.refused_title(error.code, error.title)
        context = {"title": title, "detail": "" if str(detail) == str(error.title) else detail}
    typed = request.POST.get("remark") or request.POST.get("note") or ""
    problems = [texts.problem_text(item) for item in error.errors]
    return page(request, "refused", {**context, "typed": typed, "problems": problems}, status=error.status)


def _explained(request: HttpRequest, error: LlmteamError, task_id: UUID | None) -> dict[str, object] | None:
    """Say of a task that is over, or not to be seen any more, what became of it."""
    if task_id is None or not isinstance(error, TaskOver | TaskNotFound):
        return None
    tenant, person = who(request)
    if isinstance(error, TaskOver):
        task = selectors.get_task(tenant=tenant, person=person, task_id=task_id)
        title = texts.refused_title(error.code, error.title, task.status, task.task_type)
        return {"title": title, "detail": how_it_ended(task)}
    gone = why_unavailable(tenant=tenant, person=person, task_id=task_id, elsewhere=choices(request))
    if gone is None:
        return None
    address = reverse("inbox:task", args=[task_id])
    return {"title": gone.title, "detail": gone.detail, "switch_to": gone.switch_to, "next": address}


def go_to(request: HttpRequest, address: str, *, message: str) -> HttpResponse:
    """Send a person on after an act, and tell them what they did when they get there."""
    messages.success(request, message)
    response = HttpResponseRedirect(address)
    response.status_code = SEE_OTHER
    return response


def take_confirmations(request: HttpRequest) -> list[str]:
    """Tell once what a person has just done."""
    return [str(message) for message in messages.get_messages(request)]
