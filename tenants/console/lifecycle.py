"""Console actions on a tenant's life: suspend and resume."""

from typing import Final

from django import forms
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminRadioSelectWidget

from foundation.console import (
    MAX_AT_ONCE,
    NoQuestionsForm,
    Question,
    ReasonForm,
    actor_of,
    console_action,
    is_confirmed,
)
from tenants.callback_signing.actions import CallbackSecretActions
from tenants.lifecycle.suspension import resume_tenant, suspend_tenant
from tenants.models import RunsWhileSuspended, Tenant

SUSPEND: Final = "suspend_tenants"
RESUME: Final = "resume_tenants"


class SuspensionForm(ReasonForm):
    """Asks why, and what becomes of the runs."""

    runs = forms.ChoiceField(
        choices=RunsWhileSuspended.choices,
        initial=RunsWhileSuspended.FINISH,
        widget=UnfoldAdminRadioSelectWidget,
        help_text="Runs paused here continue when the tenant is resumed; runs that people have paused stay paused.",
    )


class LifecycleActions(CallbackSecretActions):
    """The acts on a tenant's life, of the page of tenants."""

    def has_suspend_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those suspend who may change a tenant."""
        return request.user.has_perm("tenants.change_tenant")

    @console_action("Suspend tenants", permission="suspend")
    def suspend_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> HttpResponse | None:
        """Refuse new starts of the chosen tenants, after asking why."""
        form = SuspensionForm(request.POST if is_confirmed(request) else None)
        if not form.is_valid():
            return self.ask(request, _suspend_question(tenants), form=form)
        runs, reason = RunsWhileSuspended(form.cleaned_data["runs"]), form.cleaned_data["reason"]
        chosen = list(tenants.order_by("slug")[:MAX_AT_ONCE])
        for tenant in chosen:
            suspend_tenant(tenant_id=tenant.id, runs=runs, reason=reason, actor=actor_of(request))
        self.message_user(request, f"Suspended: {len(chosen)}. Other processes refuse starts within 5 s.")
        return None

    @console_action("Resume tenants", permission="suspend")
    def resume_tenants(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> HttpResponse | None:
        """Let the chosen tenants start runs again, after asking."""
        if not is_confirmed(request):
            return self.ask(request, _resume_question(tenants), form=NoQuestionsForm())
        suspended = list(tenants.filter(suspended_at__isnull=False).order_by("slug")[:MAX_AT_ONCE])
        for tenant in suspended:
            resume_tenant(tenant_id=tenant.id, actor=actor_of(request))
        self.message_user(request, f"Resumed: {len(suspended)}. Runs that were paused continue within a minute.")
        return None

    @console_action("Suspend", permission="suspend", url_path="suspend")
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why this tenant should start nothing."""
        tenants = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _suspend_question(tenants), form=SuspensionForm(), ids=[object_id])

    @console_action("Resume", permission="suspend", url_path="resume")
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether this tenant may start runs again."""
        tenants = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _resume_question(tenants), form=NoQuestionsForm(), ids=[object_id])


def _counts(tenants: QuerySet[Tenant]) -> tuple[int, int]:
    suspended = Q(suspended_at__isnull=False)
    found = tenants.order_by().aggregate(suspended=Count("pk", filter=suspended), going=Count("pk", filter=~suspended))
    return found["going"], found["suspended"]


def _suspend_question(tenants: QuerySet[Tenant]) -> Question:
    going, suspended = _counts(tenants)
    return Question(
        action=SUSPEND,
        title="Suspend tenants",
        sentence="Starts are refused with a sentence that has your reason. Reading, exporting, cancelling and deciding "
        "go on. Resuming undoes all of it.",
        button="Suspend",
        counts=[("will be suspended", min(going + suspended, MAX_AT_ONCE)), ("of them suspended already", suspended)],
    )


def _resume_question(tenants: QuerySet[Tenant]) -> Question:
    going, suspended = _counts(tenants)
    return Question(
        action=RESUME,
        title="Resume tenants",
        sentence="They may start runs again, and the runs that their suspension has paused go on.",
        button="Resume",
        counts=[("will be resumed", min(suspended, MAX_AT_ONCE)), ("not suspended, left alone", going)],
    )
