"""Exports: an archive of all that a tenant has, asked for through the API and written in the background."""

import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, connections, transaction
from django.db.models import Q

from audit.services import record
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.ids import parse_id
from tenants.errors import ExportNotFound, TooManyExports
from tenants.lifecycle.archive import ArchiveWriter
from tenants.lifecycle.background import claim_job, one_at_a_time
from tenants.lifecycle.tables import LEFT_OUT, count_rows, exported_tables, json_lines
from tenants.models import ExportPart, ExportStatus, Tenant, TenantExport

log = logging.getLogger(__name__)

MAX_KEPT: Final = 3
"""Exports of a tenant whose archives are kept at the same time."""
_UNDER_WAY: Final = (ExportStatus.QUEUED, ExportStatus.RUNNING)


class _ExportLost(Exception):
    """Another process writes this export now, or it has been deleted."""


def request_export(*, tenant: Tenant, actor: str) -> TenantExport:
    """Ask for an archive of all that a tenant has; while one is being written, that is the one.

    Raises:
        TooManyExports: As many as may be are kept already.
    """
    with tenant_scope(tenant.id):
        Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)
        under_way = TenantExport.objects.filter(status__in=_UNDER_WAY).first()
        if under_way is not None:
            return under_way
        kept = list(TenantExport.objects.order_by("created_at").values_list("id", flat=True))
        if len(kept) >= MAX_KEPT:
            raise TooManyExports(extra={"cap": MAX_KEPT, "export_ids": [str(one) for one in kept]})
        export = TenantExport.objects.create(tenant=tenant, requested_by=actor)
        record("export.requested", export, actor=actor)
        return export


def get_export(*, tenant: Tenant, export_id: str) -> TenantExport:
    """Read one export of a tenant.

    Raises:
        ExportNotFound: The tenant has none of this id, or its time is over.
    """
    found, live = parse_id(export_id), Q(expires_at=None) | Q(expires_at__gt=utc_now())
    with tenant_scope(tenant.id):
        export = TenantExport.objects.filter(live, id=found).first() if found else None
    if export is None:
        raise ExportNotFound
    return export


def delete_export(*, tenant: Tenant, export_id: str, actor: str) -> None:
    """Remove an export with its archive; one that is being written stops.

    Raises:
        ExportNotFound: As ``get_export``.
    """
    export = get_export(tenant=tenant, export_id=export_id)
    with tenant_scope(tenant.id):
        record("export.deleted", export, actor=actor)
        ExportPart.objects.filter(export=export).delete()
        TenantExport.objects.filter(id=export.id).delete()


def open_archive(*, tenant: Tenant, export_id: str, actor: str) -> tuple[TenantExport, Iterator[bytes]]:
    """Give the archive of an export, in pieces that are read when they are asked for, each in its own transaction.

    Raises:
        ExportNotFound: As ``get_export``, or it is not ready.
    """
    export = get_export(tenant=tenant, export_id=export_id)
    if export.status != ExportStatus.READY:
        raise ExportNotFound(f"The export is {export.status}, so there is no archive yet.")
    with tenant_scope(tenant.id):
        record("export.downloaded", export, actor=actor)
    return export, _parts(export)


def _parts(export: TenantExport) -> Iterator[bytes]:
    number = 0
    while True:
        with tenant_scope(export.tenant_id):
            part = ExportPart.objects.filter(export=export, number=number).first()
        if part is None:
            return
        yield bytes(part.data)
        number += 1


def write_exports() -> int:
    """Write what exports are asked for, one after the other; returns how many.

    Of those whose writer is gone each is begun anew, three times at most. Does nothing where this process is at it
    already. May be killed: what was written is dropped by whoever begins anew.
    """
    written = 0
    with one_at_a_time() as is_free:
        while is_free and (export := _claim()) is not None:
            try:
                _write(export)
                written += 1
            except _ExportLost:
                log.warning("export %s is no longer ours", export.id)
    return written


def _claim() -> TenantExport | None:
    return claim_job(lambda: TenantExport.objects.filter(tenant__is_active=True), _begin)


def _begin(export: TenantExport) -> None:
    """Drop what an earlier writer has left."""
    ExportPart.objects.filter(export=export).delete()
    export.rows_written, export.bytes = 0, 0
    if export.status == ExportStatus.FAILED:
        export.expires_at = _expiry()


def _write(export: TenantExport) -> None:
    with _PartWriter(export) as parts, _snapshot(export.tenant_id):
        tables = exported_tables(export.tenant_id)
        total = 0
        for statement in tables.values():
            total += count_rows(statement)
            parts.beat(total)
        taken_at, tenant = utc_now().isoformat(), Tenant.objects.get(id=export.tenant_id)
        facts = {"id": str(tenant.id), "slug": tenant.slug, "name": tenant.name}
        with ArchiveWriter(parts.take) as archive:
            for name, statement in tables.items():
                archive.add(name, parts.counting(json_lines(statement)))
            archive.end({"tenant": facts, "taken_at": taken_at, "left_out": LEFT_OUT})
    parts.finish()


@contextmanager
def _snapshot(tenant_id: UUID) -> Iterator[None]:
    """See a tenant's rows as they are at one moment, however long it takes to read them."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
        with tenant_scope(tenant_id):
            yield


class _PartWriter:
    """Stores pieces and progress beside the snapshot: in a thread with a connection, and commits, of its own.

    Each write is refused once another process has begun the export anew.
    """

    def __init__(self, export: TenantExport) -> None:
        self._export = export
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="export")
        self._last: Future[None] | None = None
        self._digest = hashlib.sha256()
        self._number = self._bytes = self._rows = 0

    def __enter__(self) -> "_PartWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.submit(connections.close_all)
        self._thread.shutdown()

    def counting(self, lines: Iterator[str]) -> Iterator[str]:
        """Count lines as they pass."""
        for line in lines:
            self._rows += 1
            yield line

    def beat(self, total: int) -> None:
        """Say how many rows there are, as far as they are counted, and that the writer is there."""
        self._await(self._thread.submit(self._store, None, rows_total=total))

    def take(self, piece: bytes) -> None:
        """Store a piece behind the caller's back, once the one before is stored."""
        self._digest.update(piece)
        self._bytes += len(piece)
        self._await(self._last)
        self._last = self._thread.submit(self._store, piece, rows_written=self._rows, bytes=self._bytes)

    def finish(self) -> None:
        """Wait for the last piece, and declare the export ready."""
        self._await(self._last)
        export = self._export
        with unscoped("a worker ends an export"):
            done = {"status": ExportStatus.READY, "ended_at": utc_now(), "expires_at": _expiry()}
            facts = {"rows_written": self._rows, "sha256": self._digest.hexdigest()}
            self._update(**done, **facts)
            record(
                "export.ready", export, actor="system", after={"rows": self._rows, "sha256": self._digest.hexdigest()}
            )

    def _await(self, write: "Future[None] | None") -> None:
        if write is not None:
            write.result()

    def _store(self, piece: bytes | None, **progress: int) -> None:
        with unscoped("a worker writes an export"):
            self._update(**progress)
            if piece is not None:
                ExportPart.objects.create(
                    tenant_id=self._export.tenant_id, export=self._export, number=self._number, data=piece
                )
                self._number += 1

    def _update(self, **changes: object) -> None:
        mine = TenantExport.objects.filter(
            id=self._export.id, status=ExportStatus.RUNNING, tries=self._export.tries, tenant__is_active=True
        )
        if not mine.update(beat_at=utc_now(), **changes):
            raise _ExportLost


def _expiry() -> datetime:
    return utc_now() + timedelta(days=settings.EXPORT_RETENTION_DAYS)
