"""Create the two database roles and grant them their rights; repeat after every migrate."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from tenants.database_roles import ensure_roles


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--login",
            default=settings.DATABASE_LOGIN,
            help="the login of the processes; where DATABASE_OWNER_URL is set, by default the one of DATABASE_URL",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_roles(login=options["login"])
        self.stdout.write("The roles llmteam_app and llmteam_system are in place.")
