"""The operator console's site: every page works for all tenants, and all that is written is told to the audit."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial, update_wrapper
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.response import SimpleTemplateResponse
from django.templatetags.static import static
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from audit.services import record
from foundation.console import actor_of, changelist_url
from foundation.scope import unscoped
from humantasks.selectors import count_overdue
from kernel.clock import utc_now
from kernel.types import Json
from llmteam.operators.notices import notify_of_lock, record_sign_in
from llmteam.operators.password_attempts import REFUSED, attempt, forget_attempts
from llmteam.operators.password_thread import LOGINS, PasswordQueue, PasswordThreadBusy
from runs.console.dashboard import DashboardTile, attention, home_figures, queue_words
from tenants.addresses import share_of
from tenants.licences.selectors import endings
from tenants.sign_in.operators.signing_in import OIDC, may_use_console, operators_provider
from tenants.walls.selectors import coverage_of_walls

if TYPE_CHECKING:  # unfold has no types; its site is Django's with other clothes
    from django.contrib.admin import AdminSite
else:
    from unfold.sites import UnfoldAdminSite as AdminSite


BUSY_SECONDS: Final = 5
T = TypeVar("T")


class OperatorSite(AdminSite):
    """Django's admin for the operator of the installation.

    Each request is one transaction as the system's role, answer included: it is rendered inside, because lists are
    read while they are drawn.
    """

    index_title = "Operator console"
    index_template = "console/home.html"
    login_template = "operators/login.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._login_places = PasswordQueue()

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in operators who have signed in as such."""
        with unscoped("operators belong to no tenant"):
            return super().has_permission(request) and may_use_console(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Run every page for all tenants."""
        inner = super().admin_view(view, cacheable)

        def scoped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            response: HttpResponseBase = _for_all_tenants(lambda: inner(request, *args, **kwargs))
            return response

        return update_wrapper(scoped, inner)

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    async def login(  # type: ignore[override]  # Django takes views of either kind
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Sign in; the one page before anybody is known. Passwords are judged in a thread of their own."""
        answer: Callable[[], HttpResponseBase] = partial(self._login, request, extra_context)
        if request.method != "POST":
            return await sync_to_async(answer)()
        try:
            with self._login_places.one(share_of(_address(request))):
                # asgiref takes any executor, its types only the one of the standard library
                judged: Callable[[], Awaitable[HttpResponseBase]]
                judged = sync_to_async(answer, thread_sensitive=False, executor=LOGINS)  # type: ignore[call-overload]
                return await judged()
        except PasswordThreadBusy:
            REFUSED.labels("busy").inc()
            return _refused(request, "Too many people sign in at once.", seconds=BUSY_SECONDS)

    def _login(self, request: HttpRequest, extra_context: dict[str, Any] | None) -> HttpResponseBase:
        """Answer the page, or begin a session that ends at a fixed time, whatever is asked meanwhile."""
        by_oidc = operators_provider() is not None
        if settings.OPERATOR_SIGN_IN == OIDC and not self.has_permission(request):
            status = HTTPStatus.FORBIDDEN if request.method == "POST" else HTTPStatus.OK
            return render(request, "operators/by_oidc.html", {"next": request.GET.get("next", "")}, status=status)
        extra_context = {"by_oidc": by_oidc, **(extra_context or {})}
        username = request.POST.get("username", "")
        refusal = attempt(username, _address(request)) if request.method == "POST" else None
        if refusal is not None:
            if refusal.is_first:
                _for_all_tenants(partial(notify_of_lock, username, address=_address(request), seconds=refusal.seconds))
            return _refused(request, refusal.sentence, seconds=refusal.seconds)

        def judge() -> HttpResponseBase:
            response: HttpResponseBase = super(OperatorSite, self).login(request, extra_context)
            if request.method == "POST":
                record_sign_in(username, is_in=response.status_code == HTTPStatus.FOUND)
            return response

        response = _for_all_tenants(judge)
        if request.method == "POST" and response.status_code == HTTPStatus.FOUND:
            forget_attempts(username)
            request.session.set_expiry(utc_now() + timedelta(hours=settings.SIGN_IN_HOURS))
        return response

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the home page: what needs attention, how runs of today and seven days went, whether the walls stand."""
        ending, overdue = endings(), count_overdue()
        tiles, figures = attention(), home_figures()
        if overdue:
            tiles.append(
                DashboardTile("Overdue human tasks", overdue, changelist_url("humantasks.humantask", overdue="yes"))
            )
        if ending:
            tiles.append(DashboardTile("Licences that end", len(ending), "#endings"))
        shown = {
            "attention": tiles,
            "queue": queue_words(),
            "periods": figures.periods,
            "busiest": figures.busiest,
            "counted_at": figures.counted_at,
            "walls": coverage_of_walls(),
            "endings": ending,
        }
        return super().index(request, {**shown, **(extra_context or {})})

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add our style sheets to what every page gets."""
        context = super().each_context(request)
        ours = [static("console/console.css"), static("runs/picture.css")]
        return {**context, "styles": [*context.get("styles", []), *ours]}

    def record(self, request: HttpRequest, *, action: str, row: Model, before: Json = None, after: Json = None) -> None:
        """Write an audit entry in the request's transaction, in the history of the row's tenant if it has one."""
        record(action, row, actor=actor_of(request), before=before, after=after, personal=("reason",))


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def _refused(request: HttpRequest, sentence: str, *, seconds: int) -> HttpResponse:
    variables = {"sentence": f"{sentence} Try again in {seconds} s."}
    response = render(request, "operators/refused.html", variables, status=HTTPStatus.TOO_MANY_REQUESTS)
    response["Retry-After"] = str(seconds)
    return response


def _for_all_tenants(answer: Callable[[], T]) -> T:
    with unscoped("operator console"):
        response = answer()
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        return response
