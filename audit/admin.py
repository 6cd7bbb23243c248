"""Console pages: the audit."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from audit.models import Entry
from tenants.console import BoundedPaginator, DaysFilter, ReadOnlyAdmin, column, pretty


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """What was done, by whom."""

    list_help = (
        "Who changed what, and how it ended; newest first. Entries are written with the change and never edited."
    )
    list_display = ["created_at", "action", "actor", "object", "tenant", "outcome"]
    list_filter = [
        ("tenant", AutocompleteSelectFilter),
        ("action", FieldTextFilter),
        ("created_at", DaysFilter),
    ]
    list_select_related = ["tenant"]
    search_fields = ["actor__startswith", "object_id__exact", "request_id__exact"]
    search_help_text = "Actor (from its start), or a whole object or request id."
    ordering = ["-id"]
    paginator = BoundedPaginator
    fields = [
        "created_at",
        "tenant",
        "action",
        "actor",
        "object",
        "outcome",
        "change_before",
        "change_after",
        "request_id",
        "source_address",
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave what changed to the entry's own page."""
        rows = super().get_queryset(request)
        return (
            rows
            if request.resolver_match and "object_id" in request.resolver_match.kwargs
            else rows.defer("before", "after")
        )

    @column("object")
    def object(self, entry: Entry) -> str:
        """Name what it was done to."""
        return f"{entry.object_type} {entry.object_id}"

    @column("before")
    def change_before(self, entry: Entry) -> str:
        """Show the changed part as it was."""
        return "-" if entry.before is None else pretty(entry.before)

    @column("after")
    def change_after(self, entry: Entry) -> str:
        """Show the changed part as it became."""
        return "-" if entry.after is None else pretty(entry.after)
