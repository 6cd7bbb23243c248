"""Actions of operators on runs: pause, resume, cancel, replay; each asks for confirmation first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from foundation.console import (
    MAX_AT_ONCE,
    STAY,
    Question,
    ReadOnlyAdmin,
    ReasonForm,
    actor_of,
    change_link,
    console_action,
    is_confirmed,
)
from kernel.errors import Conflict, Invalid
from kernel.ids import parse_id
from runs.commands import REPLIES, Reply, command_run
from runs.models import Run, RunStatus, SignalKind
from runs.replay import replay_run

MAX_NAMED: Final = 5


class ReplayForm(forms.Form):
    """Asks from where on."""

    from_activation = forms.CharField(
        max_length=80,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="An activation, step_id#n: outcomes recorded before it began are kept. Empty: replay the whole run.",
    )


@dataclass(frozen=True, slots=True)
class RunActionWords:
    """Words of a command. ``done`` ends the sentence "will be ...", ``left`` says why others are left alone."""

    action: str
    title: str
    sentence: str
    done: str
    left: str

    @property
    def verb(self) -> str:
        """The first word of its title."""
        return self.title.partition(" ")[0]


WORDS: Final = {
    SignalKind.PAUSE: RunActionWords(
        "pause_runs", "Pause runs", "No new step starts; steps in flight finish.", "paused", "standing or over"
    ),
    SignalKind.RESUME: RunActionWords(
        "resume_runs",
        "Resume runs",
        "Paused and stalled runs continue where they stopped. A call with an unknown outcome is made again.",
        "resumed",
        "going on or over",
    ),
    SignalKind.CANCEL: RunActionWords(
        "cancel_runs",
        "Cancel runs",
        "Cancelled runs stop for good. Steps in flight are cut off; what they did elsewhere is not undone.",
        "cancelled",
        "over",
    ),
}
REPLAY: Final = RunActionWords(
    "replay_runs", "Replay runs", "Each starts a new run of the same revision with the same input.", "replayed", "over"
)


class RunActions(ReadOnlyAdmin):
    """The acts of the page of runs."""

    def has_command_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those command who could change a run, if runs could be changed."""
        return request.user.has_perm("runs.change_run")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer only what the run's state allows."""
        offered: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold has it
        runs = Run.objects.filter(pk=parse_id(str(object_id)) or UUID(int=0))
        closed = {str(command) for command in WORDS if not _open_to(command, runs).exists()}
        return [one for one in offered if one.action_name.removeprefix("runs_run_") not in closed]

    @console_action("Pause runs", permission="command")
    def pause_runs(self, request: HttpRequest, runs: QuerySet[Run]) -> HttpResponse | None:
        """Ask for the chosen runs to stand still, after asking why."""
        return self._command(request, runs, SignalKind.PAUSE)

    @console_action("Resume runs", permission="command")
    def resume_runs(self, request: HttpRequest, runs: QuerySet[Run]) -> HttpResponse | None:
        """Ask for the chosen runs to go on, after asking why."""
        return self._command(request, runs, SignalKind.RESUME)

    @console_action("Cancel runs", permission="command")
    def cancel_runs(self, request: HttpRequest, runs: QuerySet[Run]) -> HttpResponse | None:
        """Ask for the chosen runs to be stopped for good, after asking why."""
        return self._command(request, runs, SignalKind.CANCEL)

    @console_action("Replay runs", permission="command")
    def replay_runs(self, request: HttpRequest, runs: QuerySet[Run]) -> HttpResponse | None:
        """Start the chosen runs again, after asking from where on."""
        form = ReplayForm(request.POST if is_confirmed(request) else None)
        if not form.is_valid():
            return self.ask(request, _question(REPLAY, runs, runs), form=form)
        wanted = form.cleaned_data["from_activation"] or None

        made: list[Run] = []

        def replay(run: Run) -> None:
            started = replay_run(tenant=run.tenant, actor=actor_of(request), run_id=run.id, from_activation=wanted)
            made.append(started.run)

        done, refused = _each(runs, replay)
        if refused and not done:
            form.add_error("from_activation", f"None of these runs has started the activation {wanted}.")
            return self.ask(request, _question(REPLAY, runs, runs), form=form)
        self.message_user(request, _started_again(made))
        if STAY in request.POST and len(made) == 1:
            return HttpResponseRedirect(reverse("admin:runs_run_change", args=[made[0].pk]))
        if refused:
            self.message_user(request, f"Without an activation {wanted}: {refused}.", messages.WARNING)
        return None

    @console_action("Pause run", permission="command", url_path="pause")
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why this run should stand still."""
        return self._ask_about(request, object_id, SignalKind.PAUSE)

    @console_action("Resume run", permission="command", url_path="resume")
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why this run should go on."""
        return self._ask_about(request, object_id, SignalKind.RESUME)

    @console_action("Cancel run", permission="command", url_path="cancel")
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why this run should be stopped."""
        return self._ask_about(request, object_id, SignalKind.CANCEL)

    @console_action("Replay run", permission="command", url_path="replay")
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask from where on this run should be done again."""
        runs = self.get_queryset(request).filter(pk=object_id)
        return self.ask(request, _question(REPLAY, runs, runs), form=ReplayForm(), ids=[object_id])

    @console_action("Compare two runs", permission="view")
    def compare_runs(self, request: HttpRequest, runs: QuerySet[Run]) -> HttpResponse | None:
        """Show two chosen runs side by side, the older one left."""
        chosen = list(runs.order_by("id").values_list("id", "tenant_id")[:3])
        if len(chosen) != 2 or chosen[0][1] != chosen[1][1]:
            self.message_user(request, "Choose two runs of one tenant to compare them.", messages.WARNING)
            return None
        return HttpResponseRedirect(reverse("admin:runs_run_compare", args=[one for one, _ in chosen]))

    def _ask_about(self, request: HttpRequest, object_id: str, command: SignalKind) -> HttpResponse:
        runs = self.get_queryset(request).filter(pk=object_id)
        question = _question(WORDS[command], runs, _open_to(command, runs))
        return self.ask(request, question, form=ReasonForm(), ids=[object_id])

    def _command(self, request: HttpRequest, runs: QuerySet[Run], command: SignalKind) -> HttpResponse | None:
        words, touched = WORDS[command], _open_to(command, runs)
        form = ReasonForm(request.POST if is_confirmed(request) else None)
        if not form.is_valid():
            return self.ask(request, _question(words, runs, touched), form=form)
        reason, actor = form.cleaned_data["reason"], actor_of(request)

        def send(run: Run) -> None:
            command_run(tenant=run.tenant, actor=actor, run_id=run.id, command=command, reason=reason, by_house=True)

        asked, over = _each(touched, send)
        self.message_user(request, f"Asked to be {words.done}: {asked}. It takes effect within moments.")
        if over:
            self.message_user(request, f"Ended by themselves meanwhile: {over}.", messages.WARNING)
        return None


def _each(runs: QuerySet[Run], do: Callable[[Run], None]) -> tuple[int, int]:
    """Do something to runs, as many as one request may; return for how many it was done, and for how many refused."""
    done = refused = 0
    for run in runs.order_by("id")[:MAX_AT_ONCE]:
        try:
            do(run)
            done += 1
        except (Conflict, Invalid):
            refused += 1
    return done, refused


def _started_again(runs: Sequence[Run]) -> SafeString:
    """Say how many runs were started, with a link to each of the first."""
    named = [change_link(run, f"…{str(run.id)[-12:]}") for run in runs[:MAX_NAMED]]
    return format_html("Started again: {}. {}", len(runs), format_html_join(" ", "{}", ((link,) for link in named)))


def _open_to(command: SignalKind, runs: QuerySet[Run]) -> QuerySet[Run]:
    """Keep those a command would change."""
    taken = [status.value for status, reply in REPLIES[command].items() if reply is Reply.TAKEN]
    if command is SignalKind.RESUME:
        return runs.filter(status__in=taken) | runs.filter(pause_requested=True)
    if command is SignalKind.PAUSE:
        return runs.filter(status__in=taken, pause_requested=False)
    return runs.filter(status__in=taken)


def _question(words: RunActionWords, runs: QuerySet[Run], touched: QuerySet[Run]) -> Question:
    chosen, count = runs.count(), touched.count()
    by_status = touched.order_by().values_list("status").annotate(n=Count("pk")).order_by("status")
    counts = [(f"will be {words.done}", min(count, MAX_AT_ONCE))]
    counts += [(f"{words.left} already, left alone", chosen - count)]
    counts += [(f"of them {RunStatus(status).label.lower()}", n) for status, n in by_status]
    if count > MAX_AT_ONCE:
        counts.append((f"not in this action (at most {MAX_AT_ONCE} at once)", count - MAX_AT_ONCE))
    return Question(
        action=words.action,
        title=words.title,
        sentence=words.sentence,
        button=f"{words.verb} these runs",
        counts=counts,
    )
