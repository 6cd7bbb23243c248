"""The console's pages of identity providers and of the accounts people sign in with."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from foundation.console import (
    MAX_AT_ONCE,
    ConsoleAdmin,
    NoQuestionsForm,
    Question,
    ReadOnlyAdmin,
    actor_of,
    column,
    console_action,
    is_confirmed,
)
from tenants.connections.egress_policy import egress_policy_of
from tenants.entitlements.tiers import OWN_IDENTITY_PROVIDER, first_tier_with
from tenants.limits.errors import NotIncluded
from tenants.limits.selectors import entitlements_of
from tenants.models import Identity, IdentityProvider, Tenant, User
from tenants.sealing import seal_into
from tenants.sign_in.accounts.errors import LAST_ACCOUNT
from tenants.sign_in.accounts.services import unlink
from tenants.sign_in.errors import SignInRefused
from tenants.sign_in.operators.trial import RIGHT, TrialVerdict, look_up
from tenants.sign_in.providers import INSTALLATION, SignInProvider, provider_to_try
from tenants.sign_in.redirects import redirect_to_provider
from tenants.sign_in.rules import domain_problems, issuer_problem, map_problem
from tenants.sign_in.states import SignInPurpose

if TYPE_CHECKING:
    Form = forms.ModelForm[IdentityProvider]
else:
    Form = forms.ModelForm


class IdentityProviderForm(Form):
    """All a provider says, and a secret that goes in and never comes out."""

    new_secret = forms.CharField(
        required=False,
        strip=False,
        label="Client secret",
        widget=UnfoldAdminPasswordWidget(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Empty: the stored one is kept.",
    )

    def clean(self) -> dict[str, Any]:
        """Refuse what could not work."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        tenant = cleaned.get("tenant") or getattr(self.instance, "tenant", None)
        if tenant is not None and self._is_set_anew(cleaned):
            self._check_included(tenant)
        if "issuer" in cleaned and tenant is not None:
            plain_allowed = settings.DEVELOPMENT or settings.DEBUG
            self._say(
                "issuer",
                issuer_problem(cleaned["issuer"], policy=egress_policy_of(tenant), plain_allowed=plain_allowed),
            )
        for name in ("group_map", "role_map"):
            if name in cleaned:
                cleaned[name] = cleaned[name] or {}
                self._say(name, map_problem(cleaned[name], of_roles=name == "role_map"))
        for problem in domain_problems(cleaned.get("allowed_domains") or []):
            self._say("allowed_domains", problem)
        if not cleaned.get("new_secret") and not self.instance.client_secret:
            self._say("new_secret", "The provider gives one with the client id.")
        return cleaned

    def _is_set_anew(self, cleaned: dict[str, Any]) -> bool:
        is_new = self.instance._state.adding  # noqa: SLF001 - Django's documented way to tell a new row
        return is_new or (bool(cleaned.get("is_active")) and not self.initial.get("is_active"))

    def _check_included(self, tenant: Tenant) -> None:
        """Let only tenants set a provider whose tier has it; one that is set goes on working whatever it says."""
        entitlements = entitlements_of(tenant.id)
        if OWN_IDENTITY_PROVIDER not in entitlements.features:
            tier = first_tier_with(OWN_IDENTITY_PROVIDER)
            problem = (
                f"The tier {entitlements.tier} does not include an identity provider of the tenant's own; the tier "
                f"{tier} does, or a licence with the feature {OWN_IDENTITY_PROVIDER}."
            )
            self.add_error("is_active", forms.ValidationError(problem, code=NotIncluded.code))

    def _say(self, name: str, problem: str | None) -> None:
        if problem is not None:
            self.add_error(name, problem)


class IdentityProviderAdmin(ConsoleAdmin):
    """Tenants' own providers of accounts."""

    list_help = (
        "Tenants' own OpenID Connect providers. Each signs people into its tenant only; the installation's own "
        "provider is set up in the environment."
    )
    form = IdentityProviderForm
    list_display = ["tenant", "issuer", "client_id", "is_active"]
    list_filter = [("tenant", AutocompleteSelectFilter), "is_active"]
    list_select_related = ["tenant"]
    search_fields = ["issuer", "tenant__slug", "tenant__name"]
    ordering = ["-id"]
    autocomplete_fields = ["tenant"]
    fields = [
        "tenant", "issuer", "client_id", "new_secret", "scopes", "emails_verified", "groups_claim", "group_map",
        "roles_claim", "role_map", "allowed_domains", "to_register", "is_active", "created_at",
    ]  # fmt: skip
    readonly_fields = ["to_register", "created_at"]
    list_before_template = "console/identity_providers.html"
    actions_detail = ["try_it"]

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of a trial."""
        tried, begun = (self.admin_site.admin_view(view) for view in (self.try_view, self.begin_view))
        own = [
            path("installation/try/", tried, {"key": INSTALLATION}, name="tenants_identityprovider_try_installation"),
            path("<str:key>/try/begin/", begun, name="tenants_identityprovider_try_begin"),
        ]
        return [*own, *super().get_urls()]

    def has_try_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those try one who may change it."""
        return request.user.has_perm(RIGHT)

    @console_action("Try it", permission="try", url_path="try")
    def try_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask the provider what people's sign-ins ask it."""
        return self.try_view(request, key=object_id)

    def try_view(self, request: HttpRequest, *, key: str) -> HttpResponse:
        """Show what a provider says of itself, and offer a whole sign-in."""
        findings = look_up(self._provider_to_try(request, key))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Try a provider",
            "findings": findings,
            "works": all(one.verdict is not TrialVerdict.FAILED for one in findings),
            "begin": reverse("admin:tenants_identityprovider_try_begin", args=[key]),
            "to_register": self.to_register(None),
        }
        return TemplateResponse(request, "console/trial.html", context)

    def begin_view(self, request: HttpRequest, *, key: str) -> HttpResponse:
        """Send the operator to a provider, and from there to a page that says what came of it."""
        provider, back = self._provider_to_try(request, key), self.list_url()
        try:
            return redirect_to_provider(request, provider, next_url=back, purpose=SignInPurpose.TRIAL)
        except SignInRefused as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(back)

    def _provider_to_try(self, request: HttpRequest, key: str) -> SignInProvider:
        if not self.has_try_permission(request):
            raise PermissionDenied
        provider = provider_to_try(key)
        if provider is None:
            raise Http404("There is no such provider.")
        return provider

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Show the form; with the status of the API where the tenant's tier does not include a provider."""
        answer = super().render_change_form(request, context, *args, **kwargs)
        if context["adminform"].form.has_error("is_active", NotIncluded.code):
            answer.status_code = NotIncluded.status
        return answer

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Keep whose it is: its secret is sealed for that tenant."""
        return [*self.readonly_fields, "tenant"] if obj else [*self.readonly_fields]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let lists be written in one line."""
        if isinstance(db_field, ArrayField):
            kwargs |= {"widget": UnfoldAdminTextInputWidget, "help_text": f"{db_field.help_text} Separated by commas."}
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @column("to register at the provider")
    def to_register(self, row: Any) -> str:
        """Write the addresses the provider has to know."""
        back, out = (f"{settings.PUBLIC_URL}{reverse(name)}" for name in ("oidc_authentication_callback", "sign_in"))
        return f"redirect URI {back}, post-logout redirect URI {out}"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Seal the secret, save, and tell the audit what is said now, never the secret."""
        names = [name for name in form.cleaned_data if name not in {"new_secret", "tenant"}]
        before = {name: form.initial.get(name) for name in names} if change else None
        if form.cleaned_data["new_secret"]:
            seal_into(obj, "client_secret", form.cleaned_data["new_secret"])
        obj.save()
        after = {name: form.cleaned_data[name] for name in names}
        after |= {"client_secret": "changed"} if form.cleaned_data["new_secret"] else {}
        self.record(request, verb="changed" if change else "created", row=obj, before=before, after=after)


class IdentityAdmin(ReadOnlyAdmin):
    """Accounts at providers, and whose they are."""

    list_help = "Accounts people sign in with: known by their provider and its name for them, never by an e-mail."
    list_display = ["user", "issuer", "subject", "created_at", "last_used"]
    list_select_related = ["user"]
    search_fields = ["subject", "issuer", "user__email"]
    ordering = ["-id"]
    fields = ["user", "issuer", "subject", "created_at", "last_used_at"]
    actions = ["unlink_accounts"]
    actions_detail = ["unlink"]

    def has_unlink_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those unlink one who may delete it."""
        return request.user.has_perm("tenants.delete_identity")

    @console_action("Unlink accounts", permission="unlink")
    def unlink_accounts(self, request: HttpRequest, rows: QuerySet[Identity]) -> HttpResponse | None:
        """Unlink the chosen accounts, after asking."""
        if not is_confirmed(request):
            return self.ask(request, _unlink_question(rows), form=NoQuestionsForm())
        chosen = list(rows.order_by("id")[:MAX_AT_ONCE])
        for row in chosen:
            unlink(identity=row, actor=actor_of(request), allow_last=True)
        self.message_user(request, f"Unlinked: {len(chosen)}.")
        return None

    @console_action("Unlink", permission="unlink", url_path="unlink")
    def unlink(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to unlink this account."""
        rows = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _unlink_question(rows), form=NoQuestionsForm(), ids=[object_id])

    @column("last sign-in", ordering="last_used_at")
    def last_used(self, row: Any) -> Any:
        """Tell when it was used last."""
        return row.last_used_at


def _unlink_question(rows: QuerySet[Identity]) -> Question:
    chosen = set(rows.values_list("pk", flat=True)[:MAX_AT_ONCE])
    people = User.objects.filter(identities__in=chosen).exclude(identities__in=Identity.objects.exclude(pk__in=chosen))
    return Question(
        action="unlink_accounts",
        title="Unlink accounts",
        sentence="Nobody signs in with them any more, and sessions begun with them are refused at once. Who loses "
        f"their last one: {LAST_ACCOUNT[0].lower()}{LAST_ACCOUNT[1:]}",
        button="Unlink",
        counts=[("will be unlinked", len(chosen)), ("people lose their last one", people.distinct().count())],
    )
