"""The operator console's site: every page works for all tenants, and all that is written is told to the audit."""

from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_not_required
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.templatetags.static import static
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from audit.services import record
from kernel.values import Json
from runs.console import runs_today
from tenants.console import actor_of
from tenants.context import unscoped
from tenants.models import Tenant

if TYPE_CHECKING:  # unfold has no types; its site is Django's with other clothes
    from django.contrib.admin import AdminSite
else:
    from unfold.sites import UnfoldAdminSite as AdminSite


class OperatorSite(AdminSite):
    """Django's admin for the operator of the installation.

    Each request is one transaction as the system's role, answer included: it is rendered inside, because lists are
    read while they are drawn.
    """

    index_title = "Operator console"
    index_template = "console/home.html"

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Run every page for all tenants."""
        inner = super().admin_view(view, cacheable)

        def scoped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return _for_all_tenants(lambda: inner(request, *args, **kwargs))

        return update_wrapper(scoped, inner)

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Sign in; the one page before anybody is known."""
        return _for_all_tenants(lambda: super(OperatorSite, self).login(request, extra_context))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the home page, with what runs today."""
        return super().index(request, {"runs_today": runs_today(), **(extra_context or {})})

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add our style sheets to what every page gets."""
        context = super().each_context(request)
        ours = [static("console/console.css"), static("runs/picture.css")]
        return {**context, "styles": [*context.get("styles", []), *ours]}

    def record(self, request: HttpRequest, *, action: str, row: Model, before: Json = None, after: Json = None) -> None:
        """Write an audit entry in the request's transaction, in the history of the row's tenant if it has one."""
        record(
            tenant=row if isinstance(row, Tenant) else getattr(row, "tenant", None),
            action=action,
            actor=actor_of(request),
            object_type=action.partition(".")[0],
            object_id=str(row.pk),
            before=before,
            after=after,
        )


def _for_all_tenants(answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    with unscoped("operator console"):
        response = answer()
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        return response
