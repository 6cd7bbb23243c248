"""The API's route that hands out the audit log as one file; here, where answers are streamed."""

from typing import ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from audit.errors import LogEmpty
from audit.reading.export import export_log
from foundation.zip_stream import zip_of
from runs.api.export_views import ZIP
from runs.api.streaming import ChunksResponse
from tenants.access.callers import caller_of


class AuditExportView(APIView):
    """The log as one file."""

    required_scopes: ClassVar = {"GET": "audit:read"}
    refusals: ClassVar = {"GET": (LogEmpty,)}

    @extend_schema(
        operation_id="export_audit",
        summary="Export the log",
        description="A zip that verifies by itself: the log's files in `log/`, with `entries.ndjson`, which shows what "
        "is kept of personal data and long values; `key`, and `verify.py`. It ends at the last checkpoint, and is "
        "written while you read it, so its length is not told. The audit tells of it.",
        responses={(200, ZIP): OpenApiResponse(OpenApiTypes.BINARY, "The zip.")},
    )
    def get(self, request: Request) -> ChunksResponse:
        """Answer the zip, a piece at a time."""
        caller = caller_of(request)
        log, files = export_log(caller.tenant.id, actor=caller.actor)
        name = f"{caller.tenant.slug}-audit-{log.last.size}.zip"
        return ChunksResponse(zip_of(files), media_type=ZIP, file_name=name)
