"""Erase what the audit keeps of a person; its log stays as valid as it was."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from audit.erasure import erase_person
from audit.management.arguments import read_person, tenant_id_of


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", type=read_person, help="member:<id>, user:<id> or key:<public id>")
        parser.add_argument("--tenant", help="whose log; without it the installation's")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant_id = tenant_id_of(options["tenant"])
        erased = erase_person(tenant_id=tenant_id, person=options["person"], actor="system")
        self.stdout.write(f"{erased} values erased")
