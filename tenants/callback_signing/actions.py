"""Console actions on the secrets that sign callbacks: make a new one, shown once."""

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from foundation.console import MAX_AT_ONCE, ConsoleAdmin, NoQuestionsForm, Question, console_action, is_confirmed
from tenants.callback_signing.secrets import rotate_callback_secret
from tenants.models import CallbackSecret, Tenant


class CallbackSecretActions(ConsoleAdmin):
    """The acts of the page of tenants."""

    def has_sign_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those make secrets who may change a tenant."""
        return request.user.has_perm("tenants.change_tenant")

    @console_action("Make new callback secrets", permission="sign")
    def rotate_callback_secrets(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> HttpResponse:
        """Make a new secret for each of the chosen tenants, after asking; the answer itself shows them, once."""
        if not is_confirmed(request):
            return self.ask(request, _question(tenants), form=NoQuestionsForm())
        made = []
        for tenant in tenants.order_by("slug")[:MAX_AT_ONCE]:
            made.append((tenant, rotate_callback_secret(tenant=tenant)))
            self.record(request, verb="callback_secret_rotated", row=tenant)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "New callback secrets",
            "made": made,
            "done_url": self.list_url(),
        }
        return TemplateResponse(request, "console/new_callback_secrets.html", context)

    @console_action("New callback secret", permission="sign", url_path="callback-secret")
    def rotate_callback_secret(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to make a new secret for this tenant."""
        tenants = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _question(tenants), form=NoQuestionsForm(), ids=[object_id])


def _question(tenants: QuerySet[Tenant]) -> Question:
    chosen = tenants.count()
    having = CallbackSecret.objects.filter(tenant__in=tenants).count()
    counts = [("will have a new secret", min(chosen, MAX_AT_ONCE)), ("of them have one now", having)]
    if chosen > MAX_AT_ONCE:
        counts.append((f"not in this action (at most {MAX_AT_ONCE} at once)", chosen - MAX_AT_ONCE))
    return Question(
        action="rotate_callback_secrets",
        title="Make new callback secrets",
        sentence="Callbacks are signed with the new secret from now on, and for 24 hours with the present one as well. "
        "The new one is shown once.",
        button="Make new secrets",
        counts=counts,
    )
