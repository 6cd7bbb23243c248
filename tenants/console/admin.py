"""Console pages: tenants, people, memberships, API keys."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from foundation.console import (
    MAX_AT_ONCE,
    ConsoleAdmin,
    NoQuestionsForm,
    Question,
    ReadOnlyAdmin,
    act,
    actor_of,
    changelist_url,
    column,
    is_confirmed,
    links,
)
from kernel.clock import utc_now
from tenants.access.known_callers import forget_callers_of
from tenants.access.known_origins import known_origins
from tenants.callback_signing.actions import CallbackSecretActs
from tenants.members.admin import InvitationAdmin, MembershipAdmin
from tenants.models import ApiKey, Identity, IdentityProvider, Invitation, Membership, Tenant, User
from tenants.services import create_api_key, revoke_api_key
from tenants.sign_in.admin import IdentityAdmin, IdentityProviderAdmin
from tenants.types import SCOPES

if TYPE_CHECKING:
    KeyForm = forms.ModelForm[ApiKey]
    PeopleAdmin = UserAdmin[User]
else:
    KeyForm = forms.ModelForm
    PeopleAdmin = UserAdmin


@admin.register(Tenant)
class TenantAdmin(CallbackSecretActs):
    """The customers of the installation."""

    list_help = (
        "The customers of this installation. An inactive tenant's keys are refused and its runs, mails and callbacks "
        "stand still; its data stays."
    )
    list_display = ["slug", "name", "is_active", "max_concurrent_runs", "created_at"]
    list_filter = ["is_active"]
    search_fields = ["slug", "name"]
    ordering = ["slug"]
    fields = [
        "slug", "name", "is_active", "max_concurrent_runs", "default_reviewer_groups", "run_token_budget",
        "run_cost_budget", "daily_token_budget", "daily_cost_budget", "allowed_origins", "egress_allow_hosts",
        "created_at", "belongings",
    ]  # fmt: skip
    readonly_fields = ["created_at", "belongings"]
    actions = ["rotate_callback_secrets"]
    actions_detail = ["rotate_callback_secret"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Keep the short name of a tenant that exists: it is in addresses and logs."""
        return [*self.readonly_fields, "slug"] if obj else [*self.readonly_fields]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Have an inactive tenant's keys refused by this process at once, by others within 4 s."""
        super().save_model(request, obj, form, change)
        forget_callers_of(obj.pk)
        known_origins.forget()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let lists be written in one line."""
        if isinstance(db_field, ArrayField):
            kwargs |= {"widget": UnfoldAdminTextInputWidget, "help_text": f"{db_field.help_text} Separated by commas."}
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @column("belongs to it")
    def belongings(self, tenant: Tenant) -> str:
        """Link to what the tenant owns."""
        if tenant._state.adding:  # noqa: SLF001 - Django's documented way to tell a new row
            return "Save it first."
        owned = {"Runs": "runs.run", "Segments": "segments.segment", "API keys": "tenants.apikey"}
        owned |= {"Connections": "tenants.connection", "Members": "tenants.membership", "Audit": "audit.entry"}
        owned |= {"Usage": "runs.usageday", "Prices": "runs.modelprice"}
        owned |= {"Deliveries": "runs.delivery", "Notifications": "runs.notificationtarget"}
        owned |= {"Human tasks": "humantasks.humantask", "Mails": "humantasks.notice"}
        return links({name: changelist_url(label, tenant__id__exact=tenant.pk) for name, label in owned.items()})


@admin.register(User)
class PersonAdmin(PeopleAdmin, ConsoleAdmin):
    """People who can sign in."""

    list_help = "People who can sign in. Staff may use this console; what else a person may do is told by memberships."
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["__str__", "username", "is_staff", "is_superuser", "is_active", "last_login"]
    readonly_fields = ["last_login", "date_joined"]
    powers: ClassVar[list[str]] = ["is_staff", "is_superuser", "groups", "user_permissions"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Let only superusers give rights, or else everybody who may edit people could take all of them."""
        return [*self.readonly_fields] if request.user.is_superuser else [*self.readonly_fields, *self.powers]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep superusers' names and passwords from those who are none."""
        may = super().has_change_permission(request, obj)
        return may and (request.user.is_superuser or not (isinstance(obj, User) and obj.is_superuser))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's name
        """Set another password, and tell the audit that it was set."""
        response = super().user_change_password(request, id, form_url)
        person = self.get_object(request, id)
        if request.method == "POST" and response.status_code == 302 and person is not None:
            self.record(request, verb="password_changed", row=person)
        return response


admin.site.unregister(Group)


@admin.register(Group)
class RightsGroupAdmin(GroupAdmin, ConsoleAdmin):
    """Sets of console rights."""

    list_help = "Sets of rights in this console, for staff who are not superusers. Reviewer groups are in memberships."


admin.site.register(Membership, MembershipAdmin)
admin.site.register(Invitation, InvitationAdmin)
admin.site.register(IdentityProvider, IdentityProviderAdmin)
admin.site.register(Identity, IdentityAdmin)


class NewKeyForm(KeyForm):
    """Form of a new key."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES],
        initial=list(SCOPES),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What the key may do.",
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


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Programs' keys. A key is made and revoked, never edited; its secret is shown once."""

    list_help = (
        "Keys of the tenants' programs. The secret is shown once, when a key is made; only a keyed hash is kept."
    )
    list_display = ["name", "tenant", "public_id", "state", "created_at", "expires_at"]
    list_filter = [("tenant", AutocompleteSelectFilter), ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["tenant"]
    search_fields = ["name", "public_id", "tenant__slug", "tenant__name"]
    ordering = ["-id"]
    actions = ["revoke_keys"]
    actions_detail = ["revoke_key"]
    autocomplete_fields = ["tenant"]
    form = NewKeyForm
    fields = ["tenant", "name", "public_id", "state", "scopes", "created_at", "expires_at", "revoked_at"]
    readonly_fields = ["public_id", "state", "created_at", "revoked_at"]
    add_fieldsets = [(None, {"fields": ["tenant", "name", "scopes", "expires_at"]})]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those with the right make keys."""
        return request.user.has_perm("tenants.add_apikey")

    def has_revoke_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those revoke who could change a key, if keys could be changed."""
        return request.user.has_perm("tenants.change_apikey")

    @column("state", colours={"live": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        """Tell whether it works."""
        if key.revoked_at is not None:
            return "revoked"
        return "live" if key.is_live() else "expired"

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

    @act("Revoke API keys", permission="revoke")
    def revoke_keys(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> HttpResponse | None:
        """Stop the chosen keys for good, after asking."""
        if not is_confirmed(request):
            return self.ask(request, _revoke_question(keys), form=NoQuestionsForm())
        live = list(keys.filter(revoked_at__isnull=True).order_by("id")[:MAX_AT_ONCE])
        for key in live:
            revoke_api_key(tenant=key.tenant, api_key_id=key.id, actor=actor_of(request))
        self.message_user(request, f"Revoked: {len(live)}.")
        return None

    @act("Revoke", permission="revoke", url_path="revoke")
    def revoke_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to stop this key."""
        keys = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _revoke_question(keys), form=NoQuestionsForm(), ids=[object_id])


def _revoke_question(keys: QuerySet[ApiKey]) -> Question:
    counts = keys.order_by().aggregate(
        live=Count("pk", filter=Q(revoked_at__isnull=True)), revoked=Count("pk", filter=Q(revoked_at__isnull=False))
    )
    return Question(
        action="revoke_keys",
        title="Revoke API keys",
        sentence="Programs that use these keys are refused from their next request on. This cannot be undone.",
        button="Revoke for good",
        counts=[("will be revoked", min(counts["live"], MAX_AT_ONCE)), ("revoked already", counts["revoked"])],
    )
