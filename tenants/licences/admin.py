"""Console pages of licences and trials."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.db.models import Model
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from foundation.console import ReadOnlyAdmin, actor_of, column
from kernel.clock import utc_now
from kernel.errors import LlmteamError
from tenants.entitlements.tiers import TIERS
from tenants.licences.errors import LicenceRefused
from tenants.licences.ladder import standing
from tenants.licences.selectors import genuine
from tenants.licences.services import TRIAL_DAYS, TRIAL_TIER, LicenceManager
from tenants.licences.signatures import MAX_TRIAL_DAYS
from tenants.models import InstalledLicence, TenantTrial

if TYPE_CHECKING:
    NoteForm = forms.ModelForm[InstalledLicence]
    LentForm = forms.ModelForm[TenantTrial]
else:
    NoteForm = LentForm = forms.ModelForm

NO_EFFECT: Final = "no effect"
COLOURS: Final = {"valid": "success", "pending": "info", "grace": "warning", "over": "danger", NO_EFFECT: "danger"}


class LicenceForm(NoteForm):
    """Takes a licence as the vendor sent it."""

    note = forms.CharField(
        label="Licence",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 14, "spellcheck": "false"}),
        help_text="The whole text, from llmteam-licence/v1 to the line of the signature.",
    )

    def clean(self) -> dict[str, Any]:
        """Refuse what would have no effect, and say why."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        tenant, note = cleaned.get("tenant"), cleaned.get("note")
        if tenant is not None and note:
            try:
                LicenceManager().check(tenant, note)
            except LicenceRefused as error:
                self.add_error("note", error.detail)
        return cleaned


class TrialForm(LentForm):
    """Asks how long a trial lasts, and what it lends."""

    days = forms.IntegerField(
        min_value=1,
        max_value=MAX_TRIAL_DAYS,
        initial=TRIAL_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Whole days after today (UTC).",
    )
    tier = forms.ChoiceField(
        choices=[(tier, tier) for tier in TIERS], initial=TRIAL_TIER, widget=UnfoldAdminSelectWidget
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a trial that the tenant has had, or that would give it nothing."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("tenant") is not None and "tier" in cleaned:
            try:
                LicenceManager().check_trial(cleaned["tenant"], cleaned["tier"])
            except LlmteamError as error:
                self.add_error(None, error.detail)
        return cleaned


class GrantAdmin(ReadOnlyAdmin):
    """A page of what tenants were sold or lent: made here, never edited; each row is read by its signature or seal."""

    list_filter = [("tenant", AutocompleteSelectFilter)]
    list_select_related = ["tenant"]
    autocomplete_fields = ["tenant"]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those make them who have the right."""
        return request.user.has_perm(f"tenants.add_{self.opts.model_name}")

    def put_in_words(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Read each by its signature or seal."""
        for row in rows:
            row.genuine, row.fault = genuine(row, row.tenant)

    @column("standing", colours=COLOURS)
    def standing(self, row: Any) -> str:
        """Tell its rung of the ladder."""
        return NO_EFFECT if row.genuine is None else standing(row.genuine, utc_now()).state.value

    @column("tier")
    def lent_tier(self, row: Any) -> str:
        """Tell what it grants."""
        return "-" if row.genuine is None else row.genuine.tier

    @column("from")
    def first_day(self, row: Any) -> str:
        """Tell its first day."""
        return "-" if row.genuine is None else row.genuine.first_day.isoformat()

    @column("until")
    def last_day(self, row: Any) -> str:
        """Tell its last day."""
        return "-" if row.genuine is None else row.genuine.last_day.isoformat()

    @column("gives")
    def gives(self, row: Any) -> str:
        """Tell what it names beside its tier."""
        if row.genuine is None:
            return str(row.fault)
        limits = [f"{name} {'unlimited' if value is None else value}" for name, value in row.genuine.limits.items()]
        return ", ".join([*limits, *row.genuine.features]) or "what its tier includes"


class InstalledLicenceAdmin(GrantAdmin):
    """Licences of tenants."""

    list_help = "Licences as vendors signed them. Only the signed text counts; of several, the one issued last holds."
    list_display = ["licence_id", "tenant", "standing", "lent_tier", "first_day", "last_day", "created_at"]
    search_fields = ["licence_id", "tenant__slug", "tenant__name"]
    ordering = ["-id"]
    form = LicenceForm
    fields = ["tenant", "licence_id", "standing", "lent_tier", "first_day", "last_day", "gives", "note", "created_at"]
    readonly_fields = ["licence_id", "standing", "lent_tier", "first_day", "last_day", "gives", "created_at"]
    add_fieldsets = [(None, {"fields": ["tenant", "note"]})]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Install it through the service."""
        asked = form.cleaned_data
        obj.__dict__.update(LicenceManager(actor_of(request)).install(asked["tenant"], asked["note"]).__dict__)


class TrialAdmin(GrantAdmin):
    """Trials of tenants."""

    list_help = "Trials: each tenant gets one, once. Its terms are sealed, so editing a row does not extend it."
    list_display = ["tenant", "standing", "lent_tier", "first_day", "last_day", "created_at"]
    search_fields = ["tenant__slug", "tenant__name"]
    ordering = ["-created_at"]
    form = TrialForm
    fields = ["tenant", "standing", "lent_tier", "first_day", "last_day", "created_at"]
    readonly_fields = ["standing", "lent_tier", "first_day", "last_day", "created_at"]
    add_fieldsets = [(None, {"fields": ["tenant", "days", "tier"]})]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Begin it through the service."""
        asked = form.cleaned_data
        row = LicenceManager(actor_of(request)).enable_trial(asked["tenant"], asked["days"], asked["tier"])
        obj.__dict__.update(row.__dict__)
