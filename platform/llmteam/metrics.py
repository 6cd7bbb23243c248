"""Prometheus metrics of a web process, and the page where they are read. See docs/howto/metrics.md."""

import hmac
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Final

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotFound
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from humantasks.selectors import count_open_tasks
from kernel.clock import utc_now
from runs.selectors import count_open_runs
from tenants.lifecycle.retention import retention_figures
from tenants.models import RetentionFigure

log = logging.getLogger(__name__)

REQUESTS: Final = Counter("llmteam_http_requests", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS: Final = Histogram(
    "llmteam_http_request_seconds",
    "How long requests took, until the answer began; those with wait= took as long as was asked for.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
NO_ROUTE: Final = "none"
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_SEEN: Final[dict[tuple[str, str, int], tuple[Counter, Any]]] = {}

Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def count_requests(get_response: Answer | AsyncAnswer) -> Answer | AsyncAnswer:
    """Count every request by the route it took, never by its path: paths hold ids, and callers choose them."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            began = time.monotonic()
            response: HttpResponseBase = await get_response(request)
            _count(request, response.status_code, time.monotonic() - began)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        response: HttpResponseBase = get_response(request)  # type: ignore[assignment]  # not the async kind
        _count(request, response.status_code, time.monotonic() - began)
        return response

    return answer


def show(request: HttpRequest) -> HttpResponse:
    """Show what this process counted and what waits in the database, to those who may see it."""
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    database = CollectorRegistry()
    database.register(_Database())
    return HttpResponse(generate_latest(REGISTRY) + generate_latest(database), content_type=CONTENT_TYPE_LATEST)


def _count(request: HttpRequest, status: int, seconds: float) -> None:
    match = request.resolver_match
    key = request.method or "", NO_ROUTE if match is None else match.route, status
    children = _SEEN.get(key)
    if children is None:
        method = key[0] if key[0] in _METHODS else "other"
        children = REQUESTS.labels(method, key[1], str(status)), REQUEST_SECONDS.labels(key[1])
        if method == key[0]:
            _SEEN[key] = children
    children[0].inc()
    children[1].observe(seconds)


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """Say no to who may not read: with a token, who has not got it; without, everybody but a developer's machine."""
    token: str = settings.METRICS_TOKEN
    if token:
        given = request.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return None
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    if (settings.DEVELOPMENT or settings.DEBUG) and _is_loopback(request.META.get("REMOTE_ADDR")):
        return None
    return HttpResponseNotFound()


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


class _Database:
    """Counts runs and tasks when asked; a database that is away or slow costs the scrape these lines, nothing else."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the gauges."""
        answers = GaugeMetricFamily("llmteam_database_answers", "1 where the database could be asked for this scrape.")
        try:
            found, tasks, kept = count_open_runs(), count_open_tasks(), retention_figures()
        except (DatabaseError, InterfaceError) as error:
            log.warning("what is open cannot be counted now: %s", type(error).__name__)
            answers.add_metric([], 0)
            yield answers
            return
        answers.add_metric([], 1)
        yield answers
        runs = GaugeMetricFamily("llmteam_runs", "Runs that are not over, by what they do.", labels=["state"])
        for state, number in found.by_state.items():
            runs.add_metric([state], number)
        yield runs
        yield GaugeMetricFamily(
            "llmteam_queue_age_seconds", "How long the run that is due longest has been due.", found.oldest_due_seconds
        )
        waiting = GaugeMetricFamily(
            "llmteam_human_tasks", "Tasks that wait for people, and those late.", labels=["state"]
        )
        for state, number in tasks.items():
            waiting.add_metric([state], number)
        yield waiting
        yield from _kept(kept)


def _kept(figures: Iterable[RetentionFigure]) -> Iterator[GaugeMetricFamily]:
    """Tell what the last sweep left, by kind."""
    rows = GaugeMetricFamily(
        "llmteam_retained_rows", "Rows that are kept, as the last sweep left them.", labels=["kind"]
    )
    ages = GaugeMetricFamily("llmteam_retained_oldest_seconds", "Age of the oldest row that is kept.", labels=["kind"])
    for figure in figures:
        rows.add_metric([figure.kind], figure.rows)
        if figure.oldest_at is not None:
            ages.add_metric([figure.kind], max(0.0, (utc_now() - figure.oldest_at).total_seconds()))
    yield rows
    yield ages
