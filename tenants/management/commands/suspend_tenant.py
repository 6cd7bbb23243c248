"""Suspend a tenant: nothing is started any more; its runs finish or are paused."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import LlmteamError
from tenants.lifecycle.suspension import get_tenant_by_slug, suspend_tenant
from tenants.models import RunsWhileSuspended


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant's short name")
        parser.add_argument("--runs", choices=RunsWhileSuspended.values, default=RunsWhileSuspended.FINISH.value)
        parser.add_argument("--reason", required=True, help="shown to the tenant with each refusal")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = get_tenant_by_slug(options["slug"])
            runs = RunsWhileSuspended(options["runs"])
            suspend_tenant(tenant_id=tenant.id, runs=runs, reason=options["reason"], actor="system")
        except LlmteamError as error:
            raise CommandError(error.detail) from None
        self.stdout.write(f"{tenant.slug} is suspended. Web processes refuse its starts within 5 s.")
