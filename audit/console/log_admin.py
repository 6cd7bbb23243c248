"""Console pages of logs, their checkpoints and their verifications."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, NamedTuple

from asgiref.sync import sync_to_async
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from audit.console.report_page import show_report
from audit.errors import LogEmpty
from audit.models import AuditLog, LogCheckpoint, LogVerification, LogVerifier, VerificationStatus
from audit.reading.export import export_log
from audit.reading.files import first_leaf
from audit.reading.jobs import request_verification
from foundation.console import (
    MAX_AT_ONCE,
    BoundedPaginator,
    NoQuestionsForm,
    Question,
    ReadOnlyAdmin,
    actor_of,
    change_link,
    changelist_url,
    column,
    console_action,
    is_confirmed,
    links,
    pretty,
)
from foundation.zip_stream import zip_of
from kernel.ids import parse_id
from tenants.members.actors import names_of

COLOURS: Final = {
    VerificationStatus.QUEUED: "info",
    VerificationStatus.RUNNING: "info",
    VerificationStatus.DONE: "success",
    VerificationStatus.FAILED: "danger",
}
REFRESH_SECONDS: Final = 2
_UNDER_WAY: Final = (VerificationStatus.QUEUED, VerificationStatus.RUNNING)


class LogAction(NamedTuple):
    """Something to be done with logs, after asking."""

    action: str
    title: str
    sentence: str
    button: str


VERIFY: Final = LogAction(
    "verify_logs",
    "Verify logs",
    "A worker computes each anew and holds it against its entries and runs. The audit tells of it.",
    "Verify",
)
EXPORT: Final = LogAction(
    "export_logs",
    "Export a log",
    "One zip with all entries, personal data that was not erased among it. The audit tells of it.",
    "Export",
)


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    """Logs in the console."""

    list_help = "What is sealed of the audit, signed: one log for each tenant, and one for the installation."
    list_before_template = "console/logs.html"
    list_display = ["origin", "tenant", "size", "signed_at"]
    list_filter = [("tenant", AutocompleteSelectFilter)]
    search_fields = ["origin"]
    search_help_text = "A part of a log's name."
    list_select_related = ["tenant"]
    ordering = ["origin"]
    paginator = BoundedPaginator
    actions = ["verify_logs", "export_logs"]
    actions_detail = ["verify_now", "export_one"]
    fields = ["origin", "tenant", "created_at", "size", "first", "signed_at", "checkpoint", "keys", "see_also"]

    def get_urls(self) -> list[URLPattern]:
        """Add the report."""
        report = self.admin_site.admin_view(self.report_view)
        return [path("report/", report, name="audit_auditlog_report"), *super().get_urls()]

    def report_view(self, request: HttpRequest) -> HttpResponse:
        """Show the report of a period."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return show_report(request, {**self.admin_site.each_context(request), "opts": self.opts})

    def put_in_words(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Look up the last checkpoints of all rows at once."""
        wanted = [row.id for row in rows]
        newest = LogCheckpoint.objects.filter(log_id__in=wanted).order_by("log_id", "-id").distinct("log_id")
        last = {one.log_id: one for one in newest}
        for row in rows:
            row.last = last.get(row.id)

    @column("entries")
    def size(self, log: Any) -> str:
        """Say how many entries are sealed."""
        return "0" if log.last is None else f"{log.last.size:,}"

    @column("first entry that was not pruned")
    def first(self, log: AuditLog) -> str:
        """Say where the log begins."""
        return f"{first_leaf(log.id):,}"

    @column("signed")
    def signed_at(self, log: Any) -> str:
        """Say when the last checkpoint was signed."""
        return "-" if log.last is None else f"{log.last.created_at:%Y-%m-%d %H:%M:%S} UTC"

    @column("last checkpoint")
    def checkpoint(self, log: Any) -> str:
        """Show the last checkpoint as it was signed."""
        return "-" if log.last is None else text_block(log.last.note)

    @column("verifier keys")
    def keys(self, log: AuditLog) -> str:
        """Show the log's keys, the oldest first."""
        keys = LogVerifier.objects.filter(log_id=log.id).order_by("id").values_list("verifier", flat=True)
        return text_block("\n".join(keys)) or "-"

    @column("see also")
    def see_also(self, log: AuditLog) -> str:
        """Link to what hangs on the log."""
        return links(
            {
                "Checkpoints": changelist_url("audit.logcheckpoint", log_id=log.id),
                "Verifications": changelist_url("audit.logverification", log_id=log.id),
                "Report": f"{reverse('admin:audit_auditlog_report')}?log={log.id}",
            }
        )

    @console_action("Verify logs", permission="view")
    def verify_logs(self, request: HttpRequest, logs: QuerySet[AuditLog]) -> HttpResponse | None:
        """Have a worker verify the chosen logs, after asking; of one its page shows how far it is."""
        if not is_confirmed(request):
            return self.ask(request, _question(VERIFY, logs), form=NoQuestionsForm())
        asked = [found for log in logs.order_by("origin")[:MAX_AT_ONCE] if (found := self._verification(request, log))]
        if len(asked) == 1:
            return HttpResponseRedirect(reverse("admin:audit_logverification_change", args=[asked[0].id]))
        self.message_user(request, f"Requested: {len(asked)}. The page of verifications shows how far they are.")
        return None

    @console_action("Verify now", permission="view", url_path="verify")
    def verify_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to verify this log."""
        return self._ask_about_one(request, VERIFY, object_id)

    @console_action("Export a log", permission="view")
    def export_logs(self, request: HttpRequest, logs: QuerySet[AuditLog]) -> HttpResponseBase | None:
        """Hand out the chosen log as one zip, a piece at a time, after asking."""
        if not is_confirmed(request):
            return self.ask(request, _question(EXPORT, logs), form=NoQuestionsForm())
        log = logs.first()
        if log is None or logs.count() > 1:
            self.message_user(request, "Choose one log: each is a file of its own.", messages.ERROR)
            return None
        try:
            found, files = export_log(log.tenant_id, actor=actor_of(request))
        except LogEmpty as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
            return None
        pieces: Any = zip_of(files)
        if isinstance(request, ASGIRequest):
            pieces = _each(pieces)
        name = f"{log.origin.rpartition('/')[2]}-audit-{found.last.size}.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)

    @console_action("Export", permission="view", url_path="export")
    def export_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to export this log."""
        return self._ask_about_one(request, EXPORT, object_id)

    def _ask_about_one(self, request: HttpRequest, asked: "LogAction", object_id: str) -> HttpResponse:
        log_id = parse_id(object_id)
        logs = self.get_queryset(request).filter(pk=log_id)
        if log_id is None or not logs.exists():
            raise Http404("There is no such log.")
        return self.ask(request, _question(asked, logs), form=NoQuestionsForm(), ids=[str(log_id)])

    def _verification(self, request: HttpRequest, log: AuditLog) -> LogVerification | None:
        try:
            return request_verification(log.tenant_id, actor=actor_of(request))
        except LogEmpty as refusal:
            self.message_user(request, f"{log.origin}: {refusal.detail}", messages.ERROR)
            return None


@admin.register(LogCheckpoint)
class LogCheckpointAdmin(ReadOnlyAdmin):
    """Checkpoints in the console."""

    list_help = (
        "What logs were at a time: size and root, signed; newest first. A copy that somebody keeps holds the log to it."
    )
    list_display = ["created_at", "size", "tenant", "root_in_hex"]
    list_filter = [("tenant", AutocompleteSelectFilter)]
    search_fields = ["=size"]
    search_help_text = "A size."
    list_select_related = ["tenant"]
    ordering = ["-id"]
    paginator = BoundedPaginator
    fields = ["tenant", "size", "root_in_hex", "created_at", "shown_note"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Let pages of a log link to its own."""
        return lookup == "log_id" or super().lookup_allowed(lookup, value, request)

    @column("signed", ordering="signed_at")
    def created_at(self, checkpoint: LogCheckpoint) -> str:
        """Say when it was signed."""
        return f"{checkpoint.created_at:%Y-%m-%d %H:%M:%S} UTC"

    @column("root")
    def root_in_hex(self, checkpoint: LogCheckpoint) -> str:
        """Show the root."""
        return bytes(checkpoint.root).hex()

    @column("checkpoint")
    def shown_note(self, checkpoint: LogCheckpoint) -> str:
        """Show it as it was signed."""
        return text_block(checkpoint.note)


@admin.register(LogVerification)
class LogVerificationAdmin(ReadOnlyAdmin):
    """Verifications in the console."""

    list_help = "Verifications of logs that were asked for, newest first; the last ten of a log are kept."
    list_display = ["created_at", "tenant", "state", "progress", "found"]
    list_filter = ["status", ("tenant", AutocompleteSelectFilter)]
    search_fields = ["id"]
    search_help_text = "A whole id."
    list_select_related = ["tenant"]
    ordering = ["-created_at"]
    paginator = BoundedPaginator
    fields = [
        "log", "tenant", "state", "progress", "found", "shown_verdict", "who", "created_at", "ended_at", "error",
    ]  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LogVerification], search_term: str
    ) -> tuple[QuerySet[LogVerification], bool]:
        """Find by a whole id."""
        return find_by_id(queryset, search_term), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Let pages of a log link to its own."""
        return lookup == "log_id" or super().lookup_allowed(lookup, value, request)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show one; while it is under way the page is read again every two seconds."""
        response = super().changeform_view(request, *args, **kwargs)
        shown = getattr(response, "context_data", None) or {}
        if getattr(shown.get("original"), "status", None) in _UNDER_WAY:
            response["Refresh"] = str(REFRESH_SECONDS)
        return response

    def put_in_words(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Look up who asked, and the logs, of all rows at once."""
        names = names_of(row.requested_by for row in rows)
        logs = AuditLog.objects.in_bulk([row.log_id for row in rows])
        for row in rows:
            row.who_asked = names[row.requested_by]
            row.of_log = logs.get(row.log_id)

    @column("log")
    def log(self, verification: Any) -> str:
        """Link to the log."""
        return "-" if verification.of_log is None else change_link(verification.of_log, verification.of_log.origin)

    @column("asked by")
    def who(self, verification: Any) -> str:
        """Name who asked for it."""
        return str(verification.who_asked)

    @column("status", ordering="status", colours=COLOURS)
    def state(self, verification: LogVerification) -> tuple[str, str]:
        """Show the status in its colour."""
        return verification.status, verification.get_status_display()

    @column("progress")
    def progress(self, verification: LogVerification) -> str:
        """Say how far it is."""
        share = verification.checked * 100 // (verification.total or 1)
        return f"{verification.checked:,} of {verification.total:,} entries ({share} %)"

    @column("verdict")
    def found(self, verification: LogVerification) -> str:
        """Say what it found."""
        verdict: Any = verification.verdict
        if verdict is None:
            return "-"
        return "The log verifies." if verdict["ok"] else f"First bad entry {verdict['first_bad']['n']}."

    @column("verdict in full")
    def shown_verdict(self, verification: LogVerification) -> str:
        """Show what it found, in full."""
        return "-" if verification.verdict is None else pretty(verification.verdict)


def _question(asked: LogAction, logs: QuerySet[AuditLog]) -> Question:
    counts = [("chosen", logs.count())]
    return Question(action=asked.action, title=asked.title, sentence=asked.sentence, button=asked.button, counts=counts)


def text_block(text: str) -> SafeString:
    """Show a text as it is, to be copied."""
    return format_html('<pre class="console-json">{}</pre>', text)


def find_by_id(rows: QuerySet[LogVerification], term: str) -> QuerySet[LogVerification]:
    """Keep the row of a whole id; all where nothing is searched for."""
    if not term.strip():
        return rows
    found = parse_id(term.strip())
    return rows.none() if found is None else rows.filter(id=found)


async def _each(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await sync_to_async(_next)(pieces)) is not None:
        yield piece


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
