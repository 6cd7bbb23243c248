"""Console pages: stored prompts and their versions."""

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminTextareaWidget

from foundation.archiving import ArchiveWords, archive_chosen
from foundation.console import (
    ConsoleAdmin,
    NoQuestionsForm,
    ReadOnlyAdmin,
    actor_of,
    change_link,
    changelist_url,
    column,
    console_action,
    links,
)
from segments.definition.prompt_names import TEMPLATE_ID
from segments.models import PromptTemplate, PromptVersion
from segments.prompts.rules import PromptTexts, problems
from segments.prompts.services import archive_prompt, save_prompt

ARCHIVING: Final = ArchiveWords(
    action="archive_prompts",
    title="Archive prompts",
    sentence="Steps that use an archived prompt fail. Its versions stay, and saving it again brings it back.",
)

if TYPE_CHECKING:
    Form = forms.ModelForm[PromptTemplate]
else:
    Form = forms.ModelForm


class PromptForm(Form):
    """The texts of the current version; saving others makes a new one."""

    prompt = forms.CharField(
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12}),
        help_text="What to ask. {{ expression }} is filled in when a step uses the prompt.",
    )
    system_prompt = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text="System prompt; also a template.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = self.instance.current_version
        if current is not None:
            self.initial.update(prompt=current.prompt, system_prompt=current.system_prompt)

    def clean(self) -> dict[str, Any]:
        """Hold it to the rules the API has."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            if "template_id" in cleaned:
                self._check_name(cleaned["tenant"], cleaned["template_id"])
            for item in problems(texts_of(cleaned)):
                self.add_error((item.pointer or "").removeprefix("/"), item.detail)
        return cleaned

    def _check_name(self, tenant: Any, template_id: str) -> None:
        if TEMPLATE_ID.fullmatch(template_id) is None:
            self.add_error("template_id", "A letter, then at most 63 lower case letters, digits, _ and -.")
        elif PromptTemplate.objects.filter(tenant=tenant, template_id=template_id).exists():
            self.add_error("template_id", "The tenant has a prompt of this name.")


@admin.register(PromptTemplate)
class PromptTemplateAdmin(ConsoleAdmin):
    """Stored prompts in the console."""

    list_help = (
        "Texts that tenants' steps ask language models. Saving other texts makes a new version; none ever changes."
    )
    form = PromptForm
    list_display = ["template_id", "tenant", "version", "state", "updated_at"]
    list_filter = [("tenant", AutocompleteSelectFilter), ("archived_at", admin.EmptyFieldListFilter)]
    search_fields = ["template_id", "tenant__slug", "tenant__name"]
    ordering = ["-id"]
    autocomplete_fields = ["tenant"]
    actions = ["archive_prompts"]
    actions_detail = ["archive_one"]
    readonly_fields = ["state", "version", "see_also", "created_at", "updated_at", "archived_at"]
    fieldsets = [
        (None, {"fields": ["tenant", "template_id", "prompt", "system_prompt"]}),
        ("History", {"fields": ["state", "version", "see_also", "created_at", "updated_at", "archived_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PromptTemplate]:
        """Leave the texts to the prompt's own page."""
        rows = super().get_queryset(request).select_related("tenant", "current_version")
        match = request.resolver_match
        if match and "object_id" in match.kwargs:
            return rows
        return rows.defer("current_version__prompt", "current_version__system_prompt")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Keep whose a prompt is and what it is called."""
        return [*self.readonly_fields, "tenant", "template_id"] if obj else [*self.readonly_fields]

    def has_archive_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those archive who may change a prompt."""
        return request.user.has_perm("segments.change_prompttemplate")

    @column("state", colours={"in use": "success", "archived": "warning"})
    def state(self, template: PromptTemplate) -> str:
        """Tell whether steps can use it."""
        return "in use" if template.archived_at is None else "archived"

    @column("current version", ordering="current_version__number")
    def version(self, template: PromptTemplate) -> str:
        """Link to what a step uses that names no version."""
        current = template.current_version
        return "-" if current is None else change_link(current, f"@{current.number}")

    @column("see also")
    def see_also(self, template: PromptTemplate) -> str:
        """Link to all versions, and to who made them."""
        versions = changelist_url("segments.promptversion", template__id__exact=template.pk)
        audit = changelist_url("audit.entry", tenant__id__exact=template.tenant_id, object_id=template.template_id)
        return links({"All versions": versions, "Audit": audit})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save through the service, which tells the audit."""
        saved = save_prompt(
            tenant=obj.tenant,
            actor=actor_of(request),
            template_id=obj.template_id,
            texts=texts_of(form.cleaned_data),
        )
        obj.__dict__.update(saved.template.__dict__)

    @console_action("Archive prompts", permission="archive")
    def archive_prompts(self, request: HttpRequest, templates: QuerySet[PromptTemplate]) -> HttpResponse | None:
        """Take the chosen prompts out of use, after asking."""

        def archive(template: PromptTemplate) -> None:
            archive_prompt(tenant=template.tenant, actor=actor_of(request), template_id=template.template_id)

        return archive_chosen(self, request, templates, ARCHIVING, archive)

    @console_action("Archive", permission="archive", url_path="archive")
    def archive_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether to take this prompt out of use."""
        templates = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, ARCHIVING.question(templates), form=NoQuestionsForm(), ids=[object_id])


@admin.register(PromptVersion)
class PromptVersionAdmin(ReadOnlyAdmin):
    """Versions of stored prompts in the console."""

    list_help = (
        "The texts of stored prompts over time. A version never changes; usage records name the one that was used."
    )
    list_display = ["__str__", "tenant", "hash_start", "created_at"]
    list_filter = [("tenant", AutocompleteSelectFilter)]
    search_fields = ["template__template_id", "content_hash__startswith"]
    search_help_text = "Prompt id, or the start of a content hash."
    ordering = ["-id"]
    fields = ["template", "number", "tenant", "content_hash", "created_at", "shown_prompt", "shown_system_prompt"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PromptVersion]:
        """Leave the texts to the version's own page."""
        rows = super().get_queryset(request).select_related("tenant", "template")
        match = request.resolver_match
        return rows if match and "object_id" in match.kwargs else rows.defer("prompt", "system_prompt")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Let a prompt's page ask for its versions."""
        return lookup == "template__id__exact" or super().lookup_allowed(lookup, value, request)

    @column("content hash", ordering="content_hash")
    def hash_start(self, version: PromptVersion) -> str:
        """Show enough of the hash to tell two apart."""
        return version.content_hash[:12]

    @column("prompt")
    def shown_prompt(self, version: PromptVersion) -> str:
        """Show what is asked."""
        return _text(version.prompt)

    @column("system prompt")
    def shown_system_prompt(self, version: PromptVersion) -> str:
        """Show what the model is to be."""
        return _text(version.system_prompt)


def texts_of(cleaned: dict[str, Any]) -> PromptTexts:
    """Read a form's texts; browsers end lines their own way."""
    return PromptTexts(
        cleaned["prompt"].replace("\r\n", "\n"), (cleaned.get("system_prompt") or "").replace("\r\n", "\n")
    )


def _text(text: str) -> str:
    return format_html('<pre class="console-json">{}</pre>', text)
