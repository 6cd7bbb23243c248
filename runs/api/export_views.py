"""The API's routes about exports of a tenant's data."""

from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.streaming import ChunksResponse
from tenants.access.callers import caller_of
from tenants.errors import ExportNotFound, TooManyExports
from tenants.lifecycle.exports import delete_export, get_export, open_archive, request_export
from tenants.models import ExportStatus, TenantExport

READ = "tenant:read"
WRITE = "tenant:write"
ZIP = "application/octet-stream"
"""Type of the archive: made clients know it, and take `application/zip` for nothing they can read."""


class ExportProgressShape(serializers.Serializer[Any]):
    """Progress of an export."""

    rows = serializers.IntegerField(help_text="Rows that are in the archive already.")
    total = serializers.IntegerField(allow_null=True, help_text="Rows there are; null until they are counted.")
    bytes = serializers.IntegerField(help_text="Of the archive so far.")


class ExportShape(serializers.Serializer[Any]):
    """An export."""

    export_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=ExportStatus.values)
    progress = ExportProgressShape()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When the archive is removed.")
    sha256 = serializers.CharField(allow_null=True, help_text="Of the archive.")
    error = serializers.CharField(allow_null=True)
    archive_url = serializers.CharField(allow_null=True, help_text="Null until it is ready.")


class ExportsView(APIView):
    """Exports of the tenant."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {"POST": (TooManyExports,)}

    @extend_schema(
        operation_id="request_export",
        summary="Export everything",
        description="Requests an archive of all data of the tenant, as of one moment: JSON lines by table and a "
        "`manifest.json` with counts and SHA-256, as a zip; no secrets. It is written in the background: follow "
        "`Location`. While one is being written, another request returns that one. At most three are kept.",
        request=None,
        responses={202: ExportShape},
    )
    def post(self, request: Request) -> Response:
        """Ask for one."""
        caller = caller_of(request)
        export = request_export(tenant=caller.tenant, actor=caller.actor)
        body = _body(request, export)
        return Response(body, status=202, headers={"Location": _location(request, export)})


class ExportView(APIView):
    """One export."""

    required_scopes: ClassVar = {"GET": READ, "DELETE": WRITE}
    refusals: ClassVar = {"GET": (ExportNotFound,), "DELETE": (ExportNotFound,)}

    @extend_schema(
        operation_id="read_export", summary="Read an export", description="How far it is.", responses=ExportShape
    )
    def get(self, request: Request, export_id: str) -> Response:
        """Answer its status."""
        return Response(_body(request, get_export(tenant=caller_of(request).tenant, export_id=export_id)))

    @extend_schema(
        operation_id="delete_export",
        summary="Delete an export",
        description="Removes it with its archive; an export that is being written stops.",
        responses={204: None},
    )
    def delete(self, request: Request, export_id: str) -> Response:
        """Remove it."""
        caller = caller_of(request)
        delete_export(tenant=caller.tenant, export_id=export_id, actor=caller.actor)
        return Response(status=204)


class ExportArchiveView(APIView):
    """The archive of an export."""

    required_scopes: ClassVar = {"GET": WRITE}
    refusals: ClassVar = {"GET": (ExportNotFound,)}

    @extend_schema(
        operation_id="download_export",
        summary="Download an export",
        description="The zip, until `expires_at`. It needs `tenant:write`, because it holds more than any other "
        "route shows. `manage.py verify_export` checks it against its manifest.",
        responses={(200, ZIP): OpenApiResponse(OpenApiTypes.BINARY, "The zip.")},
    )
    def get(self, request: Request, export_id: str) -> Response:
        """Answer the archive, a piece at a time."""
        caller = caller_of(request)
        export, pieces = open_archive(tenant=caller.tenant, export_id=export_id, actor=caller.actor)
        name = f"{caller.tenant.slug}-{export.created_at:%Y-%m-%d}.zip"
        return ChunksResponse(pieces, size=export.bytes, media_type=ZIP, file_name=name)


def _location(request: Request, export: TenantExport) -> str:
    return request.build_absolute_uri(f"/api/v1/tenant/export/{export.id}")


def _body(request: Request, export: TenantExport) -> dict[str, Any]:
    is_ready = export.status == ExportStatus.READY
    return {
        "export_id": export.id,
        "status": export.status,
        "progress": {"rows": export.rows_written, "total": export.rows_total, "bytes": export.bytes},
        "created_at": export.created_at,
        "ended_at": export.ended_at,
        "expires_at": export.expires_at,
        "sha256": export.sha256 or None,
        "error": export.error or None,
        "archive_url": f"{_location(request, export)}/archive" if is_ready else None,
    }
