"""The console's page of connections, with a button that tries one."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from foundation.console import NoQuestionsForm, Question, actor_of, console_action, is_confirmed
from runs.circuits.page import show_circuits
from runs.connection_trials import TrialsUnderWay, try_connection
from tenants.connections.admin import ConnectionAdmin
from tenants.models import Connection

MAX_AT_ONCE = 5


@admin.register(Connection)
class TriedConnectionAdmin(ConnectionAdmin):
    """Connections in the console, with a trial call."""

    list_before_template = "console/connections.html"
    actions = ["try_connections"]
    actions_detail = ["try_one"]

    def get_urls(self) -> list[URLPattern]:
        """Add the page of open circuits."""
        circuits = self.admin_site.admin_view(self.circuits_view)
        return [path("circuits/", circuits, name="tenants_connection_circuits"), *super().get_urls()]

    def circuits_view(self, request: HttpRequest) -> HttpResponse:
        """Show what calls are kept away from; who may try a connection may close its circuit."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        around = {**self.admin_site.each_context(request), "opts": self.opts}
        return show_circuits(request, around, may_reset=self.has_try_permission(request))

    def has_try_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those try one who may change it: its secret is shown to its host."""
        return request.user.has_perm("tenants.change_connection")

    @console_action("Try connections", permission="try")
    def try_connections(self, request: HttpRequest, rows: QuerySet[Connection]) -> HttpResponse | None:
        """Make one small call through each, after asking, and say what came of it."""
        if not is_confirmed(request):
            return self.ask(request, _question(rows), form=NoQuestionsForm())
        for row in rows.select_related("tenant").order_by("id")[:MAX_AT_ONCE]:
            try:
                trial = try_connection(tenant=row.tenant, actor=actor_of(request), ref=row.ref)
            except TrialsUnderWay as error:
                self.message_user(request, f"{row.ref}: {error.detail}.", messages.WARNING)
                continue
            text = f"{row.ref} of {row.tenant.slug}: {trial.detail} ({trial.code}, {trial.duration_ms} ms)"
            self.message_user(request, text, messages.SUCCESS if trial.ok else messages.ERROR)
        return None

    @console_action("Try it", permission="try", url_path="try")
    def try_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to try this connection."""
        rows = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _question(rows), form=NoQuestionsForm(), ids=[object_id])


def _question(rows: QuerySet[Connection]) -> Question:
    count = rows.count()
    counts = [("will be tried", min(count, MAX_AT_ONCE))]
    if count > MAX_AT_ONCE:
        counts.append((f"not in this action (at most {MAX_AT_ONCE} at once)", count - MAX_AT_ONCE))
    return Question(
        action="try_connections",
        title="Try connections",
        sentence="Each makes one small call with its secret: an HTTP API is asked for its base address, a language "
        "model for a few tokens, which cost what they cost.",
        button="Try now",
        counts=counts,
    )
