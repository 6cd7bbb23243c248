"""Whatever changes something for a caller can leave an audit entry: routes, pages and services, found by rules.

The console's actions are held by what they leave: tests/admin/test_run_every_action.py.
"""

import inspect
from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from tests.support.api_routes import methods_of, routes
from tests.support.reachable_functions import Function, functions_of, records, writes

SERVICES = (
    "services", "commands", "actions", "replay", "issuing", "exports", "suspension", "deletion", "removal", "erasure",
    "sealer", "jobs",
)  # fmt: skip
"""Names of the modules that change things for a caller."""
SAFE = {"GET", "HEAD", "OPTIONS"}
LEAVE_NONE = {
    ("segments.api.views", "ValidateView.post"): "judges a definition and keeps nothing",
    ("runs.api.event_views", "TicketsView.post"): "makes a ticket that lives for 30 s and reads as its caller may",
    ("runs.commands", "signal_run"): "part of acts that are recorded: a decision, a call",
    ("runs.commands", "signal_task"): "part of acts that are recorded: a decision, an escalation",
    ("runs.webhooks.services", "disable"): "part of acts that are recorded",
    ("segments.services", "store_inline"): "part of a start, whose entry has the content's hash",
    ("segments.services", "validate_inline"): "judges a definition and keeps nothing",
    ("tenants.admin_mails.services", "mail_admins"): "sends mails about acts that are recorded",
    ("foundation.removal", "remove_rows"): "deletes rows for those who record why",
    ("humantasks.inbox.views", "task"): "shows a task",
    ("humantasks.inbox.views", "run"): "shows a run",
}
"""What may save rows and leaves no entry, and why."""


def changing_routes() -> Iterator[Function]:
    for _, pattern in routes():
        view = pattern.callback.cls  # type: ignore[union-attr]  # every route of the API is a class
        yield from ((view.__module__, f"{view.__name__}.{method.lower()}") for method in methods_of(pattern) - SAFE)


def pages(resolver: URLResolver, prefix: str = "") -> Iterator[Function]:
    """Pages outside of API and console, by what answers their forms."""
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if path.startswith(("api/v1/", "admin/")):
            continue
        if isinstance(pattern, URLResolver):
            yield from pages(pattern, path)
        else:
            yield _answerer(pattern)


def _answerer(pattern: URLPattern) -> Function:
    view = getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None)
    if view is not None:
        return view.__module__, f"{view.__name__}.{'post' if hasattr(view, 'post') else 'get'}"
    function = inspect.unwrap(pattern.callback)
    return function.__module__, function.__qualname__


FOUND = sorted({*changing_routes(), *pages(get_resolver()), *functions_of(*SERVICES)})


def test_what_is_changed_for_a_caller_leaves_an_entry() -> None:
    without = {found for found in FOUND if writes(found) and not records(found)}
    assert without == {one for one in LEAVE_NONE if writes(one)}


def test_the_rules_find_what_there_is() -> None:
    assert {("runs.services", "start_run"), ("audit.erasure", "erase_person")} <= set(FOUND)
    assert len(FOUND) > 150
    assert set(FOUND) >= LEAVE_NONE.keys()


@pytest.mark.parametrize(
    ("function", "does_write", "does_record"),
    [
        (("runs.services", "start_run"), True, True),
        (("runs.commands", "command_run"), True, True),
        (("runs.commands", "signal_run"), True, False),
        (("runs.selectors", "get_run"), False, False),
        (("humantasks.inbox.views", "claim"), True, True),
    ],
)
def test_it_is_read_out_of_the_source_what_a_function_may_do(
    function: Function, does_write: bool, does_record: bool
) -> None:
    assert (writes(function), records(function)) == (does_write, does_record)
