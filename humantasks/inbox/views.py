"""The pages of the inbox and what is posted from them. A GET changes nothing."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext

from humantasks import selectors, services
from humantasks.inbox.cards import outcome_of
from humantasks.inbox.listing import home_address, list_page, read_list_query
from humantasks.inbox.pages import task_page
from humantasks.inbox.responses import go_to, inbox_page, page, take_confirmations, who
from humantasks.inbox.run_page import run_page
from humantasks.inbox.submission import SubmissionResult, decide, read_typed
from humantasks.receipts import own_receipt
from kernel.ids import parse_id


@inbox_page("GET", "HEAD")
def task_list(request: HttpRequest) -> HttpResponse:
    """Show a list."""
    tenant, person = who(request)
    shown = list_page(tenant=tenant, person=person, query=read_list_query(request.GET))
    return page(request, "list", {"page": shown, "place": "list", "said": take_confirmations(request)})


@inbox_page("GET", "HEAD")
def task(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Show a task."""
    tenant, person = who(request)
    found = selectors.get_task(tenant=tenant, person=person, task_id=task_id)
    shown = task_page(tenant=tenant, person=person, task=found, messages=take_confirmations(request))
    return page(request, "task", {"page": shown, "place": "task"})


@inbox_page("GET", "HEAD")
def receipt(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Hand out the receipt of the person's own decision, as a file."""
    tenant, person = who(request)
    n, proof = own_receipt(tenant=tenant, person=person, task_id=task_id)
    headers = {"Content-Disposition": f'attachment; filename="decision-{n}.tlog-proof"'}
    return HttpResponse(proof, content_type="text/plain; charset=utf-8", headers=headers)


@inbox_page("GET", "HEAD")
def run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Show the picture of a run."""
    tenant, person = who(request)
    return page(request, "run", {"page": run_page(tenant=tenant, person=person, run_id=run_id), "place": "run"})


@inbox_page("POST")
def claim(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Claim a task."""
    tenant, person = who(request)
    services.claim_task(tenant=tenant, person=person, task_id=task_id)
    return go_to(request, reverse("inbox:task", args=[task_id]), message=gettext("You have claimed it."))


@inbox_page("POST")
def release(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Give a claimed task back."""
    tenant, person = who(request)
    services.release_task(tenant=tenant, person=person, task_id=task_id)
    return go_to(request, reverse("inbox:list"), message=gettext("You have released it: others can claim it."))


@inbox_page("POST")
def delegate(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Hand a task on."""
    tenant, person = who(request)
    to = parse_id(request.POST.get("to", "")) or UUID(int=0)
    note = request.POST.get("note", "")
    services.delegate_task(tenant=tenant, person=person, task_id=task_id, to=to, note=note)
    return go_to(request, reverse("inbox:list"), message=gettext("You have handed it on."))


@inbox_page("POST")
def comment(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Say something about a task before it is decided."""
    tenant, person = who(request)
    services.comment_task(tenant=tenant, person=person, task_id=task_id, text=request.POST.get("remark", ""))
    return go_to(request, reverse("inbox:task", args=[task_id]), message=gettext("Your comment is saved."))


@inbox_page("POST")
def decide_one(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Decide a task; what was refused is shown again with what was typed."""
    tenant, person = who(request)
    tried = decide(tenant=tenant, person=person, task_id=task_id, typed=read_typed(request.POST))
    if tried.status != 200:
        shown = task_page(tenant=tenant, person=person, task=tried.task, tried=tried)
        return page(request, "task", {"page": shown, "place": "task"}, status=tried.status)
    return go_to(request, home_address(tenant=tenant, person=person), message=_what_was_decided(tried))


def _what_was_decided(tried: SubmissionResult) -> str:
    outcome, _ = outcome_of(tried.task)
    if outcome:
        return gettext("%(outcome)s: “%(title)s” The run goes on.") % {"title": tried.task.title, "outcome": outcome}
    return gettext("Your decision is saved: “%(title)s” Others have to decide as well.") % {"title": tried.task.title}
