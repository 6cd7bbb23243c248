"""Reading an answer page by page, as far as a config says."""

from dataclasses import dataclass

from kernel.values import Json, ValueTooLarge, check_size
from runs.steps.base import StepCall, StepFailed
from runs.steps.http.answer import Answer
from runs.steps.http.config import HttpActionConfig, Pagination
from runs.steps.http.exchange import exchange
from runs.steps.http.request import OutgoingRequest
from segments.expressions import ExpressionError


async def read_pages(
    call: StepCall, config: HttpActionConfig, pagination: Pagination, first: OutgoingRequest
) -> tuple[list[Json], int]:
    """Call page after page until there is none.

    Returns:
        The items of all pages, and the last page's status.

    Raises:
        StepFailed: A page failed; a page came again; there are more than ``max_pages``; all is too large.
    """
    items: list[Json] = []
    seen: set[str] = set()
    request: OutgoingRequest | None = first
    status = 0
    while request is not None:
        if request.url in seen:
            raise StepFailed("PAGINATION_LOOP", "A page names itself or an earlier one as the next.")
        if len(seen) == pagination.max_pages:
            message = f"There are more than {pagination.max_pages} pages; raise max_pages, or ask for larger ones."
            raise StepFailed("PAGINATION_LIMIT", message, details={"limit": pagination.max_pages})
        answer = await exchange(call, request, accepted=config.accept_statuses, patient=bool(seen))
        seen.add(request.url)
        status, page = answer.status, Page(call, answer)
        items += await _items(pagination, page)
        _check(items)
        request = await _following(pagination, request, page)
    return items, status


async def evaluate(call: StepCall, place: str, expression: str, **found: Json) -> Json:
    """Evaluate an expression of the config.

    Raises:
        StepFailed: With the expression's own code; the text names the place.
    """
    try:
        return await call.evaluate(expression, **found)
    except ExpressionError as error:
        raise StepFailed(error.code, f"{place}: {error}") from error


@dataclass(frozen=True, slots=True)
class Page:
    """One answer, and the names it adds to those of its step."""

    call: StepCall
    answer: Answer

    async def evaluate(self, place: str, expression: str) -> Json:
        """Evaluate an expression of ``pagination``; raises as the function."""
        found: dict[str, Json] = {"status": self.answer.status, "headers": dict(self.answer.headers)}
        return await evaluate(self.call, f"pagination.{place}", expression, response=self.answer.value, **found)


async def _items(pagination: Pagination, page: Page) -> list[Json]:
    found = page.answer.value if pagination.items is None else await page.evaluate("items", pagination.items)
    if not isinstance(found, list):
        hint = "the answer" if pagination.items is None else "what pagination.items gives"
        raise StepFailed("PAGE_WITHOUT_LIST", f"A page has no list of items: {hint} is no list.")
    return found


async def _following(pagination: Pagination, request: OutgoingRequest, page: Page) -> OutgoingRequest | None:
    if pagination.next_link:
        link = page.answer.next_link
        return request.at(link) if link else None
    if pagination.next is not None:
        found = await page.evaluate("next", pagination.next)
        return request.at(_text("pagination.next", found)) if found not in (None, "", False) else None
    found = await page.evaluate("cursor", pagination.cursor or "")
    if found in (None, "", False):
        return None
    return request.with_parameter(pagination.parameter or "", _text("pagination.cursor", found))


def _text(place: str, found: Json) -> str:
    if isinstance(found, str | int) and not isinstance(found, bool):
        return str(found)
    raise StepFailed("PAGE_UNREADABLE", f"{place} gives neither a text nor null.")


def _check(items: list[Json]) -> None:
    try:
        check_size(items)
    except ValueTooLarge as error:
        message = f"The items of all pages are too large. {error.detail} Cut each page with pagination.items."
        raise StepFailed(error.code, message, details=error.extra) from error
