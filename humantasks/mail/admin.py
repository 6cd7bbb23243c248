"""Console page: the mails that tell of tasks, and what came of them."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import Q, QuerySet, TextChoices
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from foundation.console import (
    MAX_AT_ONCE,
    BoundedPaginator,
    DaysFilter,
    Question,
    ReadOnlyAdmin,
    ReasonForm,
    changelist_url,
    column,
    console_action,
    is_confirmed,
    links,
)
from humantasks.mail.outbox import NOT_NEEDED, send_again
from humantasks.models import Notice
from kernel.ids import parse_id
from tenants.members.actors import filter_people_by_name


class NoticeState(TextChoices):
    """States of a mail."""

    WAITING = "waiting", "To be sent"
    SENT = "sent", "Sent"
    NOT_NEEDED = "not_needed", "Not needed"
    GIVEN_UP = "given_up", "Given up"


_IS_OVER: Final = Q(next_at__isnull=True)
_IN_STATE: Final = {
    NoticeState.WAITING: ~_IS_OVER,
    NoticeState.SENT: _IS_OVER & Q(sent_at__isnull=False),
    NoticeState.NOT_NEEDED: _IS_OVER & Q(sent_at__isnull=True, error=NOT_NEEDED),
    NoticeState.GIVEN_UP: _IS_OVER & Q(sent_at__isnull=True) & ~Q(error=NOT_NEEDED),
}
COLOURS: Final = {
    NoticeState.WAITING: "info",
    NoticeState.SENT: "success",
    NoticeState.NOT_NEEDED: "warning",
    NoticeState.GIVEN_UP: "danger",
}


def state_of(notice: Notice) -> NoticeState:
    """Say what came of a mail."""
    if notice.next_at is not None:
        return NoticeState.WAITING
    if notice.sent_at is not None:
        return NoticeState.SENT
    return NoticeState.NOT_NEEDED if notice.error == NOT_NEEDED else NoticeState.GIVEN_UP


class StateFilter(admin.SimpleListFilter):
    """Mails by what came of them."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer each."""
        return [(state.value, str(state.label)) for state in NoticeState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notice]) -> QuerySet[Notice]:
        """Filter."""
        chosen = self.value()
        return queryset.filter(_IN_STATE[NoticeState(chosen)]) if chosen in NoticeState.values else queryset


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """Mails about tasks."""

    list_help = "The mails that tell members of tasks, newest first: sent, waiting to be sent, or given up."
    list_display = ["task", "state", "kind", "member", "tenant", "created_at", "sent_at", "tries", "next_at", "error"]
    list_filter = [StateFilter, ("tenant", AutocompleteSelectFilter), "kind", ("created_at", DaysFilter)]
    list_select_related = ["task", "member__user", "member__tenant", "tenant"]
    search_fields = ["task__id"]
    search_help_text = "A part of a task's title, a member's name or e-mail, or a task's whole id."
    ordering = ["-id"]
    paginator = BoundedPaginator
    actions = ["send_notices_again"]
    actions_detail = ["send_notice_again"]
    fields = [
        "task", "state", "kind", "member", "tenant", "created_at", "sent_at", "tries", "next_at", "error", "see_also",
    ]  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notice], search_term: str
    ) -> tuple[QuerySet[Notice], bool]:
        """Find by a task's whole id, or by words of its title or its member."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = parse_id(term)
        by_words = Q(task__title__icontains=term) | filter_people_by_name(term, "member__user__")
        return queryset.filter(Q(task_id=found) if found else by_words), False

    @column("state", colours=COLOURS)
    def state(self, notice: Notice) -> tuple[str, str]:
        """Show what came of it in its colour."""
        state = state_of(notice)
        return state, str(state.label)

    @column("see also")
    def see_also(self, notice: Notice) -> str:
        """Link to its task, and to what people did to it."""
        places = {"Audit": changelist_url("audit.entry", object_id=notice.pk)}
        return links({"Task": changelist_url("humantasks.humantask", id__exact=notice.task_id), **places})

    def has_send_again_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those send again who could change a notice, if notices could be changed."""
        return request.user.has_perm("humantasks.change_notice")

    @console_action("Send again", permission="send_again")
    def send_notices_again(self, request: HttpRequest, notices: QuerySet[Notice]) -> HttpResponse | None:
        """Have the chosen mails sent anew, after asking why."""
        form = ReasonForm(request.POST if is_confirmed(request) else None)
        if not form.is_valid():
            return self.ask(request, _question(notices), form=form)
        chosen = list(notices.order_by("id")[:MAX_AT_ONCE])
        count = send_again([notice.id for notice in chosen])
        for notice in chosen:
            self.record(request, verb="sent_again", row=notice, after={"reason": form.cleaned_data["reason"]})
        self.message_user(request, f"To be sent again: {count}. It takes effect within a second.")
        return None

    @console_action("Send again", permission="send_again", url_path="send_again")
    def send_notice_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why this mail should be sent again."""
        notices = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _question(notices), form=ReasonForm(), ids=[object_id])


def _question(notices: QuerySet[Notice]) -> Question:
    count = notices.count()
    counts = [("will be sent again", min(count, MAX_AT_ONCE))]
    if count > MAX_AT_ONCE:
        counts.append((f"not in this action (at most {MAX_AT_ONCE} at once)", count - MAX_AT_ONCE))
    return Question(
        "send_notices_again",
        "Send mails again",
        "Each is sent within a second, unless its task is over or its member gone.",
        "Send these mails",
        counts,
    )
