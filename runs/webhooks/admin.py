"""Console page: webhook endpoints of tenants, their health and their newest event."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from foundation.console import BoundedPaginator, DaysFilter, ReadOnlyAdmin, changelist_url, column, links
from runs.models import WebhookEndpoint

COLOURS: Final = {"active": "success", "failing": "warning", "disabled": "danger", "deleted": "info"}


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Webhook endpoints in the console; tenants change them through the API."""

    list_help = "URLs that are told of events of all runs of a tenant, newest first. URLs and secrets are never shown."
    list_display = ["id", "state", "tenant", "host", "description", "sequence", "failing_since", "created_at"]
    list_filter = [
        ("tenant", AutocompleteSelectFilter),
        "disabled_reason",
        ("host", FieldTextFilter),
        ("created_at", DaysFilter),
    ]
    list_select_related = ["tenant"]
    search_fields = ["id", "description"]
    search_help_text = "A whole id, or a part of the description."
    ordering = ["-created_at", "-id"]
    paginator = BoundedPaginator
    fields = [
        "id", "state", "tenant", "host", "description", "event_types", "segments", "severity", "is_thin", "signing",
        "secret_at", "sequence", "failing_since", "disabled_at", "disabled_reason", "deleted_at", "created_at",
        "updated_at", "see_also",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        """Read whose they are along with them."""
        rows: QuerySet[WebhookEndpoint] = super().get_queryset(request).select_related("tenant")
        return rows

    @column("status", colours=COLOURS)
    def state(self, endpoint: Any) -> tuple[str, str]:
        """Show whether it is told of events."""
        if endpoint.deleted_at is not None:
            return "deleted", "Deleted"
        if endpoint.is_disabled:
            return "disabled", f"Disabled: {endpoint.get_disabled_reason_display()}"
        return ("active", "Active") if endpoint.failing_since is None else ("failing", "Failing")

    @column("see also")
    def see_also(self, endpoint: WebhookEndpoint) -> str:
        """Link to what it was sent, and to what people did to it."""
        return links(
            {
                "Deliveries": changelist_url("runs.delivery", host__icontains=endpoint.host, target__exact="endpoint"),
                "Audit": changelist_url("audit.entry", object_id=endpoint.pk),
            }
        )
