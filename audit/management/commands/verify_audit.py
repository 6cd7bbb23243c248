"""Verify the logs of the audit as they are stored; exit code 1 where one has a flaw."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DataError

from audit.management.arguments import tenant_id_of
from audit.models import AuditLog, Entry
from audit.reading.verification import verify_if_sealed
from audit.sealing.checkpoint_file import kept_checkpoints
from audit.sealing.growth import log_name
from audit.sealing.sealer import INSTALLATION
from foundation.scope import unscoped
from tenants.models import Tenant


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="only the log of this one")

    def handle(self, *args: Any, **options: Any) -> None:
        kept = kept_checkpoints()
        self._tell_of_kept(kept)
        logs = _logs()
        if options["tenant"]:
            mine = tenant_id_of(options["tenant"])
            logs = {mine: logs[mine]}
            bad = 0
        else:
            bad = self._tell_of_strays(logs.values(), kept)
        for tenant_id, origin in logs.items():
            try:
                verdict = verify_if_sealed(tenant_id, kept=kept.get(origin, {}))
            except (ValueError, ArithmeticError, LookupError, DataError) as error:
                bad += 1
                self.stdout.write(f"{origin}: what is stored cannot be read: {type(error).__name__}")
                continue
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

    def _tell_of_kept(self, kept: Mapping[str, Mapping[int, bytes]]) -> None:
        """Say what the checkpoint file gives to hold the logs against."""
        place = settings.AUDIT_CHECKPOINT_FILE
        if place and not Path(place).is_file():
            self.stdout.write(f"Kept checkpoints that the logs are held against: none, as {place} is not there")
        elif place:
            held = sum(map(len, kept.values()))
            self.stdout.write(
                f"Kept checkpoints that the logs are held against: {held} (logs: {len(kept)}), from {place}"
            )

    def _tell_of_strays(self, origins: Collection[str], kept: Mapping[str, Mapping[int, bytes]]) -> int:
        """Name logs of which only checkpoints are left, and rows of logs that are nobody's; returns how many."""
        gone = {origin: max(roots) for origin, roots in kept.items() if origin not in origins}
        for origin, size in gone.items():
            self.stdout.write(f"{origin}: the log had {size} entries, and is gone")
        with unscoped("the logs of all tenants"):
            rows = AuditLog.objects.order_by("origin").values_list("id", "tenant_id", "origin")
            strays = [origin for log_id, tenant_id, origin in rows if log_id != log_name(tenant_id)]
        for origin in strays:
            self.stdout.write(f"{origin}: no log that a sealer has begun")
        return len(gone) + len(strays)


def _logs() -> dict[UUID | None, str]:
    """Name the log of each tenant there is, or was, and of the installation; one that is not begun as it would be."""
    with unscoped("the logs of all tenants"):
        tenants = dict(Tenant.objects.order_by("slug").values_list("id", "slug"))
        audited = set(Entry.objects.values_list("tenant_id", flat=True).distinct())
        rows = AuditLog.objects.order_by("origin").values_list("id", "tenant_id", "origin")
        begun: dict[UUID | None, str] = {
            tenant_id: origin for log_id, tenant_id, origin in rows if log_id == log_name(tenant_id)
        }
        nameless: dict[UUID | None, str] = {one: f"{settings.AUDIT_ORIGIN}/{one}" for one in audited if one is not None}
    named: dict[UUID | None, str] = {one: f"{settings.AUDIT_ORIGIN}/{slug}" for one, slug in tenants.items()}
    return {None: f"{settings.AUDIT_ORIGIN}/{INSTALLATION}", **nameless, **named, **begun}
