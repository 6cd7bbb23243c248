"""Create the two database roles and grant them their rights; repeat after every migrate."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tenants.roles import ensure_roles


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--login", help="the login the platform connects as, if it does not own the tables")

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_roles(login=options["login"])
        self.stdout.write("The roles llmteam_app and llmteam_system are in place.")
