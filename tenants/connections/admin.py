"""The console's page of connections. Registered by ``runs``, which can try them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget

from foundation.console import ConsoleAdmin, actor_of, column
from kernel.clock import utc_now
from kernel.errors import ErrorItem
from tenants.connections.certificates import MAX_PEM_LENGTH, expires_at
from tenants.connections.egress_policy import egress_policy_of
from tenants.connections.installed import provider_addresses
from tenants.connections.options import OPTIONS
from tenants.connections.rules import POINTERS, REF, ConnectionSpec, problems, secret_problems, tls_problems
from tenants.connections.services import (
    KEEP,
    delete_connection,
    save_connection,
    secret_needed_again,
    tls_key_to_keep,
)
from tenants.models import Connection, ConnectionKind

if TYPE_CHECKING:
    Form = forms.ModelForm[Connection]
else:
    Form = forms.ModelForm


class SecretTextarea(UnfoldAdminTextareaWidget):  # type: ignore[misc]  # unfold has no types
    """A text of several lines that goes in and is not shown again, not even beside its error."""

    def format_value(self, value: Any) -> None:
        """Show nothing."""


class ConnectionForm(Form):
    """All a connection says, and a secret that goes in and never comes out."""

    new_secret = forms.CharField(
        required=False,
        strip=False,
        label="Secret",
        widget=UnfoldAdminPasswordWidget(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Key, token, password or client secret. Empty: the stored one is kept.",
    )
    clear_secret = forms.BooleanField(required=False, help_text="Delete the stored secret.")

    new_tls_key = forms.CharField(
        required=False,
        max_length=MAX_PEM_LENGTH,
        label="Private key",
        widget=SecretTextarea,
        help_text="PEM, of the client certificate. Empty: the stored one is kept.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "options" in self.fields:
            self.fields["options"].help_text = f"What the other end is like. {described_options()}"

    def clean(self) -> dict[str, Any]:
        """Hold it to the rules the API has."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            tenant = cleaned.get("tenant") or self.instance.tenant
            if not self.instance.pk or self.instance._state.adding:  # noqa: SLF001 - Django's way to tell a new row
                self._check_ref(tenant, cleaned["ref"])
            found = [*problems(spec_of(cleaned), policy=egress_policy_of(tenant), providers=provider_addresses())]
            found += secret_problems(self.secret_change, spec_of(cleaned))
            key = tls_key_to_keep(self.instance, spec_of(cleaned), self.tls_key_change)
            found += tls_problems(spec_of(cleaned), key, now=utc_now())
            again = None if self.secret_change is not KEEP else secret_needed_again(self.instance, spec_of(cleaned))
            for item in [*found, again] if again else found:
                self.add_error(*_placed(item, self.fields))
        return cleaned

    def _check_ref(self, tenant: Any, ref: str) -> None:
        if REF.fullmatch(ref) is None:
            self.add_error("ref", "A letter, then at most 63 lower case letters, digits, _ and -.")
        elif Connection.objects.filter(tenant=tenant, ref=ref).exists():
            self.add_error("ref", "The tenant has a connection of this name.")

    @property
    def secret_change(self) -> object:
        """Say what becomes of the secret."""
        if self.cleaned_data["new_secret"]:
            return self.cleaned_data["new_secret"]
        return None if self.cleaned_data["clear_secret"] else KEEP

    @property
    def tls_key_change(self) -> object:
        """Say what becomes of the private key."""
        return self.cleaned_data["new_tls_key"] or KEEP


class ConnectionAdmin(ConsoleAdmin):
    """Connections in the console."""

    list_help = (
        "Language models and HTTP APIs that tenants' steps may call, with the tenants' own credentials. Secrets are "
        "sealed; nobody can read them here."
    )
    form = ConnectionForm
    list_display = ["ref", "tenant", "kind", "provider", "base_url", "secret_state", "is_active"]
    list_filter = [("tenant", AutocompleteSelectFilter), "kind", "is_active"]
    list_select_related = ["tenant"]
    search_fields = ["ref", "base_url", "tenant__slug", "tenant__name"]
    ordering = ["-id"]
    autocomplete_fields = ["tenant"]
    readonly_fields = ["secret_state", "tls_state", "created_at", "updated_at"]
    fieldsets = [
        (None, {"fields": ["tenant", "ref", "kind", "provider", "base_url", "model", "headers", "is_active"]}),
        (
            "Credentials",
            {
                "fields": [
                    "auth",
                    "auth_name",
                    "username",
                    "token_url",
                    "client_id",
                    "scope",
                    "audience",
                    "resource",
                    "secret_in",
                    "secret_state",
                    "new_secret",
                    "clear_secret",
                ]
            },
        ),
        ("TLS", {"fields": ["tls_ca", "tls_certificate", "new_tls_key", "tls_state"]}),
        ("Bounds", {"fields": ["timeout_seconds", "requests_per_minute", "max_concurrency", "allows_tools"]}),
        ("The other end", {"fields": ["options"]}),
        ("History", {"fields": ["created_at", "updated_at"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Keep whose a connection is and what it is called."""
        return [*self.readonly_fields, "tenant", "ref"] if obj else [*self.readonly_fields]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those with the right delete one, its secret too."""
        return request.user.has_perm("tenants.delete_connection")

    @column("secret")
    def secret_state(self, row: Connection) -> str:
        """Tell whether there is one, never what it is."""
        return f"kept since {row.secret_set_at:%Y-%m-%d %H:%M} UTC" if row.secret_set_at else "none"

    @column("certificates")
    def tls_state(self, row: Connection) -> str:
        """Tell when certificates expire, and whether there is a private key."""
        known = {"CA": expires_at(row.tls_ca), "client certificate": expires_at(row.tls_certificate)}
        lines = [f"{what} valid until {end:%Y-%m-%d}" for what, end in known.items() if end is not None]
        return ", ".join([*lines, *(["private key kept"] if row.tls_key else [])]) or "none"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save through the service, which tells the audit."""
        row, _ = save_connection(
            tenant=obj.tenant,
            actor=actor_of(request),
            ref=obj.ref,
            spec=spec_of(form.cleaned_data),
            secret=form.secret_change,
            tls_key=form.tls_key_change,
        )
        obj.__dict__.update(row.__dict__)

    def delete_model(self, request: HttpRequest, obj: Connection) -> None:
        """Delete through the service."""
        delete_connection(tenant=obj.tenant, actor=actor_of(request), ref=obj.ref)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        """Delete each as if alone."""
        for row in queryset:
            self.delete_model(request, row)


def described_options() -> str:
    """Tell which options connections have, by kind, and what each means."""
    return " ".join(
        f"{ConnectionKind(kind).label}: "
        + " ".join(f"{name} ({option.description})." for name, option in options.model_fields.items())
        for kind, options in OPTIONS.items()
    )


def spec_of(cleaned: Mapping[str, Any]) -> ConnectionSpec:
    """Read a form as the specification of a connection."""
    names = ConnectionSpec.__dataclass_fields__
    objects = {name: cleaned[name] or {} for name in ("headers", "options")}
    return ConnectionSpec(**{**{name: cleaned[name] for name in names}, **objects})


def _placed(item: ErrorItem, fields: Mapping[str, Any]) -> tuple[str | None, str]:
    pointer = item.pointer or ""
    name = next((name for name, one in POINTERS.items() if one == pointer), pointer.removeprefix("/"))
    name = {"secret": "new_secret", "tls_key": "new_tls_key"}.get(name, name)
    text = item.detail if item.hint is None else f"{item.detail} {item.hint}"
    return (name if name in fields else None), text
