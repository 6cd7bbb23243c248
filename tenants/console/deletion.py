"""Console actions that delete a tenant: asked for, then confirmed by an act of its own, or withdrawn."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from foundation.console import (
    MAX_AT_ONCE,
    NoQuestionsForm,
    Question,
    ReasonForm,
    actor_of,
    console_action,
    is_confirmed,
)
from tenants.console.lifecycle import LifecycleActions
from tenants.lifecycle.deletion import confirm_deletion, request_deletion, withdraw_deletion
from tenants.models import Tenant

_ASKED: Final = Q(deletion_due_at__isnull=False)
_OPEN: Final = Q(deletion_due_at__isnull=False, removal_stage="")


class ShortNameForm(forms.Form):
    """Asks for the short name of the one tenant that is to go now."""

    short_name = forms.CharField(
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
        help_text="The tenant's short name, to confirm that you mean this tenant.",
    )

    def __init__(self, data: Any = None, *, slugs: list[str] | None = None) -> None:
        """Keep the short names that are chosen."""
        super().__init__(data)
        self._slugs = slugs or []

    def clean_short_name(self) -> str:
        """Refuse any but the name of the one tenant that is chosen."""
        name: str = self.cleaned_data["short_name"]
        if self._slugs != [name]:
            raise forms.ValidationError("Choose one tenant, and write its short name.")
        return name


class DeletionActions(LifecycleActions):
    """The acts that delete a tenant, of the page of tenants."""

    def has_erase_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those delete who have Django's right to."""
        return request.user.has_perm("tenants.delete_tenant")

    @console_action("Request deletion of tenants", permission="erase")
    def request_deletions(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> HttpResponse | None:
        """Ask for the chosen tenants to be deleted, after asking why."""
        form = ReasonForm(request.POST if is_confirmed(request) else None)
        if not form.is_valid():
            return self.ask(request, _request_question(tenants), form=form)
        chosen = list(tenants.exclude(_ASKED).order_by("slug")[:MAX_AT_ONCE])
        for tenant in chosen:
            request_deletion(tenant_id=tenant.id, reason=form.cleaned_data["reason"], actor=actor_of(request))
        self.message_user(request, f"To be deleted in {settings.DELETION_GRACE_DAYS} days: {len(chosen)}.")
        return None

    @console_action("Delete a tenant now", permission="erase")
    def confirm_deletions(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> HttpResponse | None:
        """Have the removal of one tenant begin at once, after its short name is written."""
        slugs = list(tenants.filter(_ASKED).values_list("slug", flat=True)[:2])
        form = ShortNameForm(request.POST if is_confirmed(request) else None, slugs=slugs)
        if not form.is_valid():
            return self.ask(request, _confirm_question(tenants), form=form)
        for tenant in tenants.filter(_ASKED, slug=form.cleaned_data["short_name"]):
            confirm_deletion(tenant_id=tenant.id, actor=actor_of(request))
        self.message_user(
            request, "Its removal begins within moments. The audit of the installation tells how far it is."
        )
        return None

    @console_action("Withdraw deletion of tenants", permission="erase")
    def withdraw_deletions(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> HttpResponse | None:
        """Keep the chosen tenants, after asking."""
        if not is_confirmed(request):
            return self.ask(request, _withdraw_question(tenants), form=NoQuestionsForm())
        kept = list(tenants.filter(_OPEN).order_by("slug")[:MAX_AT_ONCE])
        for tenant in kept:
            withdraw_deletion(tenant_id=tenant.id, actor=actor_of(request))
        self.message_user(request, f"Kept: {len(kept)}.")
        return None

    @console_action("Request deletion", permission="erase", url_path="request-deletion")
    def request_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why this tenant should be deleted."""
        tenants = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _request_question(tenants), form=ReasonForm(), ids=[object_id])

    @console_action("Delete now", permission="erase", url_path="delete-now")
    def confirm_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the short name of this tenant."""
        tenants = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _confirm_question(tenants), form=ShortNameForm(), ids=[object_id])

    @console_action("Withdraw deletion", permission="erase", url_path="withdraw-deletion")
    def withdraw_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to keep this tenant."""
        tenants = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _withdraw_question(tenants), form=NoQuestionsForm(), ids=[object_id])


def _count(tenants: QuerySet[Tenant], which: Q) -> int:
    found: int = tenants.order_by().aggregate(found=Count("pk", filter=which))["found"]
    return found


def _request_question(tenants: QuerySet[Tenant]) -> Question:
    return Question(
        action="request_deletions",
        title="Request deletion of tenants",
        sentence=f"They can start nothing any more. In {settings.DELETION_GRACE_DAYS} days all their data is "
        f"removed, except the audit; until then they can read, export, cancel and decide, and you can withdraw the "
        f"request.",
        button="Request deletion",
        counts=[
            ("will be deleted", min(_count(tenants, ~_ASKED), MAX_AT_ONCE)),
            ("asked for already", _count(tenants, _ASKED)),
        ],
    )


def _confirm_question(tenants: QuerySet[Tenant]) -> Question:
    return Question(
        action="confirm_deletions",
        title="Delete a tenant now",
        sentence="Its runs are cancelled, then all its data is removed. This cannot be undone. Its deletion must have "
        "been requested before.",
        button="Delete for good",
        counts=[("will be deleted now", _count(tenants, _ASKED)), ("not requested before", _count(tenants, ~_ASKED))],
    )


def _withdraw_question(tenants: QuerySet[Tenant]) -> Question:
    return Question(
        action="withdraw_deletions",
        title="Withdraw deletion of tenants",
        sentence="They are as they were before their deletion was requested.",
        button="Keep them",
        counts=[
            ("will be kept", min(_count(tenants, _OPEN), MAX_AT_ONCE)),
            ("not requested, or begun already", _count(tenants, ~_OPEN)),
        ],
    )
