"""Console pages: what people are asked, and how long they take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from foundation.console import (
    MAX_AT_ONCE,
    BoundedPaginator,
    DaysFilter,
    Question,
    ReadOnlyAdmin,
    ReasonForm,
    actor_of,
    change_link,
    changelist_url,
    column,
    console_action,
    is_confirmed,
    links,
    pretty,
)
from humantasks.errors import AnswerInvalid, TaskNotFound, TaskOver, TaskRefused, TaskTaken
from humantasks.mail import admin as mail_pages  # noqa: F401 - Django looks here only
from humantasks.models import HumanTask, TaskDecision
from humantasks.report_page import show_report
from humantasks.rules import ADMIN, Person
from humantasks.services import delegate_task, release_task
from humantasks.types import TaskStatus
from kernel.clock import utc_now
from kernel.ids import parse_id
from segments.console import SegmentFilter
from segments.selectors import of_segment_called, segment_name
from tenants.members.actors import names_of
from tenants.members.selectors import find_active_member

COLOURS: Final = {
    TaskStatus.OPEN: "info",
    TaskStatus.COMPLETED: "success",
    TaskStatus.TIMED_OUT: "danger",
    TaskStatus.CANCELLED: "warning",
}
REFUSALS: Final = (AnswerInvalid, TaskNotFound, TaskOver, TaskRefused, TaskTaken)


@dataclass(frozen=True, slots=True)
class TaskActionWords:
    """Words of an action on tasks, and the tasks it touches."""

    action: str
    title: str
    sentence: str
    done: str
    left: str
    touches: Q


RELEASE: Final = TaskActionWords(
    "release_tasks",
    "Give tasks back",
    "Those who are asked may claim them again.",
    "given back",
    "over, or claimed by nobody: left alone",
    Q(status=TaskStatus.OPEN, claimed_by__isnull=False),
)
DELEGATE: Final = TaskActionWords(
    "delegate_tasks",
    "Hand tasks on",
    "The member is asked alone from then on; the deadline stays.",
    "handed on",
    "over, left alone",
    Q(status=TaskStatus.OPEN),
)


class OverdueFilter(admin.SimpleListFilter):
    """Open tasks whose deadline has passed, or has not."""

    title = "overdue"
    parameter_name = "overdue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer both."""
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[HumanTask]) -> QuerySet[HumanTask]:
        """Filter."""
        if self.value() == "yes":
            return queryset.filter(status=TaskStatus.OPEN, due_at__lte=utc_now())
        return queryset.exclude(status=TaskStatus.OPEN, due_at__lte=utc_now()) if self.value() == "no" else queryset


class MemberForm(ReasonForm):
    """Asks to whom tasks are handed on."""

    member = forms.CharField(max_length=254, help_text="The e-mail or id of an active member of the tasks' tenant.")


@admin.register(HumanTask)
class HumanTaskAdmin(ReadOnlyAdmin):
    """Human tasks in the console. Operators reassign tasks; members decide them."""

    list_help = (
        "What steps of runs ask people, newest first. Operators may give a claimed task back and hand tasks on; they "
        "do not decide."
    )
    list_before_template = "console/tasks.html"
    list_display = [
        "title",
        "state",
        "task_type",
        "tenant",
        "segment",
        "who_is_asked",
        "claimed_by",
        "due_at",
        "is_flagged",
    ]
    list_filter = [
        "status",
        OverdueFilter,
        ("tenant", AutocompleteSelectFilter),
        "task_type",
        ("segment_id", SegmentFilter),
        "is_flagged",
        ("created_at", DaysFilter),
    ]
    search_fields = ["id", "run_id"]
    search_help_text = "A part of a title or of a segment's name, or a task's or run's whole id."
    ordering = ["-id"]
    paginator = BoundedPaginator
    actions = ["release_tasks", "delegate_tasks"]
    actions_detail = ["release", "delegate"]
    fieldsets = [
        (None, {"fields": [
            "title", "description", "state", "task_type", "tenant", "run_link", "step", "shown_decision",
            "created_at", "ended_at", "see_also",
        ]}),
        ("Asked", {"fields": [
            "who_is_asked", "is_flagged", "assignee", "candidate_groups", "is_for_all", "claimed_by", "claimed_at",
            "due_at", "level", "chain", "needed", "voters", "four_eyes",
        ]}),
        ("Shown", {"fields": ["shown_data", "shown_form", "content_hash"]}),
        ("Said", {"fields": ["shown_votes"]}),
    ]  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        """Add the report."""
        report = self.admin_site.admin_view(self.report_view)
        return [path("report/", report, name="humantasks_humantask_report"), *super().get_urls()]

    def report_view(self, request: HttpRequest) -> HttpResponse:
        """Show how long people take."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return show_report(request, {**self.admin_site.each_context(request), "opts": self.opts})

    def get_queryset(self, request: HttpRequest) -> QuerySet[HumanTask]:
        """Leave what is shown to the task's own page."""
        rows: QuerySet[HumanTask] = (
            super().get_queryset(request).select_related("tenant", "claimed_by__user", "claimed_by__tenant")
        )
        rows = rows.annotate(segment_name=segment_name())
        match = request.resolver_match
        return rows if match and "object_id" in match.kwargs else rows.defer("data", "form", "description")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[HumanTask], search_term: str
    ) -> tuple[QuerySet[HumanTask], bool]:
        """Find by a whole id, the task's or the run's, or by words of its title or its segment."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = parse_id(term)
        by_words = Q(title__icontains=term) | of_segment_called(term)
        return queryset.filter(Q(id=found) | Q(run_id=found) if found else by_words), False

    def put_in_words(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Look up the members that steps ask by their ids, and who decided, of all rows at once."""
        names = names_of(actor for task in rows for actor in (f"member:{task.asked}", task.decided_by))
        for task in rows:
            named = names[f"member:{task.asked}"]
            task.who_is_asked = task.asked if named == f"member:{task.asked}" else named
            task.who_decided = task.decided_by_name or names[task.decided_by]

    @column("segment")
    def segment(self, task: Any) -> str:
        """Name the segment whose run asks."""
        return str(task.segment_name)

    @column("asked")
    def who_is_asked(self, task: Any) -> str:
        """Show whom the step asks."""
        return task.who_is_asked or "-"

    def has_hand_on_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those hand on who could change a task, if tasks could be changed."""
        return request.user.has_perm("humantasks.change_humantask")

    @column("status", ordering="status", colours=COLOURS)
    def state(self, task: HumanTask) -> tuple[str, str]:
        """Show the status in its colour."""
        return task.status, task.get_status_display()

    @column("run")
    def run_link(self, task: Any) -> str:
        """Link to the run that asks."""
        return change_link(task.run, f"{task.segment_name} …{str(task.run_id)[-12:]}")

    @column("step")
    def step(self, task: HumanTask) -> str:
        """Name the activation that asks."""
        return f"{task.step_id}#{task.activation}"

    @column("decision")
    def shown_decision(self, task: Any) -> str:
        """Show how it ended."""
        answer = task.choice or task.decision
        return f"{answer} by {task.who_decided}" if answer else "-"

    @column("data")
    def shown_data(self, task: HumanTask) -> str:
        """Show what is decided about."""
        return pretty(task.data)

    @column("form")
    def shown_form(self, task: HumanTask) -> str:
        """Show the schema of the answer."""
        return pretty(task.form)

    @column("decisions")
    def shown_votes(self, task: HumanTask) -> str:
        """Show what everybody has said."""
        votes = TaskDecision.objects.filter(task=task).order_by("created_at")
        return "\n".join(_vote_text(one) for one in votes) or "Nobody has decided yet."

    @column("see also")
    def see_also(self, task: HumanTask) -> str:
        """Link to what people did to it, and to its mails."""
        return links(
            {
                "Audit": changelist_url("audit.entry", object_id=task.pk),
                "Mails": changelist_url("humantasks.notice", task__id__exact=task.pk),
            }
        )

    @console_action("Give back", permission="hand_on")
    def release_tasks(self, request: HttpRequest, tasks: QuerySet[HumanTask]) -> HttpResponse | None:
        """Take the chosen tasks from who has claimed them, after asking why."""
        form = ReasonForm(request.POST if is_confirmed(request) else None)
        if not form.is_valid():
            return self.ask(request, _question(RELEASE, tasks), form=form)
        operator = _operator(request)

        def give_back(task: HumanTask) -> None:
            release_task(tenant=task.tenant, person=operator, task_id=task.id)
            self.record(request, verb="given_back", row=task, after={"reason": form.cleaned_data["reason"]})

        self._each(request, tasks.filter(RELEASE.touches), give_back)
        return None

    @console_action("Hand on", permission="hand_on")
    def delegate_tasks(self, request: HttpRequest, tasks: QuerySet[HumanTask]) -> HttpResponse | None:
        """Hand the chosen tasks to a member, after asking to whom and why."""
        form = MemberForm(request.POST if is_confirmed(request) else None)
        if not form.is_valid():
            return self.ask(request, _question(DELEGATE, tasks), form=form)
        operator, ref = _operator(request), form.cleaned_data["member"]

        def hand_on(task: HumanTask) -> None:
            member = find_active_member(tenant=task.tenant, ref=ref)
            if member is None:
                raise AnswerInvalid("There is no such active member of the task's tenant.")
            delegate_task(tenant=task.tenant, person=operator, task_id=task.id, to=member.id)
            self.record(request, verb="handed_on", row=task, after={"reason": form.cleaned_data["reason"]})

        self._each(request, tasks.filter(DELEGATE.touches), hand_on)
        return None

    @console_action("Give back", permission="hand_on", url_path="release")
    def release(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why this task should be given back."""
        tasks = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _question(RELEASE, tasks), form=ReasonForm(), ids=[object_id])

    @console_action("Hand on", permission="hand_on", url_path="delegate")
    def delegate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask to whom this task should be handed on."""
        tasks = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _question(DELEGATE, tasks), form=MemberForm(), ids=[object_id])

    def _each(self, request: HttpRequest, tasks: QuerySet[HumanTask], do: Callable[[HumanTask], None]) -> None:
        """Do something to each task, and say of how many it was taken."""
        done, refused = 0, []
        for task in tasks.order_by("id")[:MAX_AT_ONCE]:
            try:
                do(task)
                done += 1
            except REFUSALS as error:
                refused.append(error.detail)
        self.message_user(request, f"Done: {done}.")
        if refused:
            self.message_user(request, f"Left alone: {len(refused)}. {refused[0]}", messages.WARNING)


def _operator(request: HttpRequest) -> Person:
    """Describe who works in the console: they hand on as a tenant's admin may."""
    return Person(actor=actor_of(request), name=request.user.get_username(), role=ADMIN)


def _vote_text(vote: TaskDecision) -> str:
    name = f"{vote.name} (key {vote.key})" if vote.key and vote.member_id else vote.name
    return f"{vote.created_at:%Y-%m-%d %H:%M} UTC {name}: {vote.choice or vote.decision} {vote.comment}".rstrip()


def _question(words: TaskActionWords, tasks: QuerySet[HumanTask]) -> Question:
    chosen, count = tasks.count(), tasks.filter(words.touches).count()
    counts = [(f"will be {words.done}", min(count, MAX_AT_ONCE)), (words.left, chosen - count)]
    if count > MAX_AT_ONCE:
        counts.append((f"not in this action (at most {MAX_AT_ONCE} at once)", count - MAX_AT_ONCE))
    return Question(words.action, words.title, words.sentence, words.title, counts)
