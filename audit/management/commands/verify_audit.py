"""Verify the logs of the audit as they are stored; exit code 1 where one has a flaw."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.management.arguments import tenant_id_of
from audit.models import AuditLog
from audit.reading.verification import verify_if_sealed
from audit.sealing.checkpoint_file import kept_checkpoints
from audit.sealing.sealer import INSTALLATION
from foundation.scope import unscoped
from tenants.models import Tenant


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="only the log of this one")

    def handle(self, *args: Any, **options: Any) -> None:
        bad = 0
        kept = kept_checkpoints()
        logs = _logs()
        if options["tenant"]:
            mine = tenant_id_of(options["tenant"])
            logs = {mine: logs[mine]}
        for tenant_id, origin in logs.items():
            verdict = verify_if_sealed(tenant_id, kept=kept.get(origin, {}))
            if verdict is None:
                self.stdout.write(f"{origin}: nothing is sealed yet")
                continue
            bad += not verdict["ok"]
            flaw = verdict["first_bad"]
            said = "verified" if flaw is None else f"first bad leaf {flaw['n']}, {flaw['kind']}: {flaw['detail']}"
            size = "no" if verdict["size"] is None else verdict["size"]
            self.stdout.write(f"{origin}: {size} entries, root {verdict['root']}: {said}")
        if bad:
            raise CommandError(f"{bad} of the logs cannot be trusted.")


def _logs() -> dict[UUID | None, str]:
    """Name the log of each tenant there is, or was, and of the installation; one that is not begun as it would be."""
    with unscoped("the logs of all tenants"):
        tenants = dict(Tenant.objects.order_by("slug").values_list("id", "slug"))
        begun: dict[UUID | None, str] = dict(AuditLog.objects.order_by("origin").values_list("tenant_id", "origin"))
    named: dict[UUID | None, str] = {one: f"{settings.AUDIT_ORIGIN}/{slug}" for one, slug in tenants.items()}
    return {None: f"{settings.AUDIT_ORIGIN}/{INSTALLATION}", **named, **begun}
