"""Delete the oldest entries of logs, in whole bundles of 256; what stays verifies from its first entry on."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from audit.errors import LogEmpty, NotSealed, PruningRefused
from audit.management.arguments import read_time, tenant_id_of
from audit.models import AuditLog
from audit.pruning import prune_log
from foundation.scope import unscoped


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--before", required=True, type=read_time, help="2026-01-31, or a time by RFC 3339; in UTC")
        whose = parser.add_mutually_exclusive_group()
        whose.add_argument("--tenant", help="only the log of this one")
        whose.add_argument("--installation", action="store_true", help="only the log of the installation")

    def handle(self, *args: Any, **options: Any) -> None:
        for tenant_id, origin in _logs(options["tenant"], is_of_nobody=options["installation"]):
            try:
                minimum, deleted = prune_log(tenant_id, before=options["before"], actor="system")
            except (LogEmpty, NotSealed, PruningRefused) as refusal:
                raise CommandError(refusal.detail) from None
            self.stdout.write(f"{origin}: {deleted} entries deleted, the first is {minimum} now")


def _logs(tenant: str | None, *, is_of_nobody: bool) -> list[tuple[UUID | None, str]]:
    with unscoped("logs are pruned"):
        logs = AuditLog.objects.order_by("origin")
        if tenant:
            logs = logs.filter(Q(tenant_id=tenant_id_of(tenant)))
        elif is_of_nobody:
            logs = logs.filter(tenant=None)
        return list(logs.values_list("tenant_id", "origin"))
