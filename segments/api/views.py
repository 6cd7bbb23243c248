"""The API's routes about the catalog and about segments."""

from typing import ClassVar

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import NotAvailable, PageQuery, read_query
from foundation.responses import content_response, page_response, saved_response, with_etag
from foundation.shapes import PRECONDITIONS, UNCHANGED, page_shape
from kernel.canonical import content_hash
from kernel.paging import CursorRefused
from segments import errors, examples, selectors, services
from segments.api import serializers
from segments.definition import json_schema
from segments.entitled import catalog_within_limits, within_limits
from segments.known_names import known_names_of
from segments.pooled_validation import validate_pooled
from segments.preconditions import Preconditions
from tenants.access.callers import caller_of
from tenants.limits.errors import TooManyKept
from tenants.limits.selectors import entitlements_of

READ, WRITE = "segments:read", "segments:write"
SEGMENT_BODY = {"application/json": OpenApiTypes.OBJECT}


class CatalogView(APIView):
    """The step types a segment may use."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}

    @extend_schema(
        operation_id="read_catalog",
        summary="Read the catalog",
        description="All step types, in the shape canvases read. With `?with=limits` each says whether the tenant may "
        "start steps of it, and why not.",
        parameters=[serializers.WithQuery],
        responses={200: serializers.CatalogShape, 304: UNCHANGED},
    )
    def get(self, request: Request) -> Response:
        """Answer the whole catalog."""
        catalog = selectors.catalog().export_for_ui()
        if "with" not in read_query(serializers.WithQuery, request):
            return with_etag(request, selectors.catalog_etag(), catalog)
        offered = catalog_within_limits(catalog, entitlements_of(caller_of(request).tenant.id))
        return with_etag(request, f'"{content_hash(offered)}"', offered)


class CardView(APIView):
    """One step type."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (errors.StepTypeNotFound,)}

    @extend_schema(
        operation_id="read_step_type",
        summary="Read one step type",
        responses={200: serializers.CardShape, 304: UNCHANGED},
    )
    def get(self, request: Request, type_id: str) -> Response:
        """Answer one card."""
        return with_etag(request, selectors.catalog_etag(), selectors.get_card(type_id=type_id))


class SegmentSchemaView(APIView):
    """The contract."""

    required_scopes: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="read_segment_schema",
        summary="Read the contract's JSON Schema",
        description="JSON Schema 2020-12. It accepts what the platform itself writes.",
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> Response:
        """Answer the schema."""
        return Response(json_schema())


class ValidateView(APIView):
    """A definition's findings."""

    required_scopes: ClassVar = {"POST": READ}
    reads_query: ClassVar = {"POST"}

    @extend_schema(
        operation_id="validate_segment",
        summary="Validate a definition",
        description="All findings at once; nothing is saved. A definition with errors is a 200 with `valid: false`. "
        "With `?with=limits` what the tenant's limits refuse at a start is an error, too.",
        parameters=[serializers.WithQuery],
        request={"application/json": OpenApiTypes.ANY},
        responses=serializers.ValidationShape,
        examples=[OpenApiExample("Two steps", examples.TWO_STEPS, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Answer the findings."""
        tenant, query = caller_of(request).tenant, read_query(serializers.WithQuery, request)
        verdict = validate_pooled(tenant, request.data, known_names_of(tenant))
        if "with" in query:
            verdict = within_limits(verdict, entitlements_of(tenant.id))
        return Response(serializers.validation_body(verdict))


class SegmentsView(APIView):
    """All segments of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ, "POST": WRITE}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {
        "GET": (CursorRefused,),
        "POST": (errors.SegmentExists, errors.SegmentInvalid, NotAvailable, TooManyKept),
    }

    @extend_schema(
        operation_id="list_segments",
        summary="List segments",
        description="Newest first.",
        parameters=[serializers.SegmentListQuery],
        responses=page_shape("SegmentPage", serializers.SegmentSummaryShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        query = read_query(serializers.SegmentListQuery, request)
        page = selectors.list_segments(tenant=caller_of(request).tenant, **query)
        return page_response(request, page, serializers.segment_summary)

    @extend_schema(
        operation_id="create_segment",
        summary="Save a new segment",
        description=(
            "The definition names its own id. Repeating it with the same content answers 200 and changes nothing, so "
            "no `Idempotency-Key` is needed, and one is refused. Other content under a known id is a 409: use PUT."
        ),
        request=SEGMENT_BODY,
        responses={200: serializers.SavedSegmentShape, 201: serializers.SavedSegmentShape},
        examples=[OpenApiExample("Two steps", examples.TWO_STEPS, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Save, unless it would replace something."""
        serializers.refuse_idempotency_key(request)
        caller = caller_of(request)
        saved = services.create_segment(tenant=caller.tenant, actor=caller.actor, document=request.data)
        return _saved(request, saved)


class SegmentView(APIView):
    """One segment."""

    required_scopes: ClassVar = {"GET": READ, "PUT": WRITE, "DELETE": WRITE}
    keeps_preconditions: ClassVar = {"PUT", "DELETE"}
    refusals: ClassVar = {
        "GET": (errors.SegmentNotFound,),
        "PUT": (errors.RevisionMismatch, errors.SegmentInvalid, TooManyKept),
        "DELETE": (errors.SegmentNotFound, errors.RevisionMismatch),
    }

    @extend_schema(
        operation_id="read_segment", summary="Read a segment", responses={200: serializers.SegmentShape, 304: UNCHANGED}
    )
    def get(self, request: Request, segment_id: str) -> Response:
        """Answer the segment with its current content, archived or not."""
        segment = selectors.get_segment(tenant=caller_of(request).tenant, segment_id=segment_id)
        return with_etag(request, selectors.etag_of(segment) or '""', serializers.segment_body(segment))

    @extend_schema(
        operation_id="save_segment",
        summary="Save a segment",
        description=(
            "Makes the definition the current revision: 201 when its content is new, 200 when the segment had it "
            "already (an earlier content moves the current pointer back). Errors block, warnings do not. `If-Match` "
            "guards against saving over somebody else's change (412), `If-None-Match: *` against replacing anything. "
            "An archived segment comes back."
        ),
        parameters=PRECONDITIONS,
        request=SEGMENT_BODY,
        responses={200: serializers.SavedSegmentShape, 201: serializers.SavedSegmentShape},
        examples=[OpenApiExample("Two steps", examples.TWO_STEPS, request_only=True)],
    )
    def put(self, request: Request, segment_id: str) -> Response:
        """Save a revision."""
        caller = caller_of(request)
        saved = services.save_segment(
            tenant=caller.tenant,
            actor=caller.actor,
            segment_id=segment_id,
            document=request.data,
            preconditions=Preconditions.of(request),
        )
        return _saved(request, saved)

    @extend_schema(
        operation_id="archive_segment",
        summary="Archive a segment",
        description="It is no longer listed and cannot be started; its runs and revisions stay. Repeatable.",
        parameters=PRECONDITIONS,
        responses={204: None},
    )
    def delete(self, request: Request, segment_id: str) -> Response:
        """Archive."""
        caller = caller_of(request)
        services.archive_segment(
            tenant=caller.tenant,
            actor=caller.actor,
            segment_id=segment_id,
            preconditions=Preconditions.of(request),
        )
        return Response(status=204)


class RevisionsView(APIView):
    """All revisions of a segment."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (errors.SegmentNotFound, CursorRefused)}

    @extend_schema(
        operation_id="list_revisions",
        summary="List a segment's revisions",
        description="Newest first.",
        parameters=[PageQuery],
        responses=page_shape("RevisionPage", serializers.RevisionSummaryShape()),
    )
    def get(self, request: Request, segment_id: str) -> Response:
        """Answer one page."""
        query = read_query(PageQuery, request)
        page = selectors.list_revisions(tenant=caller_of(request).tenant, segment_id=segment_id, **query)
        return page_response(request, page, serializers.revision_summary)


class RevisionView(APIView):
    """One revision."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (errors.SegmentNotFound, errors.RevisionNotFound)}

    @extend_schema(
        operation_id="read_revision",
        summary="Read one revision",
        description="Immutable.",
        responses={200: serializers.RevisionShape, 304: UNCHANGED},
    )
    def get(self, request: Request, segment_id: str, number: str) -> Response:
        """Answer one content."""
        revision = selectors.get_revision(tenant=caller_of(request).tenant, segment_id=segment_id, number=number)
        return content_response(request, revision.content_hash, serializers.revision_body(revision))


def _saved(request: Request, saved: services.SavedSegment) -> Response:
    body = serializers.saved_body(saved.segment, saved.findings)
    path = reverse("segment", args=[saved.segment.segment_id])
    return saved_response(request, saved.revision.content_hash, body, is_new=saved.created, path=path)
