"""Pagination: reads an answer page by page, as the config says."""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Final

import httpx

from kernel.compute.errors import ComputeBusy
from kernel.errors import sentences
from kernel.json_text import JsonOrText, JsonText
from kernel.types import Json
from kernel.values import ValueTooLarge, check_size
from runs.http.answer import MAX_SHOWN, HttpAnswer
from runs.http.config import HttpActionConfig, Pagination
from runs.http.exchange import exchange
from runs.http.links import LinkUnreadable
from runs.http.page_parameters import counted, first_number, is_counted, with_value
from runs.http.request import OutgoingRequest
from runs.step_api.base import IN_DOUBT, Defer, StepCall, StepFailed
from segments.expressions import ExpressionError

FIRST_WAIT_SECONDS: Final = 1.0
"""Before a page is asked again whose host names no time; then twice as long each time."""
MAX_WAIT_SECONDS: Final = 60.0
"""A host that asks for more is waited for as the step's next attempt, which holds nothing meanwhile."""
LINK_UNREADABLE: Final = (
    "The header Link speaks of a next page, but not of one as `<address>; rel=next`: read it with `pagination.next`."
)
BEHIND_THE_LAST: Final = (
    "If that is how the host answers after its last page, name the status in `pagination.end_statuses`."
)
_STATUSES_OF_END: Final = frozenset((httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND))
NO_ROOM: Final = "The answer came, but there was no room to evaluate {place}."
EMPTY: Final = (
    "It is empty, as that of a gateway which lost it would be: if that is how the host ends its pages, say "
    "`... ?? []` in `pagination.items`."
)
HINT_OF_END: Final = "Where the last page has none, say `... ?? null`."


async def read_pages(
    call: StepCall, config: HttpActionConfig, pagination: Pagination, first: OutgoingRequest
) -> tuple[list[Json], HttpAnswer]:
    """Call page after page until there is none.

    Returns:
        The items of all pages, and the answer with the last page.

    Raises:
        StepFailed: Nobody can tell where to count from; a page failed; a page came again; there are more than
            ``max_pages``; all is too large.
    """
    items: list[Json] = []
    seen: set[tuple[str, bytes | None]] = set()
    start = first_number(pagination, first)
    is_told = pagination.start is not None and is_counted(pagination)
    request = counted(pagination, first, start) if is_told else first
    last: HttpAnswer | None = None
    while True:
        if (request.url, request.content) in seen:
            raise StepFailed("PAGINATION_LOOP", "A page names itself or an earlier one as the next.")
        if len(seen) == pagination.max_pages:
            message = f"There are more than {pagination.max_pages} pages; raise max_pages, or ask for larger ones."
            raise StepFailed("PAGINATION_LIMIT", message, details={"limit": pagination.max_pages})
        answer = await _answer(call, config, pagination, request, is_first=not seen)
        seen.add((request.url, request.content))
        if answer.status == httpx.codes.NO_CONTENT:
            return items, answer
        if last is not None and answer.status in pagination.end_statuses:
            return items, last
        last = answer
        page = AnswerPage(call, answer, number=len(seen), count=len(items))
        found = await _items(pagination, page)
        items += found
        _check(items)
        page = replace(page, count=len(items))
        following = await _following(pagination, request, page, start) if found or not is_counted(pagination) else None
        if following is None:
            return items, answer
        request = following


async def _answer(
    call: StepCall, config: HttpActionConfig, pagination: Pagination, request: OutgoingRequest, *, is_first: bool
) -> HttpAnswer:
    """Ask for a page. One behind the first is asked again here: an attempt of its own would begin with the first."""
    request = replace(request, headers={"idempotency-key": call.next_key(), **request.headers})
    accepted = (*config.accept_statuses, *(() if is_first else pagination.end_statuses))
    tries = 0
    while True:
        try:
            return await exchange(call, request, accepted=accepted, patient=not is_first)
        except StepFailed as failure:
            asked = failure.retry_after_seconds
            seconds = FIRST_WAIT_SECONDS * 2**tries if asked is None else asked
            is_last = is_first or tries == config.retry_count or not failure.retryable
            if is_last or seconds > MAX_WAIT_SECONDS or not _has_time(call, seconds):
                if not is_first and is_counted(pagination) and failure.details.get("status") in _STATUSES_OF_END:
                    failure.message = sentences(failure.message, BEHIND_THE_LAST)
                raise
        tries += 1
        await asyncio.sleep(seconds)


def _has_time(call: StepCall, seconds: float) -> bool:
    return call.deadline is None or time.monotonic() + seconds < call.deadline


async def evaluate(call: StepCall, answer: HttpAnswer, place: str, expression: str, **found: JsonOrText) -> Json:
    """Evaluate an expression of the config behind an answer.

    Raises:
        StepFailed: With the expression's own code; the text names the place. COMPUTE_BUSY: there is no room for it,
            and the call may not be made again for that.
        Defer: There is no room, and the call may.
    """
    try:
        return await call.evaluate(expression, status=answer.status, **found)
    except ExpressionError as error:
        raise StepFailed(error.code, f"{place}: {error}") from error
    except Defer as busy:
        if answer.is_repeatable:
            raise
        raise StepFailed(ComputeBusy.code, sentences(NO_ROOM.format(place=place), IN_DOUBT)) from busy


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """One answer, and the names it adds to those of its step."""

    call: StepCall
    answer: HttpAnswer
    number: int
    count: int

    async def evaluate(self, place: str, expression: str) -> Json:
        """Evaluate an expression of ``pagination``; raises as the function."""
        found: dict[str, JsonOrText] = {
            "headers": dict(self.answer.headers),
            "page": self.number,
            "count": self.count,
        }
        try:
            response = self.answer.value
            return await evaluate(self.call, self.answer, f"pagination.{place}", expression, response=response, **found)
        except StepFailed as failure:
            failure.details = {**failure.details, **self.answer.what_came()}
            if place in {"next", "cursor"}:
                failure.message = sentences(failure.message, HINT_OF_END)
            raise


async def _items(pagination: Pagination, page: AnswerPage) -> list[Json]:
    found = page.answer.value if pagination.items is None else await page.evaluate("items", pagination.items)
    if isinstance(found, JsonText):
        try:
            found = found.read() if found.is_list else ""
        except ValueTooLarge as error:
            raise _too_large(error) from error
    is_empty = not page.answer.content or page.answer.content.isspace()
    if (
        found is None
        and not is_empty
        and (pagination.items is not None or (is_counted(pagination) and page.number > 1))
    ):
        return []
    if not isinstance(found, list):
        hint = "the answer" if pagination.items is None else "what pagination.items gives"
        message = f"A page has no list of items: {hint} is not a list."
        raise StepFailed("PAGE_WITHOUT_LIST", sentences(message, EMPTY if is_empty else ""))
    return found


async def _following(
    pagination: Pagination, request: OutgoingRequest, page: AnswerPage, start: int
) -> OutgoingRequest | None:
    if is_counted(pagination):
        return counted(pagination, request, start + (page.count if pagination.page is None else page.number))
    if pagination.next_link:
        return _linked(request, page.answer)
    if pagination.next is not None:
        found = await page.evaluate("next", pagination.next)
        return None if _is_end(found) else request.at(_text("pagination.next", found))
    found = await page.evaluate("cursor", pagination.cursor or "")
    if _is_end(found):
        return None
    value = _text("pagination.cursor", found) if isinstance(found, str | bool) else found
    return with_value(pagination, request, pagination.parameter or "", value)


def _linked(request: OutgoingRequest, answer: HttpAnswer) -> OutgoingRequest | None:
    try:
        link = answer.next_link
    except LinkUnreadable:
        details: dict[str, Json] = {"link": answer.headers.get("link", "")[:MAX_SHOWN]}
        raise StepFailed("PAGE_UNREADABLE", LINK_UNREADABLE, details=details) from None
    return request.at(link) if link else None


def _is_end(found: Json) -> bool:
    """Whether what should name the next page names none; 0 is a cursor like any other."""
    return found is None or found is False or found == ""


def _text(place: str, found: Json) -> str:
    if isinstance(found, str | int) and not isinstance(found, bool):
        return str(found)
    raise StepFailed("PAGE_UNREADABLE", f"{place} gives neither a text nor null.")


def _check(items: list[Json]) -> None:
    try:
        check_size(items)
    except ValueTooLarge as error:
        raise _too_large(error) from error


def _too_large(error: ValueTooLarge) -> StepFailed:
    message = f"The items of all pages are too large. {error.detail} Cut each page with pagination.items."
    return StepFailed(error.code, message, details=error.extra)
