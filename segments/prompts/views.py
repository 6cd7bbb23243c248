"""The API's routes about stored prompts."""

from typing import ClassVar

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import PageQuery, read_query
from foundation.responses import content_response, page_response, saved_response
from foundation.shapes import PRECONDITIONS, UNCHANGED, page_shape
from kernel.paging import CursorRefused
from segments import errors
from segments.preconditions import Preconditions
from segments.prompts import selectors, serializers, services
from tenants.access.callers import caller_of
from tenants.limits.errors import TooManyKept

READ, WRITE = "segments:read", "segments:write"


class PromptsView(APIView):
    """All stored prompts of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (CursorRefused,)}

    @extend_schema(
        operation_id="list_prompts",
        summary="List stored prompts",
        description="Newest first, without their texts.",
        parameters=[serializers.PromptListQuery],
        responses=page_shape("PromptPage", serializers.PromptSummaryShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        query = read_query(serializers.PromptListQuery, request)
        page = selectors.list_prompts(tenant=caller_of(request).tenant, **query)
        return page_response(request, page, serializers.prompt_summary)


class PromptView(APIView):
    """One stored prompt."""

    required_scopes: ClassVar = {"GET": READ, "PUT": WRITE, "DELETE": WRITE}
    keeps_preconditions: ClassVar = {"PUT", "DELETE"}
    refusals: ClassVar = {
        "GET": (errors.PromptNotFound,),
        "PUT": (errors.PromptIdInvalid, errors.PromptInvalid, errors.RevisionMismatch, TooManyKept),
        "DELETE": (errors.PromptNotFound, errors.RevisionMismatch),
    }

    @extend_schema(
        operation_id="read_prompt",
        summary="Read a stored prompt",
        responses={200: serializers.PromptShape, 304: UNCHANGED},
    )
    def get(self, request: Request, template_id: str) -> Response:
        """Answer the prompt with its current texts, archived or not."""
        template = selectors.get_prompt(tenant=caller_of(request).tenant, template_id=template_id)
        content_hash = serializers.current_of(template).content_hash
        return content_response(request, content_hash, serializers.prompt_body(template))

    @extend_schema(
        operation_id="save_prompt",
        summary="Save a stored prompt",
        description=(
            "Makes the texts the current version: 201 when they are new, 200 when the prompt had them already "
            "(earlier ones move the current pointer back). Versions never change; a step names `name` for the one "
            "that is current when it runs, or `name@3`. An archived prompt comes back."
        ),
        parameters=PRECONDITIONS,
        request=serializers.PromptFields,
        responses={200: serializers.PromptShape, 201: serializers.PromptShape},
    )
    def put(self, request: Request, template_id: str) -> Response:
        """Save a version."""
        caller, fields = caller_of(request), serializers.PromptFields.read(request.data)
        saved = services.save_prompt(
            tenant=caller.tenant,
            actor=caller.actor,
            template_id=template_id,
            texts=fields.texts(),
            preconditions=Preconditions.of(request),
        )
        body, path = serializers.prompt_body(saved.template), reverse("prompt", args=[template_id])
        return saved_response(request, saved.version.content_hash, body, is_new=saved.created, path=path)

    @extend_schema(
        operation_id="archive_prompt",
        summary="Archive a stored prompt",
        description="It is no longer listed, and steps that use it fail; its versions stay. Repeatable.",
        parameters=PRECONDITIONS,
        responses={204: None},
    )
    def delete(self, request: Request, template_id: str) -> Response:
        """Archive."""
        caller = caller_of(request)
        services.archive_prompt(
            tenant=caller.tenant,
            actor=caller.actor,
            template_id=template_id,
            preconditions=Preconditions.of(request),
        )
        return Response(status=204)


class PromptVersionsView(APIView):
    """All versions of a stored prompt."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (errors.PromptNotFound, CursorRefused)}

    @extend_schema(
        operation_id="list_prompt_versions",
        summary="List a prompt's versions",
        description="Newest first, without their texts.",
        parameters=[PageQuery],
        responses=page_shape("PromptVersionPage", serializers.PromptVersionSummaryShape()),
    )
    def get(self, request: Request, template_id: str) -> Response:
        """Answer one page."""
        query = read_query(PageQuery, request)
        page = selectors.list_versions(tenant=caller_of(request).tenant, template_id=template_id, **query)
        return page_response(request, page, serializers.version_summary)


class PromptVersionView(APIView):
    """One version of a stored prompt."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (errors.PromptNotFound, errors.PromptVersionNotFound)}

    @extend_schema(
        operation_id="read_prompt_version",
        summary="Read one version of a prompt",
        description="Immutable.",
        responses={200: serializers.PromptVersionShape, 304: UNCHANGED},
    )
    def get(self, request: Request, template_id: str, number: str) -> Response:
        """Answer its texts."""
        version = selectors.get_version(tenant=caller_of(request).tenant, template_id=template_id, number=number)
        return content_response(request, version.content_hash, serializers.version_body(version))
