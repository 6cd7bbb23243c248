"""The API's routes about connections."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import PageQuery, read_query
from foundation.responses import page_response
from foundation.shapes import page_shape
from kernel.paging import CursorRefused
from tenants import errors
from tenants.access.callers import caller_of
from tenants.connections import selectors, services
from tenants.connections.serializers import ConnectionFields, ConnectionShape, connection_body
from tenants.limits.errors import TooManyKept

READ, WRITE = "tenant:read", "tenant:write"


class ConnectionsView(APIView):
    """All connections of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (CursorRefused,)}

    @extend_schema(
        operation_id="list_connections",
        summary="List connections",
        description="Newest first; never with their secrets.",
        parameters=[PageQuery],
        responses=page_shape("ConnectionPage", ConnectionShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        page = selectors.list_connections(tenant=caller_of(request).tenant, **read_query(PageQuery, request))
        return page_response(request, page, connection_body)


class ConnectionView(APIView):
    """One connection."""

    required_scopes: ClassVar = {"GET": READ, "PUT": WRITE, "DELETE": WRITE}
    refusals: ClassVar = {
        "GET": (errors.ConnectionNotFound,),
        "PUT": (errors.ConnectionRefInvalid, errors.ConnectionInvalid, TooManyKept),
        "DELETE": (errors.ConnectionNotFound,),
    }

    @extend_schema(operation_id="read_connection", summary="Read a connection", responses=ConnectionShape)
    def get(self, request: Request, ref: str) -> Response:
        """Answer all but the secret."""
        return Response(connection_body(selectors.get_connection(tenant=caller_of(request).tenant, ref=ref)))

    @extend_schema(
        operation_id="save_connection",
        summary="Save a connection",
        description="Creates it (201) or replaces it (200). A secret that is left out is kept, unless the "
        "connection now leads to another host. Steps use the change within 5 s.",
        request=ConnectionFields,
        responses={200: ConnectionShape, 201: ConnectionShape},
    )
    def put(self, request: Request, ref: str) -> Response:
        """Save."""
        caller, fields = caller_of(request), ConnectionFields.read(request.data)
        row, created = services.save_connection(
            tenant=caller.tenant,
            actor=caller.actor,
            ref=ref,
            spec=fields.spec(),
            secret=fields.secret_change,
            tls_key=fields.tls_key_change,
        )
        return Response(connection_body(row), status=201 if created else 200)

    @extend_schema(
        operation_id="delete_connection",
        summary="Delete a connection",
        description="For good, its secret too. Steps that use it fail within 5 s.",
        responses={204: None},
    )
    def delete(self, request: Request, ref: str) -> Response:
        """Delete."""
        caller = caller_of(request)
        services.delete_connection(tenant=caller.tenant, actor=caller.actor, ref=ref)
        return Response(status=204)
