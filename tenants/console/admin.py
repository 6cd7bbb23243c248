"""Console pages: tenants, people, memberships, API keys."""

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.http import HttpRequest, HttpResponse
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from foundation.console import ConsoleAdmin, changelist_url, column, links
from tenants.access.known_callers import forget_callers_of
from tenants.access.known_origins import known_origins
from tenants.console.api_keys import ApiKeyAdmin
from tenants.console.exports import ExportActions
from tenants.console.retention import RetentionAdmin
from tenants.entitlements.kept import forget_entitlements
from tenants.licences.admin import InstalledLicenceAdmin, TrialAdmin
from tenants.lifecycle.suspension import state_of
from tenants.limits.admin import LimitOverrideAdmin
from tenants.members.admin import InvitationAdmin, MembershipAdmin
from tenants.models import (
    ApiKey,
    Identity,
    IdentityProvider,
    InstalledLicence,
    Invitation,
    LimitOverride,
    Membership,
    RetentionFigure,
    Tenant,
    TenantTrial,
    User,
)
from tenants.sign_in.admin import IdentityAdmin, IdentityProviderAdmin

if TYPE_CHECKING:
    PeopleAdmin = UserAdmin[User]
else:
    PeopleAdmin = UserAdmin


DELETION_ACTIONS: Final = ("request_deletions", "confirm_deletions", "withdraw_deletions")
STATE_COLOURS: Final = {"active": "success", "suspended": "warning", "to_be_deleted": "danger", "inactive": "danger"}


@admin.register(Tenant)
class TenantAdmin(ExportActions):
    """The customers of the installation."""

    list_help = (
        "The customers of this installation. An inactive tenant's keys are refused and its runs, mails and callbacks "
        "stand still; its data stays. A suspended tenant starts nothing; all else works."
    )
    list_display = ["slug", "name", "state", "weight", "created_at"]
    list_filter = ["is_active", ("suspended_at", admin.EmptyFieldListFilter)]
    search_fields = ["slug", "name"]
    ordering = ["slug"]
    fields = [
        "slug", "name", "state", "suspended_at", "suspended_runs", "suspension_reason", "deletion_due_at",
        "removal_stage", "is_active", "weight", "allowed_step_types", "blocked_step_types", "retention_days",
        "audit_retention_days", "default_reviewer_groups", "run_token_budget",
        "run_cost_budget", "daily_token_budget", "daily_cost_budget", "allowed_origins", "egress_allow_hosts",
        "created_at", "belongings",
    ]  # fmt: skip
    readonly_fields = [
        "state", "suspended_at", "suspended_runs", "suspension_reason", "deletion_due_at", "removal_stage",
        "created_at", "belongings",
    ]  # fmt: skip
    actions = ["rotate_callback_secrets", "suspend_tenants", "resume_tenants", "export_tenants", *DELETION_ACTIONS]
    actions_detail = [
        "rotate_callback_secret",
        "suspend",
        "resume",
        "export_one",
        "request_one",
        "confirm_one",
        "withdraw_one",
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Keep the short name of a tenant that exists: it is in addresses and logs."""
        return [*self.readonly_fields, "slug"] if obj else [*self.readonly_fields]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Have an inactive tenant's keys refused by this process at once, by others within 4 s."""
        super().save_model(request, obj, form, change)
        forget_callers_of(obj.pk)
        forget_entitlements(obj.pk)
        known_origins.forget()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let lists be written in one line."""
        if isinstance(db_field, ArrayField):
            kwargs |= {"widget": UnfoldAdminTextInputWidget, "help_text": f"{db_field.help_text} Separated by commas."}
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @column("state", colours=STATE_COLOURS)
    def state(self, tenant: Tenant) -> tuple[str, str]:
        """Show whether it is active, suspended, to be deleted or inactive."""
        state = state_of(tenant)
        return state, state.replace("_", " ")

    @column("belongs to it")
    def belongings(self, tenant: Tenant) -> str:
        """Link to what the tenant owns."""
        if tenant._state.adding:  # noqa: SLF001 - Django's documented way to tell a new row
            return "Save it first."
        owned = {"Runs": "runs.run", "Segments": "segments.segment", "API keys": "tenants.apikey"}
        owned |= {"Connections": "tenants.connection", "Members": "tenants.membership", "Audit": "audit.entry"}
        owned |= {"Licences": "tenants.installedlicence", "Trial": "tenants.tenanttrial"}
        owned |= {"Limits": "tenants.limitoverride", "Usage": "runs.usageday", "Prices": "runs.modelprice"}
        owned |= {"Deliveries": "runs.delivery", "Notifications": "runs.notificationtarget"}
        owned |= {
            "Human tasks": "humantasks.humantask",
            "Mails": "humantasks.notice",
            "Exports": "tenants.tenantexport",
        }
        return links({name: changelist_url(label, tenant__id__exact=tenant.pk) for name, label in owned.items()})


@admin.register(User)
class PersonAdmin(PeopleAdmin, ConsoleAdmin):
    """People who can sign in."""

    list_help = "People who can sign in. Staff may use this console; memberships say what else a person may do."
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
admin.site.register(InstalledLicence, InstalledLicenceAdmin)
admin.site.register(TenantTrial, TrialAdmin)
admin.site.register(RetentionFigure, RetentionAdmin)
admin.site.register(ApiKey, ApiKeyAdmin)
admin.site.register(LimitOverride, LimitOverrideAdmin)
