"""Console pages: deliveries of callbacks with every try, and the tenants' addresses for them."""

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from foundation.console import (
    MAX_AT_ONCE,
    BoundedPaginator,
    ConsoleAdmin,
    DaysFilter,
    Question,
    ReadOnlyAdmin,
    ReasonForm,
    actor_of,
    change_link,
    changelist_url,
    column,
    console_action,
    is_confirmed,
    links,
)
from kernel.ids import parse_id
from runs.callbacks.sealing import Address
from runs.callbacks.serializers import MAX_URL_LENGTH
from runs.callbacks.services import check_notifications, clear_notifications, redeliver, set_notifications
from runs.errors import CallbackRefused
from runs.models import Delivery, DeliveryAttempt, DeliveryStatus, NotificationTarget, Run
from segments.selectors import of_segment_called, segment_name

if TYPE_CHECKING:
    Form = forms.ModelForm[NotificationTarget]
else:
    Form = forms.ModelForm

COLOURS: Final = {
    DeliveryStatus.PENDING: "info",
    DeliveryStatus.DELIVERED: "success",
    DeliveryStatus.REFUSED: "warning",
    DeliveryStatus.BLOCKED: "danger",
    DeliveryStatus.EXHAUSTED: "danger",
}


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Deliveries of callbacks in the console."""

    list_help = "Events sent, or to be sent, to callbacks of runs, notification URLs of tenants and webhook endpoints, "
    "newest first."
    list_display = [
        "webhook",
        "state",
        "type",
        "target",
        "run_link",
        "tenant",
        "host",
        "attempts",
        "created_at",
        "next_at",
    ]
    list_filter = [
        "status",
        ("tenant", AutocompleteSelectFilter),
        "type",
        "target",
        ("host", FieldTextFilter),
        ("created_at", DaysFilter),
    ]
    list_select_related = ["tenant"]
    search_fields = ["id", "run_id"]
    search_help_text = "A whole webhook-id, a run's whole id, or a part of its segment's name."
    ordering = ["-id"]
    paginator = BoundedPaginator
    actions = ["redeliver_deliveries"]
    actions_detail = ["redeliver_delivery"]
    change_form_outer_after_template = "console/attempts.html"
    fields = [
        "webhook", "state", "type", "target", "run_link", "seq", "tenant", "host", "attempts", "tries", "created_at",
        "next_at", "is_queued", "ended_at", "shown_body", "see_also",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Leave what is sent to the delivery's own page."""
        rows: QuerySet[Delivery] = super().get_queryset(request).select_related("tenant")
        rows = rows.annotate(segment_name=segment_name("run__"))
        match = request.resolver_match
        return rows if match and "object_id" in match.kwargs else rows.defer("body")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """Find by what the receiver knows it by, by the run, or by its segment."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = parse_id(_as_id(term))
        by_id = Q(id=found) | Q(run_id=found)
        return queryset.filter(by_id if found else of_segment_called(term, "run__")), False

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
    def run_link(self, delivery: Any) -> str:
        """Link to the run it tells of, if it does."""
        if delivery.run_id is None:
            return "-"
        return change_link(Run(id=delivery.run_id), f"{delivery.segment_name} …{str(delivery.run_id)[-12:]}")

    @column("body")
    def shown_body(self, delivery: Delivery) -> str:
        """Show what is sent, byte for byte."""
        return delivery.body or "Not written before the first try."

    @column("see also")
    def see_also(self, delivery: Delivery) -> str:
        """Link to what people did to it."""
        return links({"Audit": changelist_url("audit.entry", object_id=delivery.pk)})

    @console_action("Send again", permission="redeliver")
    def redeliver_deliveries(self, request: HttpRequest, deliveries: QuerySet[Delivery]) -> HttpResponse | None:
        """Have the chosen deliveries sent again, after asking why."""
        form = ReasonForm(request.POST if is_confirmed(request) else None)
        if not form.is_valid():
            return self.ask(request, _question(deliveries), form=form)
        chosen = deliveries.filter(is_claimed=False).order_by("id")[:MAX_AT_ONCE]
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

    @console_action("Send again", permission="redeliver", url_path="redeliver")
    def redeliver_delivery(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why this delivery should be sent again."""
        deliveries = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _question(deliveries), form=ReasonForm(), ids=[object_id])


class TargetForm(Form):
    """An address that goes in and never comes out: it may hold a secret, and headers do."""

    url = forms.CharField(
        max_length=MAX_URL_LENGTH,
        strip=False,
        label="URL",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="https, used byte for byte with its query. Stored sealed and never shown: enter it again to "
        "change it.",
    )
    headers = forms.JSONField(
        required=False,
        initial=dict,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "autocomplete": "off"}),
        help_text='Sent along, for instance {"Authorization": "Bearer ..."}. Empty: none.',
    )

    def clean_headers(self) -> dict[str, str]:
        """Read names and texts."""
        headers = self.cleaned_data["headers"] or {}
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise forms.ValidationError("An object of names and texts.")
        return headers

    def clean(self) -> dict[str, Any]:
        """Hold it to the rules the API has."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            tenant = cleaned.get("tenant") or self.instance.tenant
            try:
                check_notifications(tenant=tenant, address=self.address)
            except CallbackRefused as refused:
                for item in refused.errors:
                    self.add_error((item.pointer or "").removeprefix("/"), item.detail)
        return cleaned

    @property
    def address(self) -> Address:
        """The address that was typed."""
        return Address(self.cleaned_data["url"], list(self.cleaned_data["headers"].items()))


@admin.register(NotificationTarget)
class NotificationTargetAdmin(ConsoleAdmin):
    """Notification addresses of tenants in the console."""

    list_help = (
        "URLs that are notified about a tenant's human tasks, in all runs, signed like callbacks. "
        "Deleting one drops its pending deliveries."
    )
    form = TargetForm
    list_display = ["tenant", "host", "updated_at"]
    list_filter = [("tenant", AutocompleteSelectFilter)]
    list_select_related = ["tenant"]
    search_fields = ["host", "tenant__slug", "tenant__name"]
    ordering = ["tenant__slug"]
    autocomplete_fields = ["tenant"]
    fields = ["tenant", "host", "url", "headers", "updated_at"]
    readonly_fields = ["host", "updated_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Keep whose it is: its address is sealed for that tenant."""
        return [*self.readonly_fields, "tenant"] if obj else [*self.readonly_fields]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those with the right delete one."""
        return request.user.has_perm("runs.delete_notificationtarget")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save through the service, which tells the audit the host and nothing else."""
        runs_url = f"{settings.PUBLIC_URL}{reverse('runs')}"
        row = set_notifications(tenant=obj.tenant, actor=actor_of(request), address=form.address, runs_url=runs_url)
        obj.__dict__.update(row.__dict__)

    def delete_model(self, request: HttpRequest, obj: NotificationTarget) -> None:
        """Delete through the service."""
        clear_notifications(tenant=obj.tenant, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[NotificationTarget]) -> None:
        """Delete each as if alone."""
        for row in queryset.select_related("tenant"):
            self.delete_model(request, row)


def _question(deliveries: QuerySet[Delivery]) -> Question:
    chosen = deliveries.count()
    touched = deliveries.filter(is_claimed=False)
    count = touched.count()
    by_status = touched.order_by().values_list("status").annotate(n=Count("pk")).order_by("status")
    counts = [("will be sent again", min(count, MAX_AT_ONCE)), ("under way already, left alone", chosen - count)]
    counts += [(f"of them {DeliveryStatus(status).label.lower()}", n) for status, n in by_status]
    if count > MAX_AT_ONCE:
        counts.append((f"not in this action (at most {MAX_AT_ONCE} at once)", count - MAX_AT_ONCE))
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
