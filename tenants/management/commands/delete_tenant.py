"""Delete a tenant in two steps: ask for it; then --now, or the end of the grace period. --withdraw keeps it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import LlmteamError
from tenants.lifecycle.deletion import confirm_deletion, request_deletion, withdraw_deletion
from tenants.lifecycle.suspension import get_tenant_by_slug


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant's short name")
        parser.add_argument("--reason", default="", help="kept in the audit")
        step = parser.add_mutually_exclusive_group()
        step.add_argument("--now", action="store_true", help="begin at once what was asked for before")
        step.add_argument("--withdraw", action="store_true", help="keep the tenant")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = get_tenant_by_slug(options["slug"])
            if options["now"]:
                confirm_deletion(tenant_id=tenant.id, actor="system")
                self.stdout.write(f"The removal of {tenant.slug} begins within moments.")
            elif options["withdraw"]:
                if tenant.deletion_due_at is None:
                    raise CommandError("Nobody has asked for its deletion.")
                withdraw_deletion(tenant_id=tenant.id, actor="system")
                self.stdout.write(f"{tenant.slug} is kept.")
            else:
                asked = request_deletion(tenant_id=tenant.id, reason=options["reason"], actor="system")
                self.stdout.write(f"{tenant.slug} will be removed from {asked.deletion_due_at:%Y-%m-%d %H:%M} UTC on.")
        except LlmteamError as error:
            raise CommandError(error.detail) from None
