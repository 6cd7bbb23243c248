"""Resume a tenant: it may start runs again, and those its suspension has paused go on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import LlmteamError
from tenants.lifecycle.suspension import get_tenant_by_slug, resume_tenant


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant's short name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = get_tenant_by_slug(options["slug"])
            resume_tenant(tenant_id=tenant.id, actor="system")
        except LlmteamError as error:
            raise CommandError(error.detail) from None
        if tenant.suspended_at is None:
            raise CommandError("The tenant is not suspended.")
        self.stdout.write(f"{tenant.slug} is resumed. Runs that were paused continue within a minute.")
