"""The console's page of limits set for single tenants."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldBooleanSwitchWidget

from foundation.console import ConsoleAdmin, column
from tenants.entitlements.kept import forget_entitlements
from tenants.entitlements.tiers import LIMITS
from tenants.models import LimitOverride

if TYPE_CHECKING:
    LimitForm = forms.ModelForm[LimitOverride]
else:
    LimitForm = forms.ModelForm


class OverrideForm(LimitForm):
    """Form of a limit: a number, or unlimited; never unlimited because nothing was written."""

    unlimited = forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget, help_text="In place of a number.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Show a limit without a number as unlimited."""
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:  # noqa: SLF001 - Django's documented way to tell a new row
            self.initial["unlimited"] = self.instance.value is None

    def clean(self) -> dict[str, Any]:
        """Take one of both."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        if bool(found.get("unlimited")) == (found.get("value") is not None):
            raise forms.ValidationError({"value": "Write a number, or choose unlimited."})
        return found


class LimitOverrideAdmin(ConsoleAdmin):
    """Limits that hold for one tenant in place of its licence's and tier's."""

    list_help = (
        "Limits set for one tenant, in place of what its licence or its tier says. Delete the row to have the licence "
        "or the tier say it again. A change holds everywhere within 5 s."
    )
    form = OverrideForm
    list_display = ["tenant", "limit", "shown_value", "updated_at"]
    list_filter = ["limit"]
    search_fields = ["tenant__slug", "tenant__name"]
    autocomplete_fields = ["tenant"]
    ordering = ["tenant__slug", "limit"]
    fields = ["tenant", "limit", "value", "unlimited"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Keep whose limit it is, and which: another is another row."""
        return ["tenant", "limit"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those with the right have the licence or the tier say the limit again."""
        return request.user.has_perm("tenants.delete_limitoverride")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Have the new value hold in this process at once."""
        super().save_model(request, obj, form, change)
        forget_entitlements(obj.tenant_id)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Have the licence's or the tier's hold in this process at once, and tell the audit."""
        self.record(request, verb="deleted", row=obj, before={"limit": obj.limit, "value": obj.value})
        super().delete_model(request, obj)
        forget_entitlements(obj.tenant_id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[LimitOverride]) -> None:
        """Delete each as if alone."""
        for row in queryset:
            self.delete_model(request, row)

    @column("value")
    def shown_value(self, override: LimitOverride) -> str:
        """Show the number with its unit."""
        if override.value is None:
            return "unlimited"
        return f"{override.value} {LIMITS[override.limit].unit}"
