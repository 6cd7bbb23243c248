"""Console pages: runs with their journals, and the workers that execute them."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from foundation.console import (
    BoundedPaginator,
    DaysFilter,
    ReadOnlyAdmin,
    change_link,
    changelist_url,
    column,
    links,
    pretty,
)
from kernel.clock import utc_now
from kernel.ids import parse_id
from runs.console.actions import RunActions
from runs.console.comparing import compare
from runs.console.queries import seconds_taken, waits_for
from runs.console.run_errors import ErrorCodeFilter, ErrorStepFilter, error_groups, with_errors
from runs.console.run_page import view_of
from runs.console.run_search import search
from runs.console.timeline import duration_words
from runs.models import Run, RunEvent, RunStatus, Worker
from segments.console import SegmentFilter
from segments.selectors import segment_name
from tenants.members.actors import names_of

HEAVY: Final = ("input", "output", "error", "metadata", "digest")
UNREAD: Final = ("input", "output", "metadata", "digest")
OF_CALLERS: Final = ("client_reference", "starter")
COLOURS: Final = {
    RunStatus.QUEUED: "info",
    RunStatus.RUNNING: "primary",
    RunStatus.WAITING: "info",
    RunStatus.PAUSED: "warning",
    RunStatus.STALLED: "danger",
    RunStatus.COMPLETED: "success",
    RunStatus.FAILED: "danger",
    RunStatus.CANCELLED: "warning",
    RunStatus.TIMED_OUT: "danger",
}


@admin.register(Run)
class RunAdmin(RunActions):
    """Runs in the console."""

    list_help = "Every execution of every tenant, newest first. Programs start runs through the API."
    list_display = [
        "short_id",
        "state",
        "segment_revision",
        "tenant",
        "created_at",
        "duration",
        "waiting",
        "error_code",
        "error_step",
    ]
    list_filter = [
        "status",
        ErrorCodeFilter,
        ErrorStepFilter,
        ("tenant", AutocompleteSelectFilter),
        ("segment_id", SegmentFilter),
        ("created_at", DaysFilter),
    ]
    list_before_template = "console/runs.html"
    search_fields = ["id", "client_reference"]
    search_help_text = (
        "Any part of a run's id (4 characters or more), a whole client reference, a part of its segment's name, or "
        "name=value of its metadata."
    )
    ordering = ["-id"]
    paginator = BoundedPaginator
    actions = ["pause_runs", "resume_runs", "cancel_runs", "replay_runs", "compare_runs"]
    actions_detail = ["pause", "resume", "cancel", "replay"]
    change_form_outer_before_template = "console/run_head.html"
    change_form_outer_after_template = "console/run_body.html"
    fieldsets = [
        (None, {"fields": [
            "id", "status", "tenant", "segment_revision", "client_reference", "starter", "created_at", "started_at",
            "ended_at", "duration", "waiting", "see_also",
        ]}),
        ("Data", {"fields": ["shown_input", "shown_output", "shown_error", "shown_metadata"]}),
        ("Engine", {"classes": ["collapse"], "fields": [
            "worker", "epoch", "losses", "wake_at", "signals_pending", "pause_requested", "activations", "active",
            "last_seq", "journal_bytes", "timeout_seconds", "deadline_at", "seconds_left", "priority", "semantics",
            "step_types", "replay_of",
        ]}),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Leave the data to the run's own page; the revision is asked for its number only."""
        rows: QuerySet[Run] = super().get_queryset(request).select_related("tenant", "revision")
        rows = rows.defer("revision__definition", "revision__step_types").annotate(segment_name=segment_name())
        rows = with_errors(rows)
        match = request.resolver_match
        if match and "object_id" in match.kwargs:
            return rows.select_related("started_by")
        return rows.defer(*HEAVY)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Run], search_term: str
    ) -> tuple[QuerySet[Run], bool]:
        """Find by a part of an id, a client reference, a value of the metadata, or by what a segment is called."""
        return search(queryset, search_term.strip(), in_data=may_see_data(request)), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Add the errors of all pages of the list, grouped."""
        answer = super().changelist_view(request, extra_context)
        shown = getattr(answer, "context_data", {}).get("cl")
        if shown is not None:
            groups = error_groups(shown.queryset, request.GET)
            answer.context_data["groups"] = groups  # type: ignore[attr-defined]  # a template's answer has it
        return answer

    def put_in_words(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Look up who started the run a page is of; lists do not tell."""
        if request.resolver_match and "object_id" in request.resolver_match.kwargs:
            names = names_of(run.started_by_actor for run in rows)
            for run in rows:
                run.starter = names[run.started_by_actor]

    def name_of(self, row: Any) -> str:
        """Name a run by its segment and the end of its id."""
        return f"{row.segment_name} {_end_of(row.id)}"

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of one event, and of two runs side by side."""
        view = self.admin_site.admin_view
        ours = [
            path("<uuid:run_id>/events/<int:seq>/", view(self.event_view), name="runs_run_event"),
            path("<uuid:left>/compare/<uuid:right>/", view(self.compare_view), name="runs_run_compare"),
        ]
        return [*ours, *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what callers wrote, for those who may not see data of tenants."""
        shown = super().get_fieldsets(request, obj)
        if may_see_data(request):
            return shown
        return [
            (name, {**options, "fields": [field for field in options["fields"] if field not in OF_CALLERS]})
            for name, options in shown
            if name != "Data"
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what holds the run up above its fields, and its steps, timeline and journal below."""
        run_id = parse_id(object_id)
        rows = Run.objects.select_related("revision", "tenant").defer(*UNREAD)
        run = rows.filter(id=run_id).first() if run_id else None
        view = None
        if run is not None and self.has_view_permission(request):
            asked = request.GET
            view = view_of(
                run, journal=asked.get("journal"), steps=asked.get("steps"), shows_data=may_see_data(request)
            )
        shown = {"view": view, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, shown)

    def compare_view(self, request: HttpRequest, left: UUID, right: UUID) -> HttpResponse:
        """Show two runs of one tenant side by side."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        runs = Run.objects.select_related("revision", "tenant").in_bulk([left, right])
        if {left, right} != set(runs) or runs[left].tenant_id != runs[right].tenant_id:
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Two runs side by side",
            "left": runs[left],
            "right": runs[right],
            "comparison": compare(runs[left], runs[right], shows_data=may_see_data(request)),
        }
        return TemplateResponse(request, "console/compare.html", context)

    def event_view(self, request: HttpRequest, run_id: UUID, seq: int) -> HttpResponse:
        """Show one event with its whole payload."""
        if not self.has_view_permission(request) or not may_see_data(request):
            raise PermissionDenied
        event = RunEvent.objects.filter(run_id=run_id, seq=seq).first() if seq < 2**31 else None
        if event is None:
            raise Http404
        step = f", {event.step_id}#{event.activation}" if event.step_id else ""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Event {event.seq}: {event.type}{step}",
            "event": event,
            "payload": pretty(event.payload),
        }
        return TemplateResponse(request, "console/event.html", context)

    @column("run", ordering="id")
    def short_id(self, run: Run) -> str:
        """Show the end of the id: its beginning is the time, which neighbours share."""
        return _end_of(run.id)

    @column("started by")
    def starter(self, run: Any) -> str:
        """Name who started it: by the key where only that was written down."""
        return run.starter or str(run.started_by or "-")

    @column("status", ordering="status", colours=COLOURS)
    def state(self, run: Run) -> tuple[str, str]:
        """Show the status in its colour."""
        return run.status, run.get_status_display()

    @column("error")
    def error_code(self, run: Any) -> str:
        """Show the code of the error."""
        return run.error_code or "-"

    @column("failing step")
    def error_step(self, run: Any) -> str:
        """Show which step failed."""
        return run.error_step or "-"

    @column("segment")
    def segment_revision(self, run: Any) -> str:
        """Link to the content that is executed."""
        revision = run.revision
        return change_link(revision, f"{run.segment_name} {f'r{revision.number}' if revision.number else '(inline)'}")

    @column("duration")
    def duration(self, run: Run) -> str:
        """Show how long it has taken."""
        seconds = seconds_taken(run)
        return "-" if seconds is None else duration_words(seconds)

    @column("waits for")
    def waiting(self, run: Run) -> str:
        """Show what it waits for."""
        return waits_for(run) or "-"

    @column("worker")
    def worker(self, run: Run) -> str:
        """Link to the host that executes it now."""
        host = Worker.objects.filter(id=run.owner).first() if run.owner else None
        return "nobody now" if host is None else change_link(host, host.name)

    @column("see also")
    def see_also(self, run: Run) -> str:
        """Link to what people did to it."""
        places = {"Audit": changelist_url("audit.entry", object_id=run.pk)}
        if run.callback_events is not None:
            places["Deliveries"] = changelist_url("runs.delivery", run__id__exact=run.pk)
        return links(places)

    @column("input")
    def shown_input(self, run: Run) -> str:
        """Show what it was started with."""
        return pretty(run.input)

    @column("output")
    def shown_output(self, run: Run) -> str:
        """Show what it answered."""
        return pretty(run.output)

    @column("error")
    def shown_error(self, run: Run) -> str:
        """Show why it failed."""
        return "-" if run.error is None else pretty(run.error)

    @column("metadata")
    def shown_metadata(self, run: Run) -> str:
        """Show what its caller wrote on it."""
        return pretty(run.metadata)


def may_see_data(request: HttpRequest) -> bool:
    """Whether somebody may see what tenants' runs were given and answered."""
    return request.user.has_perm("runs.see_data")


def _end_of(run_id: UUID) -> str:
    return f"…{str(run_id)[-12:]}"


class AliveFilter(admin.SimpleListFilter):
    """Narrows a list to workers whose lease holds, or has passed."""

    title = "alive"
    parameter_name = "alive"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer both."""
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Worker]) -> QuerySet[Worker]:
        """Keep those with a lease that holds, or that has passed."""
        now = utc_now()
        kept = {"yes": Q(lease_until__gt=now), "no": Q(lease_until__lte=now)}.get(self.value() or "")
        return queryset.filter(kept) if kept is not None else queryset


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Workers in the console."""

    list_help = "Processes that execute runs. One whose lease has passed is gone; others take its runs over."
    list_display = ["name", "state", "runs_owned", "started_at", "lease_until"]
    list_filter = [AliveFilter]
    search_fields = ["name"]
    ordering = ["-lease_until"]
    fields = ["id", "name", "state", "runs_owned", "started_at", "lease_until", "step_types"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        """Count the runs each one owns."""
        owned = Run.objects.filter(owner=OuterRef("pk")).order_by().values("owner").annotate(n=Count("pk")).values("n")
        counted = Coalesce(Subquery(owned, output_field=IntegerField()), 0)
        rows: QuerySet[Worker] = super().get_queryset(request).annotate(owned=counted)
        return rows

    @column("state", colours={"alive": "success", "gone": "danger"})
    def state(self, worker: Worker) -> str:
        """Tell whether its lease holds."""
        return "alive" if worker.lease_until > utc_now() else "gone"

    @column("runs owned")
    def runs_owned(self, worker: Any) -> int:
        """Show how many runs it executes now."""
        count: int = worker.owned
        return count
