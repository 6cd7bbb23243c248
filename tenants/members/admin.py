"""The console's pages of members and invitations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.postgres.forms import SimpleArrayField
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from foundation.console import (
    MAX_AT_ONCE,
    ConsoleAdmin,
    NoQuestionsForm,
    Question,
    actor_of,
    column,
    console_action,
    is_confirmed,
)
from tenants.access.known_callers import forget_callers_of
from tenants.members.actors import names_of
from tenants.members.errors import LastAdmin
from tenants.members.rules import email_problems, group_problems
from tenants.members.services import (
    deactivate_member,
    invite_member,
    reactivate_member,
    require_other_admin,
    revoke_invitation,
)
from tenants.models import Invitation, MemberRole, Membership

if TYPE_CHECKING:
    Form = forms.ModelForm[Invitation]
    MemberForm = forms.ModelForm[Membership]
else:
    Form = MemberForm = forms.ModelForm

GROUPS_HELP = "Reviewer groups, separated by commas."
LAST_ADMIN = f"{LastAdmin.title}. Make somebody else an admin first."


def _checked(groups: list[str] | None) -> list[str]:
    """Hold names of groups to the rules the API has."""
    found = group_problems(groups or [])
    if found:
        raise forms.ValidationError([item.detail for item in found])
    return groups or []


class MembershipForm(MemberForm):
    """Form of a member."""

    def clean_role(self) -> str:
        """Leave the tenant an admin."""
        role: str = self.cleaned_data["role"]
        if "role" in self.changed_data and self.instance.tenant_id is not None:
            try:
                require_other_admin(tenant=self.instance.tenant, member_id=self.instance.id)
            except LastAdmin as refused:
                raise forms.ValidationError(LAST_ADMIN) from refused
        return role

    def clean_groups(self) -> list[str]:
        """Hold them to the rules the API has."""
        return _checked(self.cleaned_data["groups"])


class MembershipAdmin(ConsoleAdmin):
    """Members of tenants in the console."""

    list_help = (
        "Who belongs to which tenant, in which role, and which reviewer groups' tasks they are offered. People are "
        "invited under Invitations; a deactivated member is refused within 5 s."
    )
    form = MembershipForm
    list_display = ["user", "tenant", "role", "groups", "state", "created_at"]
    list_filter = [("tenant", AutocompleteSelectFilter), "role", ("deactivated_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user", "tenant"]
    search_fields = [
        "user__first_name",
        "user__last_name",
        "user__username",
        "user__email",
        "tenant__slug",
        "tenant__name",
    ]
    ordering = ["-id"]
    autocomplete_fields = ["user", "tenant"]
    fields = ["tenant", "user", "role", "groups", "state", "away_from", "away_until", "stands_in", "created_at"]
    readonly_fields = ["state", "away_from", "away_until", "stands_in", "created_at"]
    actions = ["deactivate_members", "reactivate_members"]
    actions_detail = ["deactivate", "reactivate"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A membership stays its person's and its tenant's: what was decided under its id is theirs."""
        return [*self.readonly_fields, "tenant", "user"] if obj else self.readonly_fields

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Say how groups are written."""
        if db_field.name == "groups":
            kwargs |= {"widget": UnfoldAdminTextInputWidget, "help_text": GROUPS_HELP}
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @column("state", colours={"active": "success", "deactivated": "danger"})
    def state(self, member: Membership) -> str:
        """Tell whether the person may act."""
        return "active" if member.deactivated_at is None and member.user.is_active else "deactivated"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Have a changed role hold in this process at once, in others within 4 s."""
        super().save_model(request, obj, form, change)
        forget_callers_of(obj.tenant_id)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let a person be taken out of a tenant, by those with the right."""
        return request.user.has_perm("tenants.delete_membership")

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        """Take the person out, and tell the audit."""
        self.record(request, verb="deleted", row=obj, before={"user": str(obj.user_id), "role": obj.role})
        super().delete_model(request, obj)
        forget_callers_of(obj.tenant_id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        """Take each out as if alone."""
        for membership in queryset:
            self.delete_model(request, membership)

    @console_action("Deactivate members", permission="change")
    def deactivate_members(self, request: HttpRequest, members: QuerySet[Membership]) -> HttpResponse | None:
        """End what the chosen people may do, after asking."""
        if not is_confirmed(request):
            return self.ask(request, _deactivate_question(members), form=NoQuestionsForm())
        done = 0
        for member in members.filter(deactivated_at=None).order_by("id")[:MAX_AT_ONCE]:
            try:
                deactivate_member(tenant=member.tenant, actor=actor_of(request), member_id=member.id)
                done += 1
            except LastAdmin:
                self.message_user(request, f"{member}: {LAST_ADMIN}", "error")
        self.message_user(request, f"Deactivated: {done}.")
        return None

    @console_action("Reactivate members", permission="change")
    def reactivate_members(self, request: HttpRequest, members: QuerySet[Membership]) -> HttpResponse | None:
        """Give the chosen people back what they could do, after asking."""
        if not is_confirmed(request):
            return self.ask(request, _reactivate_question(members), form=NoQuestionsForm())
        gone = list(members.exclude(deactivated_at=None).order_by("id")[:MAX_AT_ONCE])
        for member in gone:
            reactivate_member(tenant=member.tenant, actor=actor_of(request), member_id=member.id)
        self.message_user(request, f"Reactivated: {len(gone)}.")
        return None

    @console_action("Deactivate", permission="change", url_path="deactivate")
    def deactivate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to deactivate this member."""
        members = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _deactivate_question(members), form=NoQuestionsForm(), ids=[object_id])

    @console_action("Reactivate", permission="change", url_path="reactivate")
    def reactivate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to reactivate this member."""
        members = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _reactivate_question(members), form=NoQuestionsForm(), ids=[object_id])


class InvitationForm(Form):
    """Form of an invitation."""

    role = forms.ChoiceField(choices=MemberRole.choices, initial=MemberRole.REVIEWER, widget=UnfoldAdminSelectWidget)
    groups = SimpleArrayField(
        forms.CharField(max_length=100), required=False, help_text=GROUPS_HELP, widget=UnfoldAdminTextInputWidget
    )

    def clean_email(self) -> str:
        """Hold it to the rules the API has."""
        email: str = self.cleaned_data["email"]
        if found := email_problems(email):
            raise forms.ValidationError([item.detail for item in found])
        return email

    def clean_groups(self) -> list[str]:
        """Hold them to the rules the API has."""
        return _checked(self.cleaned_data["groups"])


class InvitationAdmin(ConsoleAdmin):
    """Invitations in the console. An invitation is made and revoked, never edited."""

    list_help = (
        "People who become members by signing in with the invited e-mail, verified by their company. Inviting somebody "
        "again renews the open invitation and mails it again."
    )
    form = InvitationForm
    list_display = ["email", "tenant", "role", "groups", "state", "mailed", "inviter", "created_at", "expires_at"]
    list_filter = [("tenant", AutocompleteSelectFilter), "role"]
    list_select_related = ["tenant"]
    search_fields = ["email", "tenant__slug", "tenant__name"]
    ordering = ["-id"]
    autocomplete_fields = ["tenant"]
    actions = ["revoke_invitations"]
    actions_detail = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask for what an invitation says; show what became of it."""
        asked = ["tenant", "email", "role", "groups"]
        return [*asked, "state", "mailed", "inviter", "created_at", "expires_at"] if obj else asked

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nothing of one that exists is changed."""
        return self.get_fields(request, obj) if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes one."""
        return False

    def has_revoke_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Those who may invite may take it back."""
        return request.user.has_perm("tenants.add_invitation")

    @column("state", colours={"open": "info", "accepted": "success", "revoked": "danger", "expired": "warning"})
    def state(self, row: Invitation) -> str:
        """Tell what became of it."""
        return row.status

    def put_in_words(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Look up who invited, of all rows at once."""
        names = names_of(row.invited_by for row in rows)
        for row in rows:
            row.inviter = names[row.invited_by]

    @column("invited by")
    def inviter(self, row: Any) -> str:
        """Name who invited."""
        return str(row.inviter)

    @column("mailed")
    def mailed(self, row: Invitation) -> str:
        """Tell whether the mail went out."""
        return row.mail_error or (f"{row.mailed_at:%Y-%m-%d %H:%M} UTC" if row.mailed_at else "not yet")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Invite through the service, which mails and tells the audit."""
        asked = form.cleaned_data
        made = invite_member(
            tenant=asked["tenant"],
            actor=actor_of(request),
            email=asked["email"],
            role=asked["role"],
            groups=asked["groups"],
        )
        obj.__dict__.update(made.__dict__)

    @console_action("Revoke invitations", permission="revoke")
    def revoke_invitations(self, request: HttpRequest, rows: QuerySet[Invitation]) -> HttpResponse | None:
        """Take the chosen invitations back, after asking."""
        found = [row for row in rows.order_by("id")[:MAX_AT_ONCE] if row.is_open]
        if not is_confirmed(request):
            return self.ask(request, _revoke_question(len(found), rows.count()), form=NoQuestionsForm())
        for row in found:
            revoke_invitation(tenant=row.tenant, actor=actor_of(request), invitation_id=row.id)
        self.message_user(request, f"Revoked: {len(found)}.")
        return None

    @console_action("Revoke", permission="revoke", url_path="revoke")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to revoke this invitation."""
        rows = self.get_queryset(request).filter(pk=object_id)
        is_open = sum(row.is_open for row in rows)
        return self.ask(request, _revoke_question(is_open, len(rows)), form=NoQuestionsForm(), ids=[object_id])


def _counts(members: QuerySet[Membership]) -> tuple[int, int]:
    counted = members.order_by().aggregate(
        active=Count("pk", filter=Q(deactivated_at__isnull=True)),
        gone=Count("pk", filter=Q(deactivated_at__isnull=False)),
    )
    return min(counted["active"], MAX_AT_ONCE), min(counted["gone"], MAX_AT_ONCE)


def _deactivate_question(members: QuerySet[Membership]) -> Question:
    active, gone = _counts(members)
    return Question(
        action="deactivate_members",
        title="Deactivate members",
        sentence="They are signed out and refused within 5 s, and no task is offered to them. What they did stays.",
        button="Deactivate",
        counts=[("will be deactivated", active), ("deactivated already", gone)],
    )


def _reactivate_question(members: QuerySet[Membership]) -> Question:
    active, gone = _counts(members)
    return Question(
        action="reactivate_members",
        title="Reactivate members",
        sentence="They can sign in again and do what their role lets them.",
        button="Reactivate",
        counts=[("will be reactivated", gone), ("active already", active)],
    )


def _revoke_question(is_open: int, chosen: int) -> Question:
    return Question(
        action="revoke_invitations",
        title="Revoke invitations",
        sentence="Nobody becomes a member by these any more.",
        button="Revoke",
        counts=[("will be revoked", is_open), ("closed already", chosen - is_open)],
    )
