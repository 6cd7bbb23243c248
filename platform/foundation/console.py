"""Base classes of the operator console's pages: reading only, JSON for people, questions before an act, the audit."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import FieldListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from foundation.nouns import noun_of
from kernel.errors import LlmteamError
from kernel.types import Json

if TYPE_CHECKING:  # unfold has no types; its ModelAdmin is Django's with other clothes
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin.views.main import ChangeList

    AnyModelAdmin = ModelAdmin[Any]
    AnyPaginator = Paginator[Any]
    DateFilter = FieldListFilter
else:
    from unfold.admin import ModelAdmin as AnyModelAdmin
    from unfold.views import ChangeList

    AnyPaginator = Paginator
    from unfold.contrib.filters.admin import RangeDateFilter as DateFilter

Method = TypeVar("Method", bound=Callable[..., Any])

MAX_AT_ONCE: Final = 500
MAX_COUNTED: Final = 10_000
MAX_SHOWN_LENGTH: Final = 100_000
CONFIRMED: Final = "confirmed"
STAY: Final = "stay"
"""Field of a question that was asked on one row's page: what is done leads back there."""


class AuditedSite(Protocol):
    """Protocol of the site for the console's pages: the site stands above the audit, the pages below."""

    def record(self, request: HttpRequest, *, action: str, row: Model, before: Json = None, after: Json = None) -> None:
        """Write an audit entry in the request's transaction."""


class BoundedPaginator(AnyPaginator):
    """Counts no further than anybody pages, so that a list of millions opens at once."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, at most ``MAX_COUNTED``."""
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[:MAX_COUNTED].count()


class DaysFilter(DateFilter):
    """Narrows a list to a span of days in UTC, the last one included.

    unfold's own compares times without a zone, and passes over what it cannot read.
    """

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the days asked for.

        Raises:
            IncorrectLookupParameters: A day cannot be read; Django shows the list with a message then.
        """
        first, last = self._day("from"), self._day("to")
        if first is not None:
            queryset = queryset.filter(**{f"{self.field_path}__gte": first})
        if last is not None:
            queryset = queryset.filter(**{f"{self.field_path}__lt": last + timedelta(days=1)})
        return queryset

    def _day(self, end: str) -> datetime | None:
        text = self.used_parameters.get(f"{self.field_path}_{end}")
        try:
            day = forms.DateField(required=False).clean(text)
        except ValidationError as error:
            raise IncorrectLookupParameters(error) from error
        return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


class ReasonForm(forms.Form):
    """Asks why."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Recorded in the audit with the action.",
    )


class NoQuestionsForm(forms.Form):
    """Asks nothing but to go on."""


@dataclass(frozen=True, slots=True)
class Question:
    """Confirmation question before an action: it names the action and counts the rows it touches."""

    action: str
    title: str
    sentence: str
    button: str
    counts: Sequence[tuple[str, int]]
    """Numbers of what is chosen, by what becomes of it; the first is what the act would touch."""

    @property
    def has_effect(self) -> bool:
        """Whether the act would touch anything."""
        return self.counts[0][1] > 0


class WordedList(ChangeList):
    """A page of a list, whose rows are put in words together."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page's rows, then look up their words once for all of them."""
        super().get_results(request)
        cast("ConsoleAdmin", self.model_admin).put_in_words(request, list(self.result_list))


class ConsoleAdmin(AnyModelAdmin):
    """A page of the console. What it writes is told to the audit; rows are never deleted unless a page says so."""

    list_help: ClassVar[str] = ""
    """One sentence above the list: what the rows are, and where they come from."""
    list_before_template = "console/list_help.html"
    list_per_page = 50
    list_filter_submit = True
    list_fullwidth = True
    show_full_result_count = False
    compressed_fields = False
    warn_unsaved_form = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Show pages of rows that are put in words."""
        return WordedList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Read a row and put it in words."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            self.put_in_words(request, [row])
        return row

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show why something cannot be saved, instead of failing."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except LlmteamError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(self.list_url())

    def put_in_words(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Set on rows the words their columns show, looked up for all of them at once; here there are none."""

    def name_of(self, row: Any) -> str:
        """Name a row of ``get_queryset`` in words, where another page tells of it."""
        return str(row)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes here: rows are deactivated, revoked or archived, so that history stays readable."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save, and tell the audit which fields changed from what to what."""
        super().save_model(request, obj, form, change)
        names = [name for name in form.changed_data if "password" not in name]
        self.record(
            request,
            verb="changed" if change else "created",
            row=obj,
            before={name: _plain(form.initial.get(name)) for name in names} if change else None,
            after={name: _plain(form.cleaned_data.get(name)) for name in names},
        )

    def record(self, request: HttpRequest, *, verb: str, row: Model, before: Json = None, after: Json = None) -> None:
        """Tell the audit that the signed-in person did something to a row."""
        site = cast("AuditedSite", self.admin_site)
        site.record(request, action=f"{noun_of(type(row))}.{verb}", row=row, before=before, after=after)

    def ask(
        self, request: HttpRequest, question: Question, *, form: forms.Form, ids: Sequence[str] | None = None
    ) -> TemplateResponse:
        """Show the page between choosing an action and doing it.

        Its form posts the action to the list again, with ``CONFIRMED`` set.

        Args:
            request: The action's POST, or the GET of a button on one row's page.
            question: What is asked.
            form: Further fields to fill in.
            ids: The rows, when the request does not name them.
        """
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": question.title,
            "question": question,
            "form": form,
            "ids": request.POST.getlist(ACTION_CHECKBOX_NAME) if ids is None else ids,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "select_across": request.POST.get("select_across", "0"),
            "confirmed": CONFIRMED,
            "target": request.get_full_path() if ids is None else self.list_url(),
            "back": request.get_full_path() if ids is None else self._page_url(ids[0]),
            "stay": STAY if ids is not None or STAY in request.POST else "",
        }
        return TemplateResponse(request, "console/question.html", context)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        """Do what was chosen; what was asked on one row's page leads back to it."""
        answer = super().response_action(request, queryset, *args, **kwargs)
        ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
        leads_back = isinstance(answer, HttpResponseRedirect) and answer.url == request.get_full_path()
        if STAY in request.POST and len(ids) == 1 and leads_back and self.get_object(request, ids[0]) is not None:
            return HttpResponseRedirect(self._page_url(ids[0]))
        return answer

    def _page_url(self, row_id: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row_id])

    def list_url(self, **filters: str | int | UUID) -> str:
        """Return the address of this model's list, filtered."""
        return changelist_url(self.opts.label_lower, **filters)


class ReadOnlyAdmin(ConsoleAdmin):
    """Rows that only the platform writes: nobody adds or changes one here."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds one."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes one."""
        return False


class _Label(tuple[Any, str]):
    """A value and its text; a page that shows no labels shows the text."""

    __slots__ = ()

    def __str__(self) -> str:
        return self[1]


def _labelled(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def answer(*args: Any) -> Any:
        found = method(*args)
        return _Label(found) if isinstance(found, tuple) else found

    return answer


def column(
    description: str, *, ordering: str | None = None, colours: Mapping[Any, str] | None = None
) -> Callable[[Method], Method]:
    """Make a method a column of a list, or a read-only field of a page.

    Args:
        description: Its heading.
        ordering: The field it is sorted by.
        colours: By value, the colour of its label; the method returns the value, or the value and its text.
    """
    decorate = display(description=description, ordering=ordering, label=colours)
    if colours is None:
        return cast("Callable[[Method], Method]", decorate)
    return cast("Callable[[Method], Method]", lambda method: decorate(_labelled(method)))


def console_action(description: str, *, permission: str, url_path: str | None = None) -> Callable[[Method], Method]:
    """Make a method an action on chosen rows, or a button on one row's page.

    Args:
        description: What the choice or the button says.
        permission: ``has_<permission>_permission`` of the page says who may.
        url_path: The end of the button's address.
    """
    marked = action(description=description, permissions=[permission], url_path=url_path)
    return cast("Callable[[Method], Method]", marked)


def pretty(value: Json) -> SafeString:
    """Write JSON for reading; a very long text is cut, and says so."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if len(text) > MAX_SHOWN_LENGTH:
        text = f"{text[:MAX_SHOWN_LENGTH]}\n... cut here: {len(text):,} characters in all; the API shows them all."
    return format_html('<pre class="console-json">{}</pre>', text)


def changelist_url(label: str, **filters: str | int | UUID) -> str:
    """Return the address of a model's list (``app.model``), filtered."""
    app, model = label.split(".")
    address = reverse(f"admin:{app}_{model}_changelist")
    return f"{address}?{urlencode({name: str(value) for name, value in filters.items()})}" if filters else address


def change_link(row: Model, text: str) -> SafeString:
    """Write a link to a row's page."""
    options = row._meta  # noqa: SLF001 - Django's documented way to a model's names
    address = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
    return format_html('<a class="console-link" href="{}">{}</a>', address, text)


def links(addresses: Mapping[str, str]) -> SafeString:
    """Write links, by what they say."""
    return format_html_join(" · ", '<a class="console-link" href="{1}">{0}</a>', addresses.items())


def actor_of(request: HttpRequest) -> str:
    """Return how the audit names the person signed in."""
    return f"user:{request.user.pk}"


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the request comes from the question's page."""
    return CONFIRMED in request.POST


def _plain(value: Any) -> Json:
    """Write a form's value as plain JSON."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Model):
        return str(value.pk)
    if isinstance(value, QuerySet | list | tuple | set):
        return [_plain(item) for item in value]
    return str(value)
