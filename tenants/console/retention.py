"""Console page of what the installation keeps: rows and age of each kind."""

from django.http import HttpRequest

from foundation.console import ReadOnlyAdmin, column
from kernel.clock import utc_now
from tenants.lifecycle.protocols import retention_rules
from tenants.models import RetentionFigure


class RetentionAdmin(ReadOnlyAdmin):
    """Figures of what is kept, as the last sweep left them."""

    list_help = "What the installation keeps, how much of it there is and how old it is, as the last sweep left it."
    list_display = ["kind", "count", "oldest", "keeps", "removed", "swept_at"]
    search_fields = ["kind"]
    ordering = ["kind"]
    fields = ["kind", "count", "oldest", "oldest_at", "keeps", "removed", "swept_at"]

    @column("rows", ordering="rows")
    def count(self, figure: RetentionFigure) -> str:
        """Show how many rows there are."""
        return f"about {figure.rows:,}" if figure.is_estimate else f"{figure.rows:,}"

    @column("age of the oldest", ordering="-oldest_at")
    def oldest(self, figure: RetentionFigure) -> str:
        """Show how old the oldest row is."""
        if figure.oldest_at is None:
            return "-"
        days = (utc_now() - figure.oldest_at).total_seconds() / 86_400
        return f"{days:.1f} days" if days > 0 else "-"

    @column("kept")
    def keeps(self, figure: RetentionFigure) -> str:
        """Show how long they are kept."""
        return next((rule.keeps for rule in retention_rules() if rule.kind == figure.kind), "-")

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those look who may see tenants or these figures."""
        return request.user.has_perm("tenants.view_retentionfigure") or request.user.has_perm("tenants.view_tenant")
