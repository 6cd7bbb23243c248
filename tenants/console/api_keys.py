"""Console pages of API keys: made, rotated and revoked here, never edited; a secret is shown once."""

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from foundation.console import (
    MAX_AT_ONCE,
    NoQuestionsForm,
    Question,
    ReadOnlyAdmin,
    actor_of,
    column,
    console_action,
    is_confirmed,
)
from kernel.clock import utc_now
from kernel.errors import LlmteamError
from tenants.access import issuing
from tenants.access.key_bounds import MANAGING, live_keys
from tenants.models import ApiKey
from tenants.services import create_api_key, revoke_api_key
from tenants.types import KNOWN_SCOPES, SCOPES

if TYPE_CHECKING:
    KeyForm = forms.ModelForm[ApiKey]
else:
    KeyForm = forms.ModelForm

_DAY: Final = 24 * 3_600


class NewKeyForm(KeyForm):
    """Form of a new key."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in KNOWN_SCOPES],
        initial=[scope for scope in SCOPES if scope != MANAGING],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=f"What the key may do. With {MANAGING} it may manage the tenant's other keys.",
    )

    class Meta:
        """Options of the model."""

        help_texts: ClassVar[dict[str, str]] = {"expires_at": "UTC. Empty: it works until it is revoked."}

    def clean_expires_at(self) -> Any:
        """Refuse a key that is never live."""
        moment = self.cleaned_data["expires_at"]
        if moment is not None and moment <= utc_now():
            raise forms.ValidationError("This is in the past, so the key would never work.")
        return moment


class RotationForm(forms.Form):
    """Asks how long the present secret goes on working."""

    old_secret_seconds = forms.TypedChoiceField(
        label="The current secret works",
        choices=[(0, "no more"), (3_600, "for an hour"), (_DAY, "for a day"), (7 * _DAY, "for 7 days")],
        coerce=int,
        initial=_DAY,
        widget=UnfoldAdminSelectWidget,
        help_text="Beside the new one. Choose “no more” where it has leaked.",
    )


class ApiKeyAdmin(ReadOnlyAdmin):
    """Programs' keys. A key is made, rotated and revoked, never edited; a secret is shown once."""

    list_help = (
        "Keys of the tenants' programs. A secret is shown once, when it is made; only a keyed hash is kept. "
        "Tenants can look after their keys by the API, too."
    )
    list_display = ["name", "tenant", "public_id", "state", "created_at", "last_use", "ending"]
    list_filter = [("tenant", AutocompleteSelectFilter), ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["tenant"]
    search_fields = ["name", "public_id", "tenant__slug", "tenant__name"]
    ordering = ["-id"]
    actions = ["rotate_keys", "end_old_secrets", "revoke_keys"]
    actions_detail = ["rotate_key", "end_old_secret", "revoke_key"]
    autocomplete_fields = ["tenant"]
    form = NewKeyForm
    fields = [
        "tenant", "name", "public_id", "state", "scopes", "created_at", "last_use", "expires_at", "rotated_at",
        "old_secret", "revoked_at",
    ]  # fmt: skip
    readonly_fields = ["public_id", "state", "created_at", "last_use", "rotated_at", "old_secret", "revoked_at"]
    add_fieldsets = [(None, {"fields": ["tenant", "name", "scopes", "expires_at"]})]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those with the right make keys."""
        return request.user.has_perm("tenants.add_apikey")

    def has_revoke_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those revoke who could change a key, if keys could be changed."""
        return request.user.has_perm("tenants.change_apikey")

    def has_rotate_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those rotate who may make keys: they see the new secret."""
        return self.has_add_permission(request)

    @column("state", colours={"live": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        """Tell whether it works."""
        return key.state

    @column("last use", ordering="last_used_at")
    def last_use(self, key: ApiKey) -> Any:
        """Tell when it was used last."""
        return key.last_used_at or "never"

    @column("ends", ordering="expires_at")
    def ending(self, key: ApiKey) -> Any:
        """Tell when it ends."""
        return key.expires_at or "never"

    @column("old secret")
    def old_secret(self, key: ApiKey) -> str:
        """Tell until when the secret before works."""
        until = key.old_secret_until
        return "none" if until is None else f"works until {until:%Y-%m-%d %H:%M} UTC"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Offer one way to save: whatever follows, the secret comes first."""
        one_way = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, one_way | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make the key through the service; its text travels on this request's row only."""
        asked = form.cleaned_data
        made = create_api_key(
            tenant=asked["tenant"],
            name=asked["name"],
            scopes=asked["scopes"],
            expires_at=asked["expires_at"],
            actor=actor_of(request),
        )
        obj.__dict__.update(made.api_key.__dict__, text=made.text)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the secret in the answer itself: no redirect, no message, no cookie ever carries it."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"API key “{obj.name}” of {obj.tenant.slug}",
            "key_text": obj.text,
            "done_url": self.list_url(),
        }
        return TemplateResponse(request, "console/new_key.html", context)

    @console_action("Rotate API keys", permission="rotate")
    def rotate_keys(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> HttpResponse:
        """Make the next secret of each of the chosen keys, after asking; the answer itself shows them, once."""
        form = RotationForm(request.POST) if is_confirmed(request) else RotationForm()
        if not form.is_valid():
            return self.ask(request, _rotation_question(keys), form=form)
        made: list[issuing.NewKey] = []
        refused: list[str] = []
        for key in keys.order_by("tenant__slug", "name")[:MAX_AT_ONCE]:
            try:
                rotated = issuing.rotate_api_key(
                    tenant=key.tenant,
                    api_key_id=key.id,
                    old_secret_seconds=form.cleaned_data["old_secret_seconds"],
                    actor=actor_of(request),
                )
                made.append(rotated)
            except LlmteamError as error:
                refused.append(f"{key.tenant.slug}, {key.name}: {error.detail}")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "New secrets of API keys",
            "made": made,
            "refused": refused,
            "done_url": self.list_url(),
        }
        return TemplateResponse(request, "console/rotated_keys.html", context)

    @console_action("Rotate", permission="rotate", url_path="rotate")
    def rotate_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how to rotate this key."""
        keys = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _rotation_question(keys), form=RotationForm(), ids=[object_id])

    @console_action("End old secrets", permission="revoke")
    def end_old_secrets(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> HttpResponse | None:
        """End the secrets before the present ones of the chosen keys, after asking."""
        if not is_confirmed(request):
            return self.ask(request, _old_secrets_question(keys), form=NoQuestionsForm())
        ended = list(keys.filter(old_secret_ends_at__gt=utc_now()).order_by("id")[:MAX_AT_ONCE])
        for key in ended:
            issuing.end_old_secret(tenant=key.tenant, api_key_id=key.id, actor=actor_of(request))
        self.message_user(request, f"Ended: {len(ended)}.")
        return None

    @console_action("End old secret", permission="revoke", url_path="end-old-secret")
    def end_old_secret(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to end the secret before the present one of this key."""
        keys = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _old_secrets_question(keys), form=NoQuestionsForm(), ids=[object_id])

    @console_action("Revoke API keys", permission="revoke")
    def revoke_keys(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> HttpResponse | None:
        """Stop the chosen keys for good, after asking."""
        if not is_confirmed(request):
            return self.ask(request, _revoke_question(keys), form=NoQuestionsForm())
        live = list(keys.filter(revoked_at__isnull=True).order_by("id")[:MAX_AT_ONCE])
        for key in live:
            revoke_api_key(tenant=key.tenant, api_key_id=key.id, actor=actor_of(request))
        self.message_user(request, f"Revoked: {len(live)}.")
        return None

    @console_action("Revoke", permission="revoke", url_path="revoke")
    def revoke_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to stop this key."""
        keys = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _revoke_question(keys), form=NoQuestionsForm(), ids=[object_id])


def _rotation_question(keys: QuerySet[ApiKey]) -> Question:
    live = live_keys().filter(pk__in=keys.order_by().values("pk"))
    two = live.filter(old_secret_ends_at__gt=utc_now()).count()
    able = live.count() - two
    return Question(
        action="rotate_keys",
        title="Rotate API keys",
        sentence="Each gets a new secret, which is shown once. Its name, scopes and history stay.",
        button="Make new secrets",
        counts=[("will be rotated", min(able, MAX_AT_ONCE)), ("have two secrets: end the old one first", two)],
    )


def _old_secrets_question(keys: QuerySet[ApiKey]) -> Question:
    return Question(
        action="end_old_secrets",
        title="End old secrets",
        sentence="Programs that still send the previous secret are refused within 5 s.",
        button="End them",
        counts=[("old secrets will end", min(keys.filter(old_secret_ends_at__gt=utc_now()).count(), MAX_AT_ONCE))],
    )


def _revoke_question(keys: QuerySet[ApiKey]) -> Question:
    counts = keys.order_by().aggregate(
        live=Count("pk", filter=Q(revoked_at__isnull=True)), revoked=Count("pk", filter=Q(revoked_at__isnull=False))
    )
    return Question(
        action="revoke_keys",
        title="Revoke API keys",
        sentence="Programs that use these keys are refused from their next request on. This cannot be undone. Where a "
        f"tenant has no other key with {MANAGING}, only its admins who sign in, and you, can make keys then.",
        button="Revoke for good",
        counts=[
            ("will be revoked", min(counts["live"], MAX_AT_ONCE)),
            ("revoked already", counts["revoked"]),
            ("tenants left without a key that may manage keys", _tenants_left_without(keys)),
        ],
    )


def _tenants_left_without(keys: QuerySet[ApiKey]) -> int:
    """Count the tenants that these keys are all of the live ones of that may manage keys."""
    managing = live_keys().filter(scopes__contains=[MANAGING])
    chosen = set(managing.filter(pk__in=keys.order_by().values("pk")).values_list("tenant_id", flat=True))
    others = managing.filter(tenant__in=chosen).exclude(pk__in=keys.order_by().values("pk"))
    return len(chosen - set(others.values_list("tenant_id", flat=True)))
