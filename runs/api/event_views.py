"""The API's routes about events: pages, the same as streams, and tickets for WebSockets."""

from typing import ClassVar, Final

import orjson
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.request_fields import whole
from foundation.requests import NoFields, read_fields, read_query
from foundation.responses import page_response
from foundation.shapes import page_shape
from kernel.paging import CursorRefused, Page
from runs import selectors
from runs.api import serializers
from runs.api.sse import CONTENT_TYPE, StreamResponse, wants_stream
from runs.errors import RunNotFound
from runs.events import queries
from runs.events.cursor import BEGINNING, NOW, RunSource, TenantSource, read_cursor, write_cursor
from runs.events.stream import SCOPE, open_run, open_tenant, read_filter
from runs.events.tickets import issue_ticket
from tenants.access.callers import caller_of

LAST_EVENT_ID: Final = OpenApiParameter(
    "Last-Event-ID",
    str,
    OpenApiParameter.HEADER,
    description="The last `id` received; it takes precedence over the parameter. Browsers send it automatically.",
)
LAST_SEQ: Final = OpenApiParameter(
    LAST_EVENT_ID.name,
    {"type": "string", "pattern": whole(selectors.SEQ, "")},
    OpenApiParameter.HEADER,
    description=LAST_EVENT_ID.description,
)
STREAM: Final = OpenApiResponse(
    OpenApiTypes.STR,
    "Server-sent events. The last record of each stored event has an `id:`; after ten seconds without an event a "
    "comment is sent.",
)


class RunEventsView(APIView):
    """The journal of a run."""

    required_scopes: ClassVar = {"GET": SCOPE}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (RunNotFound, CursorRefused)}

    @extend_schema(
        operation_id="list_run_events",
        summary="List a run's events",
        description="In order, after the event `after`. `data.produced` is derived, once per port of a completed "
        "step, under "
        "the `seq` of that step's event. With `Accept: text/event-stream` it is `stream_run_events`.",
        parameters=[queries.EventQuery],
        responses=page_shape("EventPage", serializers.EventShape()),
    )
    def get(self, request: Request, run_id: str) -> Response:
        """Answer one page, or the stream."""
        if wants_stream(request):
            return _run_stream(request, run_id)
        query = read_query(queries.EventQuery, request)
        run_uuid = selectors.read_run_id(run_id)
        source = RunSource(selectors.get_run(tenant=caller_of(request).tenant, run_id=run_uuid))
        stretch = source.read_page(source.place(query["after"]), query["limit"]).page()
        records = [orjson.Fragment(record.text) for frame in stretch.frames for record in frame.records]
        page = Page(records, str(stretch.place.seq) if stretch.more else None)
        return page_response(request, page, lambda text: text, parameter="after")


class RunStreamView(APIView):
    """The journal of a run as it grows."""

    required_scopes: ClassVar = {"GET": SCOPE}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (RunNotFound, CursorRefused)}

    @extend_schema(
        operation_id="stream_run_events",
        summary="Stream a run's events",
        description="The records of `list_run_events` as server-sent events, up to the run's last. While a step "
        "writes text there are also frames `event: step.delta` with `{event_type, run_id, step_id, activation, "
        "attempt, payload: {answer, offset, text}}`: without an id, best effort, never stored.",
        parameters=[queries.EventStreamQuery, LAST_SEQ],
        responses={
            (200, CONTENT_TYPE): STREAM,
            204: OpenApiResponse(description="The run is over and `after` is its last event."),
        },
    )
    def get(self, request: Request, run_id: str) -> Response:
        """Answer the stream, whatever the caller accepts."""
        return _run_stream(request, run_id)


class TenantEventsView(APIView):
    """The journals of all runs of the caller's tenant."""

    required_scopes: ClassVar = {"GET": SCOPE}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (CursorRefused,)}

    @extend_schema(
        operation_id="list_events",
        summary="List the events of all runs",
        description="In the order in which they were committed; those of one run in the order of `seq`. "
        "`next_cursor` is always there: ask again with it and nothing is missed or comes twice. "
        "With `Accept: text/event-stream` it is `stream_events`.",
        parameters=[queries.TenantEventQuery],
        responses=page_shape("TenantEventPage", serializers.EventShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page, or the stream."""
        caller = caller_of(request)
        if wants_stream(request):
            return _tenant_stream(request)
        query = read_query(queries.TenantEventQuery, request)
        cursor, limit = query.pop("cursor"), query.pop("limit")
        source = TenantSource(caller.tenant, read_filter(**query))
        place = source.now() if cursor == NOW else read_cursor(cursor) if cursor else BEGINNING
        stretch = source.read_page(place, limit).page()
        records = [orjson.Fragment(record.text) for frame in stretch.frames for record in source.filter.pick(frame)]
        page = Page(records, write_cursor(stretch.place))
        return page_response(request, page, lambda text: text)


class TenantStreamView(APIView):
    """The journals of all runs of the caller's tenant as they grow."""

    required_scopes: ClassVar = {"GET": SCOPE}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (CursorRefused,)}

    @extend_schema(
        operation_id="stream_events",
        summary="Stream the events of all runs",
        description="The records of `list_events` as server-sent events, without end.",
        parameters=[queries.TenantStreamQuery, LAST_EVENT_ID],
        responses={(200, CONTENT_TYPE): STREAM},
    )
    def get(self, request: Request) -> Response:
        """Answer the stream, whatever the caller accepts."""
        return _tenant_stream(request)


def _run_stream(request: Request, run_id: str) -> StreamResponse:
    asked = read_query(queries.EventStreamQuery, request)
    after = request.headers.get("Last-Event-ID") or str(asked["after"])
    return StreamResponse(open_run(caller=caller_of(request), run_id=run_id, after=after))


def _tenant_stream(request: Request) -> StreamResponse:
    asked = read_query(queries.TenantStreamQuery, request)
    cursor = request.headers.get("Last-Event-ID") or asked.pop("cursor")
    asked.pop("cursor", None)
    return StreamResponse(open_tenant(caller=caller_of(request), cursor=cursor, wanted=read_filter(**asked)))


class TicketsView(APIView):
    """Tickets for WebSockets."""

    required_scopes: ClassVar = {"POST": SCOPE}

    @extend_schema(
        operation_id="make_ws_ticket",
        summary="Make a ticket for a WebSocket",
        description="For browsers, which cannot send a key with a WebSocket: the ticket stands for this call's key, "
        "once, within 30 seconds, as the parameter `ticket` of `/ws/v1/runs/{run_id}/` or `/ws/v1/events/`.",
        request=NoFields,
        responses={201: serializers.TicketShape},
    )
    def post(self, request: Request) -> Response:
        """Make one."""
        read_fields(NoFields, request.data)
        ticket = issue_ticket(caller=caller_of(request))
        body = {"ticket": ticket.text, "expires_at": ticket.expires_at}
        return Response(body, status=201, headers={"Cache-Control": "no-store"})
