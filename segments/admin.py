"""Console pages: segments and their revisions."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from foundation.archiving import ArchiveWords, archive_chosen
from foundation.console import (
    NoQuestionsForm,
    ReadOnlyAdmin,
    actor_of,
    change_link,
    changelist_url,
    column,
    console_action,
    links,
    pretty,
)
from segments.models import Revision, Segment
from segments.prompts.admin import PromptTemplateAdmin, PromptVersionAdmin
from segments.services import archive_segment

ARCHIVING: Final = ArchiveWords(
    action="archive_segments",
    title="Archive segments",
    sentence="Archived segments cannot be started. Their runs go on, and saving one again brings it back.",
)


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    """Segments in the console."""

    list_help = "What the tenants can run. Segments are saved through the API; here they are read, and archived."
    list_display = ["segment_id", "name", "tenant", "revision", "state", "updated_at"]
    list_filter = [("tenant", AutocompleteSelectFilter), ("archived_at", admin.EmptyFieldListFilter)]
    search_fields = ["segment_id", "name"]
    ordering = ["-id"]
    actions = ["archive_segments"]
    actions_detail = ["archive"]
    fields = [
        "segment_id",
        "name",
        "tenant",
        "description",
        "state",
        "revision",
        "see_also",
        "created_at",
        "updated_at",
        "archived_at",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        """Read the revision's number, not its content."""
        rows = super().get_queryset(request).select_related("tenant", "current_revision")
        return rows.defer("current_revision__definition", "current_revision__step_types")

    def has_archive_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those archive who could change a segment, if segments could be changed here."""
        return request.user.has_perm("segments.change_segment")

    @column("state", colours={"in use": "success", "archived": "warning"})
    def state(self, segment: Segment) -> str:
        """Tell whether it can be started."""
        return "in use" if segment.archived_at is None else "archived"

    @column("current revision", ordering="current_revision__number")
    def revision(self, segment: Segment) -> str:
        """Link to the content a start executes."""
        current = segment.current_revision
        return "-" if current is None else change_link(current, f"r{current.number}")

    @column("see also")
    def see_also(self, segment: Segment) -> str:
        """Link to all revisions, and to the runs of every one of them."""
        revisions = changelist_url("segments.revision", segment__id__exact=segment.pk)
        runs = changelist_url("runs.run", tenant__id__exact=segment.tenant_id, segment_id=segment.segment_id)
        audit = changelist_url("audit.entry", tenant__id__exact=segment.tenant_id, object_id=segment.segment_id)
        return links({"All revisions": revisions, "Runs": runs, "Audit": audit})

    @console_action("Archive segments", permission="archive")
    def archive_segments(self, request: HttpRequest, segments: QuerySet[Segment]) -> HttpResponse | None:
        """Take the chosen segments out of use, after asking."""

        def archive(segment: Segment) -> None:
            archive_segment(tenant=segment.tenant, actor=actor_of(request), segment_id=segment.segment_id)

        return archive_chosen(self, request, segments, ARCHIVING, archive)

    @console_action("Archive", permission="archive", url_path="archive")
    def archive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to take this segment out of use."""
        segments = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, ARCHIVING.question(segments), form=NoQuestionsForm(), ids=[object_id])


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin):
    """Revisions in the console."""

    list_help = (
        "The contents of segments over time. A revision never changes; “inline” revisions came with the start of a run."
    )
    list_display = ["__str__", "tenant", "hash_start", "created_at"]
    list_filter = [("tenant", AutocompleteSelectFilter), ("segment", admin.EmptyFieldListFilter)]
    search_fields = ["segment__segment_id", "content_hash__startswith"]
    search_help_text = "Segment id, or the start of a content hash."
    ordering = ["-id"]
    fields = ["segment", "number", "tenant", "content_hash", "runs", "created_at", "content", "types_used"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Revision]:
        """Leave the content to the revision's own page."""
        rows = super().get_queryset(request).select_related("tenant", "segment")
        match = request.resolver_match
        return rows if match and "object_id" in match.kwargs else rows.defer("definition", "step_types")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Let a segment's page ask for its revisions."""
        return lookup == "segment__id__exact" or super().lookup_allowed(lookup, value, request)

    @column("content hash", ordering="content_hash")
    def hash_start(self, revision: Revision) -> str:
        """Show enough of the hash to tell two apart."""
        return revision.content_hash[:12]

    @column("runs")
    def runs(self, revision: Revision) -> str:
        """Link to the runs of this content."""
        return links({"Runs of this revision": changelist_url("runs.run", revision__id__exact=revision.pk)})

    @column("definition")
    def content(self, revision: Revision) -> str:
        """Show the segment as it is executed."""
        return pretty(revision.definition)

    @column("step types used")
    def types_used(self, revision: Revision) -> str:
        """Show what it relied on when it was saved."""
        return pretty(revision.step_types)


__all__ = ["PromptTemplateAdmin", "PromptVersionAdmin", "RevisionAdmin", "SegmentAdmin"]
