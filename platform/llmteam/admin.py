"""Console page of exports: how far each one is, and its archive."""

from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from foundation.console import ReadOnlyAdmin, actor_of, column
from runs.api.streaming import ChunksResponse, streamed
from tenants.errors import ExportNotFound
from tenants.lifecycle.exports import open_archive
from tenants.models import ExportStatus, TenantExport

ZIP = "application/zip"


@admin.register(TenantExport)
class TenantExportAdmin(ReadOnlyAdmin):
    """Exports of tenants; one is requested on the tenant's page."""

    list_help = "Archives of all that a tenant has, as of one moment; request one on the page of the tenant."
    list_display = ["tenant", "status", "progress", "created_at", "expires_at"]
    list_filter = ["status"]
    search_fields = ["tenant__slug", "tenant__name"]
    ordering = ["-created_at"]
    fields = [
        "tenant", "status", "progress", "bytes", "sha256", "error", "requested_by", "created_at", "ended_at",
        "expires_at", "archive",
    ]  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        """Add the archive."""
        archive = streamed(self.archive_view)
        return [path("<uuid:export_id>/archive/", archive, name="tenants_tenantexport_archive"), *super().get_urls()]

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let those see exports who may see tenants."""
        return request.user.has_perm("tenants.view_tenant") or request.user.has_perm("tenants.change_tenant")

    @column("rows")
    def progress(self, export: TenantExport) -> str:
        """Show how many rows are written, and how many there are."""
        total = "?" if export.rows_total is None else f"{export.rows_total:,}"
        return f"{export.rows_written:,} of {total}"

    @column("archive")
    def archive(self, export: TenantExport) -> str:
        """Link to the zip, once it is there."""
        if export.status != ExportStatus.READY:
            return "-"
        address = reverse("admin:tenants_tenantexport_archive", args=[export.pk])
        return format_html('<a class="console-link" href="{}">Download</a>', address)

    def archive_view(self, request: HttpRequest, export_id: UUID) -> HttpResponseBase:
        """Send the archive of an export to those who may change its tenant; the audit has who took it."""
        found: list[ChunksResponse] = []

        def opened(request: HttpRequest) -> HttpResponse:
            found.append(_open(request, export_id))
            return HttpResponse()

        # What the site answers is complete; the chunks are read behind it, each in its own transaction.
        answer: HttpResponseBase = self.admin_site.admin_view(opened)(request)
        return found[0] if found else answer


def _open(request: HttpRequest, export_id: UUID) -> ChunksResponse:
    if not request.user.has_perm("tenants.change_tenant"):
        raise PermissionDenied
    export = TenantExport.objects.select_related("tenant").filter(id=export_id).first()
    if export is None:
        raise Http404
    try:
        _, pieces = open_archive(tenant=export.tenant, export_id=str(export_id), actor=actor_of(request))
    except ExportNotFound as error:
        raise Http404 from error
    name = f"{export.tenant.slug}-{export.created_at:%Y-%m-%d}.zip"
    return ChunksResponse(pieces, size=export.bytes, media_type=ZIP, file_name=name)
