"""Console action that requests an export of a tenant's data."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from foundation.console import MAX_AT_ONCE, NoQuestionsForm, Question, actor_of, console_action, is_confirmed
from tenants.console.deletion import DeletionActions
from tenants.errors import TooManyExports
from tenants.lifecycle.exports import request_export
from tenants.models import Tenant


class ExportActions(DeletionActions):
    """The acts of the page of tenants, with the export of all that one has."""

    def has_export_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those export who may change a tenant."""
        return request.user.has_perm("tenants.change_tenant")

    @console_action("Export tenants", permission="export")
    def export_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> HttpResponse | None:
        """Request an archive of each chosen tenant, after asking."""
        if not is_confirmed(request):
            return self.ask(request, _question(tenants), form=NoQuestionsForm())
        asked = 0
        for tenant in tenants.order_by("slug")[:MAX_AT_ONCE]:
            try:
                request_export(tenant=tenant, actor=actor_of(request))
                asked += 1
            except TooManyExports as error:
                self.message_user(request, f"{tenant}: {error.detail}", messages.WARNING)
        self.message_user(request, f"Requested: {asked}. The page of exports shows how far they are.")
        return None

    @console_action("Export", permission="export", url_path="export")
    def export_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to export this tenant."""
        tenants = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _question(tenants), form=NoQuestionsForm(), ids=[object_id])


def _question(tenants: QuerySet[Tenant]) -> Question:
    return Question(
        action="export_tenants",
        title="Export tenants",
        sentence="An archive of all that each has, without secrets, is written in the background. Whoever may change a "
        "tenant can download it here until it expires; while one is being written, it is that one.",
        button="Export",
        counts=[("will be exported", min(tenants.count(), MAX_AT_ONCE))],
    )
