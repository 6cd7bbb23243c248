"""Console page of the audit log."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, Q, QuerySet, UUIDField
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from audit.console.log_admin import text_block
from audit.models import Entry
from audit.personal import kept_values, with_values
from audit.reading.files import LogFiles, leaves_of
from foundation.console import BoundedPaginator, ConsoleAdmin, DaysFilter, ReadOnlyAdmin, column, pretty
from foundation.nouns import noun_of
from kernel.ids import parse_id
from tenants.members.actors import filter_by_actor_name, names_of


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """Audit entries in the console."""

    list_help = (
        "Who changed what, and how it ended; newest first. Entries are written with the change and never edited."
    )
    list_display = ["created_at", "action", "who", "object", "tenant", "outcome"]
    list_filter = [
        ("tenant", AutocompleteSelectFilter),
        ("action", FieldTextFilter),
        ("created_at", DaysFilter),
    ]
    list_select_related = ["tenant"]
    search_fields = ["actor", "object_id", "request_id"]
    search_help_text = (
        "Who did it: a key's name, a member's or operator's name, e-mail or login, “system”, or an actor's id from its "
        "start. Or a whole object or request id."
    )
    ordering = ["-id"]
    paginator = BoundedPaginator
    fields = [
        "created_at",
        "tenant",
        "action",
        "who",
        "actor",
        "object",
        "object_id",
        "outcome",
        "change_before",
        "change_after",
        "request_id",
        "source_address",
        "number",
        "proof",
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave what changed to the entry's own page."""
        rows = super().get_queryset(request).select_related("tenant")  # None of a tenant that was deleted
        return (
            rows
            if request.resolver_match and "object_id" in request.resolver_match.kwargs
            else rows.defer("before", "after")
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str
    ) -> tuple[QuerySet[Entry], bool]:
        """Find by who did it, in words or from the id's start, or by a whole object or request id."""
        term = search_term.strip()
        if not term:
            return queryset, False
        as_written = Q(actor__startswith=term) | Q(object_id=term) | Q(request_id=term)
        return queryset.filter(as_written | filter_by_actor_name(term)), False

    def put_in_words(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Look up who acted, and what they acted on, of all rows at once."""
        names, objects = names_of(row.actor for row in rows), self._objects_of(request, rows)
        is_page = bool(request.resolver_match and "object_id" in request.resolver_match.kwargs)
        kept = kept_values(rows) if is_page else {}
        for row in rows:
            row.who = names[row.actor]
            row.kept = kept
            row.object_name = objects.get((row.object_type, row.object_id), row.object_id)

    def _objects_of(self, request: HttpRequest, rows: Sequence[Entry]) -> dict[tuple[str, str], str]:
        """Name rows the console has pages of, with one look-up for each kind."""
        asked: dict[str, set[UUID]] = defaultdict(set)
        for row in rows:
            if found := parse_id(row.object_id):
                asked[row.object_type].add(found)
        named: dict[tuple[str, str], str] = {}
        for kind, ids in asked.items():
            page = self._page_of(kind)
            if page is not None and page.has_view_permission(request):
                objects = page.get_queryset(request).filter(pk__in=ids)
                named |= {(kind, str(one.pk)): page.name_of(one) for one in objects}
        return named

    @column("number in the log")
    def number(self, entry: Entry) -> str:
        """Say which leaf it is."""
        n = self._number_of(entry)
        return "Not sealed yet." if n is None else str(n)

    @column("receipt")
    def proof(self, entry: Entry) -> str:
        """Show the text that proves it to others, offline, with the log's key alone."""
        n = self._number_of(entry)
        return "-" if n is None else text_block(LogFiles(entry.tenant_id).proof(n))

    def _number_of(self, entry: Entry) -> int | None:
        return leaves_of(entry.tenant_id).filter(entry_id=entry.pk).values_list("n", flat=True).first()

    def _page_of(self, kind: str) -> ConsoleAdmin | None:
        pages = self.admin_site._registry  # noqa: SLF001 - Django has no other way to all pages
        found = (page for model, page in pages.items() if kind == _audit_type(model) and _has_uuid(model))
        return cast("ConsoleAdmin | None", next(found, None))

    @column("actor", ordering="actor")
    def who(self, entry: Any) -> str:
        """Name who did it."""
        return str(entry.who)

    @column("object")
    def object(self, entry: Any) -> str:
        """Name what it was done to."""
        return f"{entry.object_type} {entry.object_name}"

    @column("before")
    def change_before(self, entry: Any) -> str:
        """Show the changed part as it was."""
        return "-" if entry.before is None else pretty(with_values(entry.before, entry.kept))

    @column("after")
    def change_after(self, entry: Any) -> str:
        """Show the changed part as it became."""
        return "-" if entry.after is None else pretty(with_values(entry.after, entry.kept))

    @column("source address")
    def source_address(self, entry: Any) -> str:
        """Show where the request came from."""
        return str(with_values(entry.source, entry.kept)) or "-"


def _audit_type(model: type[Model]) -> str:
    return getattr(model, "audit_type", None) or noun_of(model)


def _has_uuid(model: type[Model]) -> bool:
    return isinstance(model._meta.pk, UUIDField)  # noqa: SLF001 - Django's documented way to a model's fields
