"""Console page: what callbacks of runs were told, with every try."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from kernel.ids import parse_id
from runs.callbacks.models import Delivery, DeliveryAttempt, DeliveryStatus
from runs.callbacks.services import redeliver
from tenants.console import (
    MOST_AT_ONCE,
    BoundedPaginator,
    DaysFilter,
    Question,
    ReadOnlyAdmin,
    ReasonForm,
    act,
    actor_of,
    change_link,
    changelist_url,
    column,
    is_confirmed,
    links,
)

COLOURS: Final = {
    DeliveryStatus.PENDING: "info",
    DeliveryStatus.DELIVERED: "success",
    DeliveryStatus.REFUSED: "warning",
    DeliveryStatus.BLOCKED: "danger",
    DeliveryStatus.EXHAUSTED: "danger",
}


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What callbacks were told, or are to be told."""

    list_help = "What the callbacks of runs were told, or are to be told, newest first."
    list_display = ["webhook", "state", "type", "run_link", "tenant", "host", "attempts", "created_at", "next_at"]
    list_filter = [
        "status",
        ("tenant", AutocompleteSelectFilter),
        "type",
        ("host", FieldTextFilter),
        ("created_at", DaysFilter),
    ]
    list_select_related = ["tenant"]
    search_fields = ["id", "run_id"]
    search_help_text = "A whole webhook-id, or a run's whole id."
    ordering = ["-id"]
    paginator = BoundedPaginator
    actions = ["redeliver_deliveries"]
    actions_detail = ["redeliver_delivery"]
    change_form_outer_after_template = "console/attempts.html"
    fields = [
        "webhook", "state", "type", "run_link", "seq", "tenant", "host", "attempts", "tries", "created_at", "next_at",
        "ended_at", "shown_body", "see_also",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Leave what is sent to the delivery's own page."""
        rows: QuerySet[Delivery] = super().get_queryset(request).select_related("tenant")
        match = request.resolver_match
        return rows if match and "object_id" in match.kwargs else rows.defer("body")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """Find by what the receiver knows it by, or by the run."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = parse_id(_as_id(term))
        return (queryset.filter(id=found) | queryset.filter(run_id=found) if found else queryset.none()), False

    def has_redeliver_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those send again who could change a delivery, if deliveries could be changed."""
        return request.user.has_perm("runs.change_delivery")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every try below the delivery."""
        delivery_id = parse_id(object_id)
        log = DeliveryAttempt.objects.filter(delivery_id=delivery_id).order_by("number") if delivery_id else None
        return super().change_view(request, object_id, form_url, {"attempts": log, **(extra_context or {})})

    @column("webhook id", ordering="id")
    def webhook(self, delivery: Delivery) -> str:
        """Show what the receiver knows it by."""
        return delivery.webhook_id

    @column("status", ordering="status", colours=COLOURS)
    def state(self, delivery: Delivery) -> tuple[str, str]:
        """Show the status in its colour."""
        return delivery.status, delivery.get_status_display()

    @column("run")
    def run_link(self, delivery: Delivery) -> str:
        """Link to the run it tells of."""
        return change_link(delivery.run, f"…{str(delivery.run_id)[-12:]}")

    @column("body")
    def shown_body(self, delivery: Delivery) -> str:
        """Show what is sent, byte for byte."""
        return delivery.body or "Not written before the first try."

    @column("see also")
    def see_also(self, delivery: Delivery) -> str:
        """Link to what people did to it."""
        return links({"Audit": changelist_url("audit.entry", object_id=delivery.pk)})

    @act("Send again", permission="redeliver")
    def redeliver_deliveries(self, request: HttpRequest, deliveries: QuerySet[Delivery]) -> HttpResponse | None:
        """Have the chosen deliveries sent again, after asking why."""
        form = ReasonForm(request.POST if is_confirmed(request) else None)
        if not form.is_valid():
            return self.ask(request, _question(deliveries), form=form)
        chosen = deliveries.filter(is_claimed=False).order_by("id")[:MOST_AT_ONCE]
        for delivery in chosen:
            redeliver(
                tenant=delivery.tenant,
                actor=actor_of(request),
                run_id=delivery.run_id,
                delivery_id=delivery.id,
                reason=form.cleaned_data["reason"],
            )
        self.message_user(request, f"To be sent again: {len(chosen)}. It takes effect within a second.")
        return None

    @act("Send again", permission="redeliver", url_path="redeliver")
    def redeliver_delivery(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why this delivery should be sent again."""
        deliveries = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _question(deliveries), form=ReasonForm(), ids=[object_id])


def _question(deliveries: QuerySet[Delivery]) -> Question:
    chosen = deliveries.count()
    touched = deliveries.filter(is_claimed=False)
    count = touched.count()
    by_status = touched.order_by().values_list("status").annotate(n=Count("pk")).order_by("status")
    counts = [("will be sent again", min(count, MOST_AT_ONCE)), ("under way already, left alone", chosen - count)]
    counts += [(f"of them {DeliveryStatus(status).label.lower()}", n) for status, n in by_status]
    if count > MOST_AT_ONCE:
        counts.append((f"left for another time ({MOST_AT_ONCE} at once)", count - MOST_AT_ONCE))
    return Question(
        action="redeliver_deliveries",
        title="Send deliveries again",
        sentence="Each is sent within a second with the same id and the same body, also where it has arrived before.",
        button="Send these deliveries",
        counts=counts,
    )


def _as_id(term: str) -> str:
    """Spell a webhook-id as the id it is made of; other texts stay."""
    digits = term.removeprefix("msg_")
    if len(digits) != 32:
        return term
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
